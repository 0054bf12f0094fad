"""The equation ledger is complete, up to date, and points at what exists."""

import importlib
import re

import pytest

from tagvis_lite.course.build import NOTEBOOKS, lesson_sources
from tagvis_lite.course.ledger import ENTRIES, LEDGER, Entry, ledger, lesson_cells

each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.tag)


def test_it_has_every_equation_figure_and_table_of_the_paper() -> None:
    expected = [f"eq-{k}" for k in range(1, 8)]
    expected += [f"fig-{k}" for k in range(1, 7)]
    expected += [f"table-{k}" for k in range(1, 4)]
    assert [entry.tag for entry in ENTRIES] == expected


def test_the_document_is_up_to_date() -> None:
    assert LEDGER.read_text(encoding="utf-8") == ledger(), "run make notebooks"


@each_entry
def test_code_exists(entry: Entry) -> None:
    for name in entry.code:
        module, _, attribute = f"tagvis_lite.{name}".rpartition(".")
        found = importlib.import_module(module)
        assert hasattr(found, attribute) or importlib.import_module(f"{module}.{attribute}")


@each_entry
def test_test_exists(entry: Entry) -> None:
    path, _, name = entry.test.partition("::")
    text = (NOTEBOOKS.parent / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@each_entry
def test_the_lesson_that_teaches_it_has_a_cell_for_it(entry: Entry) -> None:
    written = {source.stem[:2] for source in lesson_sources()}
    tagged = {source.stem[:2] for source in lesson_cells().get(entry.tag, [])}
    assert entry.lesson in tagged or entry.lesson not in written
