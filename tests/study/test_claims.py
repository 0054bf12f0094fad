"""Every number of ours in Tables I to III has a recorded run, every one of the paper its place."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

import pytest
from scipy import stats

from tagvis_lite.config import TOY, config_to_dict
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.shipped import shipped
from tagvis_lite.study.ablation import READINGS, TABLE_3, read_results
from tagvis_lite.study.claims import (
    ABLATION,
    CARD,
    NOT_RUN,
    TABLE_1,
    TABLE_2,
    beyond_chance,
    read_tables,
    table_1,
    table_2,
    table_3,
    untraced,
)
from tagvis_lite.study.report import report


def test_every_row_of_the_paper_is_there_as_printed() -> None:
    for claims, lines in ((TABLE_1, table_1()), (TABLE_2, table_2())):
        for (method, *rest), line in zip(claims, lines, strict=False):
            assert (line["method"], line["origin"]) == (method, "the paper")
            assert [line["uses"], *list(line.values())[4:]] == rest
    for row, line in zip(TABLE_3, table_3(TABLE_3, shipped(ABLATION)), strict=True):
        assert row.title in line["without"]
        assert [line[f"{name}, paper"] for name in ("J&F", "J", "F")] == list(map(str, row.paper))


def test_table_2_of_the_paper_is_consistent() -> None:
    """Its J&F is the mean of its J and its F, up to rounding: a guard against typing errors."""
    for method, _, jf, j, f, _ in TABLE_2:
        if j != "-":
            assert abs(float(jf) - (float(j) + float(f)) / 2) < 0.11, method


def test_the_papers_own_rows_are_not_run_by_us() -> None:
    for lines in (table_1(), table_2()):
        (line,) = [line for line in lines if line["origin"] == NOT_RUN]
        assert set(list(line.values())[4:]) == {"-"}
    assert table_2()[-1]["fps"] == NOT_RUN


def test_our_row_is_that_of_the_card() -> None:
    scores = json.loads(shipped(CARD).read_text())["test"]
    wanted = [f"{100 * scores['youtube_vis'][key]:.1f}" for key in ("AP", "AP50", "AP75")]
    assert list(table_1()[-1].values())[4:7] == wanted
    wanted = [f"{100 * scores['davis'][f'{key}-Mean']:.1f}" for key in ("J&F", "J", "F")]
    assert list(table_2()[-1].values())[4:7] == wanted


def test_rows_without_a_run_say_so(tmp_path: Path) -> None:
    for rows in (TABLE_3, READINGS):
        lines = table_3(rows, tmp_path)
        assert [line["J&F, here"] for line in lines] == [NOT_RUN] * len(rows)
        assert markdown_table(lines).count(NOT_RUN) == 4 * len(rows) - 1
    assert untraced(markdown_table(table_3(TABLE_3, tmp_path))) == []


def write_runs(folder: Path, row: str, scores: list[float]) -> None:
    config = config_to_dict(TOY)
    for seed, score in enumerate(scores):
        values = {"J&F-Mean": score, "J-Mean": score, "F-Mean": score}
        run = {"row": row, "seed": seed, "scores": values, "config": config}
        (folder / f"{row}-{seed}.json").write_text(json.dumps(run))


def test_numbers_are_means_with_intervals_over_the_seeds(tmp_path: Path) -> None:
    full, less = [0.5, 0.52, 0.57], [0.31, 0.36]
    write_runs(tmp_path, "full", full)
    write_runs(tmp_path, "spectra", less)
    write_runs(tmp_path, "tempra", [0.4])
    first, spectra, _, tempra = table_3(TABLE_3[:4], tmp_path)
    for line, values in ((first, full), (spectra, less)):
        percent = [100 * value for value in values]
        low, high = stats.t.interval(
            0.95, len(values) - 1, statistics.mean(percent), stats.sem(percent)
        )
        assert line["J&F, here"] == f"{(low + high) / 2:.1f} ± {(high - low) / 2:.1f}"
    test = stats.ttest_ind([31.0, 36.0], [50.0, 52.0, 57.0], equal_var=False)
    low, high = test.confidence_interval(0.95)
    wanted = f"{(low + high) / 2:.1f} ± {(high - low) / 2:.1f}"
    assert spectra["J&F against full, here"] == wanted
    assert (tempra["J&F, here"], tempra["J&F against full, here"]) == ("40.0", "-13.0")
    links = re.findall(r"\]\(\.\./data/runs/ablation/([^)]+)\)", spectra["seeds"])
    assert links == ["spectra-0.json", "spectra-1.json"]


def test_only_intervals_without_zero_are_beyond_chance(tmp_path: Path) -> None:
    write_runs(tmp_path, "full", [0.5, 0.52, 0.51])
    write_runs(tmp_path, "spectra", [0.31, 0.33, 0.32])
    write_runs(tmp_path, "specter", [0.3, 0.8, 0.6])
    write_runs(tmp_path, "tempra", [0.1])
    found = beyond_chance(table_3(TABLE_3, tmp_path))
    assert [line["without"] for line in found] == ["L_spectra"]


# A number without a run


def test_every_number_of_the_report_has_its_run() -> None:
    assert untraced(report()) == []


@pytest.mark.parametrize("table", [table_1, table_2, lambda: table_3(TABLE_3, shipped(ABLATION))])
def test_any_changed_number_is_found(table) -> None:  # type: ignore[no-untyped-def]
    lines = table()
    changed = 0
    for k, line in enumerate(lines):
        ours = "measured here" in line.get("origin", "")
        for column, cell in line.items():
            if (
                column != "data"
                and (ours or column.endswith(", here"))
                and re.match(r"[+-]?\d", cell)
            ):
                other = [*lines[:k], {**line, column: "99.9"}, *lines[k + 1 :]]
                assert len(untraced(markdown_table(other))) == 1, (line, column)
                changed += 1
    assert changed >= 3


@pytest.mark.parametrize("cell", ["12.3", "17"])
def test_a_number_in_a_row_without_a_run_is_found(cell: str, tmp_path: Path) -> None:
    lines = [dict(line) for line in table_2()]
    lines[-2]["J&F"] = cell
    lines[-1]["fps"] = cell
    assert untraced(markdown_table(lines)) == [
        f"this project, J&F: {cell}",
        f"this project, fps: {cell}",
    ]
    rows = [dict(line) for line in table_3(TABLE_3, tmp_path)]
    rows[3]["F, here"] = cell
    assert untraced(markdown_table(rows)) == [f"L_tempra, F, here: {cell}"]


def test_a_link_to_a_run_that_is_not_there_is_refused() -> None:
    text = markdown_table(table_1()).replace("toy.json", "toy-2.json")
    with pytest.raises(FileNotFoundError, match=r"toy-2\.json"):
        untraced(text)


def test_tables_are_read_as_they_were_written() -> None:
    lines = table_1()
    assert read_tables(f"Text.\n\n{markdown_table(lines)}\n\nMore.\n") == [lines]
    assert read_tables("no table") == []


# The runs


def test_results_are_of_one_budget_and_one_model() -> None:
    runs = shipped(ABLATION)
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
