"""Tables of scores: every number is there, in percent, and the Markdown is well-formed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.evaluation.average_precision import YoutubeVISScores
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.evaluation.tables import Cell, davis_tables, markdown_table, youtube_vis_tables


def cells(line: str) -> list[str]:
    """Cells of a row, as a Markdown reader parts them."""
    assert line.startswith("|")
    assert line.endswith("|")
    parts = re.split(r"(?<!\\)\|", line[1:-1])
    return [part.strip().replace("\\|", "|") for part in parts]


texts = st.text(st.characters(codec="ascii", exclude_characters="\\\n\r", min_codepoint=33))
numbers = st.floats(-1, 1) | st.integers(0, 300)


@given(rows=st.lists(st.tuples(texts, numbers, numbers), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_table_holds_every_cell_and_its_columns_line_up(
    rows: list[tuple[str, Cell, Cell]],
) -> None:
    table = markdown_table([dict(zip(("name", "J", "n"), row, strict=True)) for row in rows])
    lines = table.split("\n")
    assert len({len(line) for line in lines}) == 1
    assert cells(lines[0]) == ["name", "J", "n"]
    assert [cell[-1] for cell in cells(lines[1])] == ["-", ":", ":"]
    assert all(set(cell) <= set("-:") for cell in cells(lines[1]))
    for line, row in zip(lines[2:], rows, strict=True):
        for cell, value in zip(cells(line), row, strict=True):
            if isinstance(value, float):
                assert float(cell) == pytest.approx(100 * value, abs=0.0501)
                assert re.fullmatch(r"-?\d+\.\d", cell)
            else:
                assert cell == str(value)


def test_a_column_is_aligned_as_numbers_even_where_a_cell_holds_none() -> None:
    lines = markdown_table([{"AP": "-"}, {"AP": 0.5}]).split("\n")
    assert lines == ["|   AP |", "|-----:|", "|    - |", "| 50.0 |"]


def test_davis_tables_show_the_measures_of_every_object() -> None:
    truth = np.zeros((4, 12, 12), np.uint8)
    truth[:, 1:5, 1:5] = 1
    truth[:, 7:11, 7:11] = 2
    result = np.where(truth == 2, 1, 0).astype(np.uint8)  # object 2 alone, as proposal 1
    scores = evaluate_davis([("bear", truth, result)])
    protocol, objects, overall = davis_tables({"ours": scores}).split("\n\n")
    assert protocol.startswith("davis-2019-unsupervised: ")
    rows = [cells(line) for line in objects.split("\n")]
    assert rows[0] == ["Sequence", "Object", "Proposal", "J&F-Mean", "J-Mean", "F-Mean"]
    assert rows[2:] == [
        ["bear", "1", "0", "0.0", "0.0", "0.0"],
        ["bear", "2", "1", "100.0", "100.0", "100.0"],
    ]
    header, _, values = (cells(line) for line in overall.split("\n"))
    named = dict(zip(header, values, strict=True))
    assert named["J&F-Mean"] == named["J-Mean"] == named["F-Recall"] == "50.0"
    assert float(named["J-Decay"]) == 0
    assert len(named) == 7


def test_youtube_vis_table_shows_categories_with_objects_and_all() -> None:
    nothing = YoutubeVISScores(*[math.nan] * 9)
    fish = YoutubeVISScores(0.25, 0.5, 0.125, math.nan, 0.25, math.nan, 0.1, 0.2, 0.3)
    scores = YoutubeVISScores(
        *fish.values().values(),
        categories={1: "person", 2: "fish"},
        per_category={1: nothing, 2: fish},
    )
    protocol, table = youtube_vis_tables({"ours": scores}, "youtube-vis-2021").split("\n\n")
    assert protocol.startswith("youtube-vis-2021: ")
    header, _, *rows = (cells(line) for line in table.split("\n"))
    assert header[:4] == ["Category", "AP", "AP50", "AP75"]
    assert [row[0] for row in rows] == ["fish", "all"]
    for row in rows:
        assert row[1:] == ["25.0", "50.0", "12.5", "-", "25.0", "-", "10.0", "20.0", "30.0"]


def test_notes_say_where_the_official_tool_differs() -> None:
    truth = np.zeros((256, 4, 4), np.uint8)
    late, truth[:, 1, 1] = truth.copy(), 1
    late[1:] = 1
    pairs = [("long", truth, truth), ("short", truth[:255], truth[:255]), ("late", late, late)]
    *_, notes = davis_tables({"ours": evaluate_davis(pairs)}).split("\n\n")
    first, second = notes.splitlines()
    assert first.startswith("note: long, late: 256 frames or more")
    assert second.startswith("note: late: no object in the first frame")


def test_several_methods_stand_side_by_side() -> None:
    truth = np.zeros((4, 12, 12), np.uint8)
    truth[:, 1:5, 1:5] = 1
    good, bad = (evaluate_davis([("bear", truth, r)]) for r in (truth, 0 * truth))
    _, objects, overall = davis_tables({"good": good, "bad": bad}).split("\n\n")
    assert cells(objects.split("\n")[0]) == ["Sequence", "Object", "good", "bad"]
    assert cells(objects.split("\n")[2]) == ["bear", "1", "100.0", "0.0"]
    assert [cells(line)[:2] for line in overall.split("\n")[2:]] == [
        ["good", "100.0"],
        ["bad", "0.0"],
    ]
