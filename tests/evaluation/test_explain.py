"""Causes add up to what was lost, to rounding, and staged mistakes are called by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.data.rle import encode_ids
from tagvis_lite.data.youtube_vis_json import parse_annotations, parse_predictions
from tagvis_lite.evaluation.davis import DavisScores, sequence_scores
from tagvis_lite.evaluation.explain import (
    CAUSES,
    LostPoints,
    explain_davis,
    explain_youtube_vis,
    ranking_and_category,
    summaries,
)
from tagvis_lite.evaluation.outputs import Report, davis_tables_of, write_report
from tagvis_lite.evaluation.protocols import PROTOCOLS, UNSUPERVISED
from tagvis_lite.evaluation.youtube_vis import evaluate_parsed
from tagvis_lite.views.scores import precision_recall, worst_objects

SIZE = (60, 80)


def left_and_right(num_frames: int = 4) -> np.ndarray:
    ids = np.zeros((num_frames, *SIZE), np.uint8)
    ids[:, 10:50, 5:35] = 1
    ids[:, 10:50, 45:75] = 2
    return ids


def lost(truth: np.ndarray, result: np.ndarray) -> list[LostPoints]:
    scores = sequence_scores(truth, result, "fox", UNSUPERVISED)
    return explain_davis(scores, truth, result, UNSUPERVISED)


def main_cause(of_object: LostPoints) -> str:
    row = of_object.row()
    return max(CAUSES, key=lambda cause: float(row[cause]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(PROTOCOLS)))
def test_causes_add_up_to_the_points_lost(seed: int, name: str) -> None:
    rng, protocol = np.random.default_rng(seed), PROTOCOLS[name]
    coarse = rng.integers(0, 4, (2, 5, 6, 8), np.uint8)
    truth, result = coarse.repeat(7, 2).repeat(9, 3)
    truth[0, 0, :3], result[0, 1, :3] = (1, 2, 3), (1, 2, 3)
    truth[truth == 3] = rng.choice([3, 255])
    truth[0, 0, 2] = 3
    scores = sequence_scores(truth, result, "fox", protocol)
    for k, of_object in enumerate(explain_davis(scores, truth, result, protocol)):
        assert (of_object.causes >= 0).all()
        assert of_object.row()["Lost"] == pytest.approx(1 - scores.jf_mean[k], abs=1e-12)
    *_, overall = summaries(explain_davis(scores, truth, result, protocol))
    assert overall["Lost"] == pytest.approx(1 - DavisScores((scores,)).jf_mean, abs=1e-12)


def test_staged_mistakes_are_called_by_their_names() -> None:
    truth = left_and_right()
    missed = np.where(truth == 1, 1, 0).astype(np.uint8)
    assert [main_cause(x) for x in lost(truth, missed)][1] == "missed"
    assert lost(truth, missed)[0].row()["Lost"] == 0

    merged = (truth > 0).astype(np.uint8)
    first, _ = sorted(lost(truth, merged), key=lambda x: float(x.row()["Lost"]))
    assert main_cause(first) == "merged"

    split = truth.copy()
    split[:, 30:][split[:, 30:] == 1] = 3
    assert main_cause(lost(truth, split)[0]) == "split"

    switched = truth.copy()
    switched[3] = np.array([0, 2, 1], np.uint8)[truth[3]]
    assert [main_cause(x) for x in lost(truth, switched)] == ["identity switch"] * 2
    assert [x.worst_frame for x in lost(truth, switched)] == [3, 3]

    eroded = truth.copy()
    eroded[:, :20] = 0
    assert {main_cause(x) for x in lost(truth, eroded)} == {"boundary"}

    gone = truth.copy()
    gone[2:][truth[2:] == 2] = 0
    assert [main_cause(x) for x in lost(gone, truth)][1] == "false positive"


def test_pictures_of_the_worst_objects() -> None:
    truth = left_and_right()
    result = np.where(truth == 1, 1, 0).astype(np.uint8)
    grey = np.full((*SIZE, 3), 90, np.uint8)
    pictures = worst_objects(
        lost(truth, result), lambda *_: grey, lambda _, t: truth[t], lambda _, t: result[t]
    )
    first, second = pictures
    assert first.startswith("fox, object 2 lost 100.0 points (missed 100.0); frame 0")
    assert second.startswith("fox, object 1 lost 0.0 points")
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())


# ---------------------------------------------------------------- YouTube-VIS


def entries(ids: np.ndarray, categories: dict[int, int], **more: Any) -> list[dict[str, Any]]:
    rles = [encode_ids(frame) for frame in ids]
    return [
        {
            "video_id": 1,
            "category_id": categories[k],
            "segmentations": [rle.get(k) for rle in rles],
            **more,
        }
        for k in sorted({k for rle in rles for k in rle})
    ]


def annotated(truth: np.ndarray) -> dict[str, Any]:
    return {
        "videos": [{"id": 1, "height": SIZE[0], "width": SIZE[1], "length": len(truth)}],
        "categories": [{"id": 1, "name": "fox"}, {"id": 2, "name": "cow"}],
        "annotations": entries(truth, {1: 1, 2: 2}),
    }


def test_youtube_vis_points_and_what_ap_lost_to_ranking_and_category() -> None:
    truth = left_and_right()
    file = parse_annotations(annotated(truth), "truth")
    right = entries(truth, {1: 1, 2: 1}, score=0.4)  # the cow is called a fox
    wrong = entries(np.roll(truth, 25, axis=1), {1: 1, 2: 1}, score=0.9)
    found = parse_predictions([*right, *wrong], file, "results")
    fox, cow = explain_youtube_vis(file, found)
    assert fox.row()["Lost"] == 0
    assert (cow.row()["Category"], main_cause(cow)) == ("cow", "identity switch")
    by_category = {row["Of"]: row["Lost"] for row in summaries([fox, cow])}
    assert by_category == {"fox": 0, "cow": 1, "all": 0.5}
    gains = ranking_and_category(file, found)
    assert gains["AP"] == evaluate_parsed(file, found).AP
    assert gains["ranking"] > 0.1
    assert sum(gains.values()) == pytest.approx(1)


# ---------------------------------------------------------------- files


def report_of(result: np.ndarray) -> Report:
    truth = left_and_right()
    scores = DavisScores((sequence_scores(truth, result, "fox"),))
    tables = davis_tables_of({"ours": scores})
    return Report("davis-2019-unsupervised-val", "rules", tables, ["global"], {"a <b>": b"png"})


def test_files_carry_the_protocol_and_every_digit(tmp_path: Path) -> None:
    result = np.roll(left_and_right(), 3, axis=2)
    written, warnings = write_report(tmp_path / "new", report_of(result))
    assert warnings == []
    names = sorted(path.name.removeprefix("davis-2019-unsupervised-val") for path in written)
    tables = ["-frames.csv", "-global.csv", "-objects.csv", "-sequences.csv"]
    assert names == ["-1.png", *tables, ".html", ".json"]
    stem = tmp_path / "new" / "davis-2019-unsupervised-val"
    record = json.loads(Path(f"{stem}.json").read_text())
    scores = DavisScores((sequence_scores(left_and_right(), result, "fox"),))
    assert record["global"] == [{"Method": "ours", **scores.global_table()}]
    header, row = Path(f"{stem}-global.csv").read_text().splitlines()
    official = ["J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"]
    assert header.split(",") == ["Method", *official]
    assert [float(x) for x in row.split(",")[1:]] == list(scores.global_table().values())
    frames = Path(f"{stem}-frames.csv").read_text().splitlines()
    assert frames[0] == "Method,Sequence,Object,Frame,J,F"
    assert len(frames) == 1 + 2 * 4
    page = Path(f"{stem}.html").read_text()
    assert f"{100 * scores.jf_mean:.1f}" in page
    assert "a &lt;b&gt;" in page


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "davis-2019-unsupervised-val.json").mkdir()
    (tmp_path / "davis-2019-unsupervised-val.json" / "x").touch()
    written, warnings = write_report(tmp_path, report_of(left_and_right()))
    assert len(written) == 6
    (warning,) = warnings
    assert "davis-2019-unsupervised-val.json was not written" in warning


def test_curves_are_those_that_ap_is_the_mean_of() -> None:
    file = parse_annotations(annotated(left_and_right()), "truth")
    shifted = entries(np.roll(left_and_right(), 4, axis=2), {1: 1, 2: 2}, score=0.5)
    scores = evaluate_parsed(file, parse_predictions(shifted, file, "results"))
    curves = dict(scores.curves())
    assert list(curves) == ["fox", "cow", "all"]
    assert curves["all"].mean() == pytest.approx(scores.AP)
    (axis,) = precision_recall({"ours": scores}).axes
    assert [line.get_label() for line in axis.lines] == ["ours, IoU 0.50", "ours, IoU 0.75"]
    np.testing.assert_array_equal(axis.lines[1].get_ydata(), curves["all"][5])
