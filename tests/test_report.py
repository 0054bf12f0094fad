"""The reproduction report says nothing that is not in a recorded run or in the paper."""

from __future__ import annotations

import json
import re

from tagvis_lite.ablation import READINGS, TABLE_3, read_results
from tagvis_lite.report import NOT_RUN, REPORT, TABLE_1, TABLE_2, figures, report, table_3
from tagvis_lite.shipped import shipped


def test_the_document_is_what_the_runs_give() -> None:
    """A number that was typed in, or whose run has changed, makes a difference here."""
    assert REPORT.read_text(encoding="utf-8") == report(), "run make notebooks"


def test_its_pictures_are_there() -> None:
    links = re.findall(r"\]\((images/[^)]+)\)", REPORT.read_text(encoding="utf-8"))
    assert len(links) == 2
    assert all((REPORT.parent / link).is_file() for link in links)
    assert {link.removeprefix("images/") for link in links} == set(figures(videos=1, columns=2))


def test_every_row_of_the_paper_is_there_with_an_origin() -> None:
    text = report()
    for method, *values in (*TABLE_1, *TABLE_2):
        line = next(
            row for row in text.splitlines() if row.startswith(f"| {method} ") and values[0] in row
        )
        assert "the paper" in line
        assert all(value in line for value in values)
    for row in TABLE_3:
        assert row.title in text


def test_rows_without_a_run_say_so() -> None:
    table = table_3([], TABLE_3)
    assert table.count(NOT_RUN) == 3 * len(TABLE_3)


def test_results_are_of_one_budget_and_one_model() -> None:
    runs = shipped("runs/ablation")
    assert read_results(runs, TABLE_3)
    read_results(runs, READINGS)
    rows = {row.name: row for row in (*TABLE_3, *READINGS)}
    full = json.loads((runs / "full-0.json").read_text())["config"]
    for path in runs.glob("*.json"):
        result = json.loads(path.read_text())
        changed = rows[result["row"]].change
        for section, fields in full.items():
            if section == "profile":
                continue
            wanted = {**fields, **changed.get(section, {})}
            if section == "train":
                wanted["seed"] = result["seed"]
            assert result["config"][section] == wanted, path.name
