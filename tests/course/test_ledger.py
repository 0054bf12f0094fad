"""docs/ledger.md has every equation, figure and table of the paper, and points at what exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (Eq|Fig|Table)", line)
]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


def tag(name: str) -> str:
    """Tag of the cells about it: eq-2 of Eq. (2), fig-3 of Fig. 3, table-1 of Table I."""
    kind, number = name.lower().strip("()").replace(". ", " ").split(" ")
    return f"{kind}-{len(number) if kind == 'table' else number.strip('()')}"


def test_it_has_every_equation_figure_and_table_of_the_paper() -> None:
    expected = [f"eq-{k}" for k in range(1, 8)] + [f"fig-{k}" for k in range(1, 7)]
    assert [tag(row[0]) for row in ROWS] == [*expected, "table-1", "table-2", "table-3"]


@each_row
def test_its_code_exists(row: list[str]) -> None:
    names = re.findall(r"`([\w.]+)`", row[3])
    assert names
    for name in names:
        module, _, attribute = f"tagvis_lite.{name}".rpartition(".")
        found = importlib.import_module(module)
        assert hasattr(found, attribute) or importlib.import_module(f"{module}.{attribute}")


@each_row
def test_its_test_exists(row: list[str]) -> None:
    name, path = re.fullmatch(r"\[`(\w+)`\]\(\.\./(.+)\)", row[4]).groups()  # type: ignore[union-attr]
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@each_row
def test_its_lessons_have_a_cell_for_it(row: list[str]) -> None:
    lessons = re.findall(r"\[\d\d\]\(\.\./notebooks/(\w+)\.ipynb#The-paper\)", row[2])
    assert lessons
    for lesson in lessons:
        cells = jupytext.read(ROOT / f"notebooks/src/{lesson}.py", fmt="py:percent").cells
        assert any(tag(row[0]) in cell.metadata.get("tags", []) for cell in cells), lesson
