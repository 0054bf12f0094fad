"""The reproduction report says nothing that is not in a recorded run or in the paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tagvis_lite.shipped import shipped
from tagvis_lite.study.ablation import READINGS, TABLE_3
from tagvis_lite.study.claims import ABLATION, CARD, TABLE_1, TABLE_2, read_tables
from tagvis_lite.study.report import BENCHMARKS, REPORT, figures, report


def test_the_document_is_what_the_runs_give() -> None:
    """A number that was typed in, or whose run has changed, makes a difference here."""
    assert REPORT.read_text(encoding="utf-8") == report(), "run python -m tagvis_lite.study.report"


def test_it_has_every_row_of_the_paper_and_of_the_readings() -> None:
    first, second, third, readings, composites, _ = read_tables(report())
    assert [line["method"] for line in first[:-2]] == [claim[0] for claim in TABLE_1]
    assert [line["method"] for line in second[:-2]] == [claim[0] for claim in TABLE_2]
    assert len(third) == len(TABLE_3)
    assert len(readings) == len(READINGS)
    assert [line["composites of"].split(" (")[0] for line in composites[:2]] == [
        "sequences seen",
        "sequences held out",
    ]


def test_decimals_in_its_prose_are_recorded_too() -> None:
    """Outside of the tables stand versions and means that come from the runs."""
    prose = re.sub(r"^\|.*$", "", report(), flags=re.MULTILINE)
    tables = "\n".join(line for line in report().splitlines() if line.startswith("|"))
    runs = [shipped(CARD), *shipped(ABLATION).glob("*.json")]
    recorded = tables + "\n".join(path.read_text(encoding="utf-8") for path in runs)
    speeds = json.loads((BENCHMARKS / "paper_size.json").read_text())["speed"]["rows"]
    rounded = {f"{row['frames_per_second']:.1f}" for row in speeds.values()}
    decimals = re.findall(r"\d+\.\d+", prose)
    assert [n for n in decimals if n not in recorded and n not in rounded] == []


def test_every_run_and_file_that_it_links_is_there() -> None:
    text = REPORT.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert {link for link in links if not (REPORT.parent / link).exists()} == set()
    linked = {Path(link).name for link in links if ABLATION in link}
    assert linked == {path.name for path in shipped(ABLATION).glob("*.json")}


def test_its_pictures_are_those_of_the_paper() -> None:
    text = REPORT.read_text(encoding="utf-8")
    drawn = figures(videos=2, columns=3)
    assert set(re.findall(r"\]\(images/([^)]+)\)", text)) == set(drawn)
    for figure in drawn.values():
        assert len(figure.axes) == 2 * 3
        assert all(axis.images for axis in figure.axes)
