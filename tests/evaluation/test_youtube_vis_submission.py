"""The check finds what a server would refuse: all of it, entry by entry, and nothing else."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tagvis_lite.evaluation import youtube_vis_submission
from tagvis_lite.evaluation.youtube_vis_submission import (
    check_results,
    read_results,
    track_results,
    write_results,
)
from tagvis_lite.video import Tracks

VIDEO_IDS = {"cows": 5, "fox": 2}
CATEGORIES = [{"id": 3, "name": "fox"}, {"id": 40, "name": "cow"}]


def found(annotations: Path, results: Path) -> list[str]:
    return [str(finding) for finding in check_results(annotations, results)]


def tracks_of(name: str, length: int = 2) -> Tracks:
    ids = np.zeros((length, 4, 6), np.uint8)
    ids[:, :2] = 7
    ids[0, 3, 4:] = 2
    return Tracks(name, ids, {7: 40, 2: 3, 9: 3}, {7: 0.75, 2: 0.5, 9: 1.0})


ENTRIES = [
    entry for name, key in VIDEO_IDS.items() for entry in track_results(tracks_of(name), key)
]


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """The public part of an annotation file: no annotations."""
    path = tmp_path / "instances.json"
    videos = [
        {"id": video_id, "height": 4, "width": 6, "length": 2, "file_names": ["a", "b"]}
        for video_id in VIDEO_IDS.values()
    ]
    path.write_text(json.dumps({"videos": videos, "categories": CATEGORIES}))
    return path


@pytest.fixture(params=["results.json", "submission.zip"])
def submission(request: Any, tmp_path: Path) -> Path:
    path = tmp_path / "out" / request.param
    write_results(path, ENTRIES)
    return path


def test_what_is_written_has_no_problem_and_reads_back(annotations: Path, submission: Path) -> None:
    assert found(annotations, submission) == []
    entries = read_results(submission)
    assert [(e["video_id"], e["category_id"], e["score"]) for e in entries] == [
        (5, 3, 0.5),
        (5, 40, 0.75),
        (2, 3, 0.5),
        (2, 40, 0.75),
    ]
    ids = tracks_of("cows").ids
    assert (coco_mask.decode(entries[0]["segmentations"][0]) == (ids[0] == 2)).all()
    assert entries[0]["segmentations"][1] is None
    assert all(isinstance(e["segmentations"][0]["counts"], str) for e in entries)


def test_zip_holds_results_json_at_its_root_and_is_reproducible(tmp_path: Path) -> None:
    paths = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for path in paths:
        write_results(path, ENTRIES)
    assert zipfile.ZipFile(paths[0]).namelist() == ["results.json"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_entries_are_taken_one_at_a_time_and_a_failed_write_leaves_the_old_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")

    def failing() -> Iterator[dict[str, Any]]:
        yield ENTRIES[0]
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        write_results(path, failing())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]  # noqa: PTH208


def test_no_tracks_are_an_empty_list(annotations: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [])
    assert read_results(path) == []
    assert found(annotations, path) == [
        f"{path}: is an empty list, on which the server's scorer fails"
    ]


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        (
            Tracks("fox", np.full((1, 2, 2), 255, np.uint8), {255: 3}, {255: 1.0}),
            "'fox' have id 255: void is never predicted",
        ),
        (
            Tracks("fox", np.ones((1, 2, 2), np.uint8), {1: 3}, {1: float("inf")}),
            r"'fox': scores of ids \[1\] are not finite",
        ),
    ],
)
def test_tracks_that_cannot_be_submitted(tracks: Tracks, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        track_results(tracks, 1)


def test_categories_carry_the_ids_of_the_annotation_file() -> None:
    entries = track_results(tracks_of("cows"), 0, {40: 0, 3: 1000})
    assert [entry["category_id"] for entry in entries] == [1000, 0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=3))
def test_masks_of_entries_are_the_label_map(cells: list[list[int]]) -> None:
    ids = np.array(cells, np.uint8).reshape(-1, 2, 3)
    tracks = Tracks("a", ids, {1: 1, 2: 2, 3: 3}, {1: 0.1, 2: 0.2, 3: 0.3})
    painted = np.zeros_like(ids)
    for entry in track_results(tracks, 1):
        assert entry["score"] == pytest.approx(entry["category_id"] / 10)
        for t, mask in enumerate(entry["segmentations"]):
            if mask is not None:
                painted[t] += entry["category_id"] * coco_mask.decode(mask)
    assert (painted == ids).all()


# ---------------------------------------------------------------- checking


def mask(height: int = 4, width: int = 6) -> dict[str, Any]:
    rle = coco_mask.encode(np.ones((height, width), np.uint8, order="F"))
    return {"size": [height, width], "counts": rle["counts"].decode()}


def prediction(**change: Any) -> dict[str, Any]:
    return {
        "video_id": 5,
        "category_id": 3,
        "score": 0.5,
        "segmentations": [mask(), None],
    } | change


def test_all_problems_at_once(annotations: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    wrong = [
        prediction(),
        prediction(category_id=41, score=None),
        prediction(video_id=77),
        prediction(segmentations=[mask()]),
        prediction(segmentations=[None, mask(6, 4)]),
        prediction(segmentations=[None, {"size": [4, 6], "counts": [24]}]),
        prediction(segmentations=[[[0, 0, 4, 0, 4, 4]], None]),
        prediction(segmentations=[None, {"size": [4, 6], "counts": "0`0`0"}]),
        "prediction",
        {"video_id": 5},
        prediction(video_id=[5]),
    ]
    path.write_text(json.dumps(wrong))
    problems = found(annotations, path)
    expected = [
        "prediction 1: category_id 41 is not among the annotation file's 2: 3 to 40",
        "prediction 1: score None is no finite number",
        "prediction 2: video_id 77 is not among",
        "prediction 3: 1 segmentations, but video 5 has 2 frames",
        "prediction 4: segmentation 1 has size [6, 4], its video [4, 6]",
        "prediction 5: segmentation 1 is no compressed RLE",
        "prediction 6: segmentation 0 is no compressed RLE",
        "prediction 7: segmentation 1 does not fill 4 x 6 pixels",
        "prediction 8: is 'prediction', expected an object",
        "prediction 9: has no category_id, segmentations, score",
        "prediction 10: video_id [5] is not among",
        "results.json: predicts nothing in 1 of 2 videos: ids 2",
    ]
    for problem, part in zip(problems, expected, strict=True):
        assert part in problem
        assert problem.startswith(str(path))


def test_a_track_without_any_mask_is_allowed(annotations: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([prediction(segmentations=[None, None]), prediction(video_id=2)]))
    assert found(annotations, path) == []


def zip_of(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


GOOD = json.dumps([prediction(), prediction(video_id=2)])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "must hold one results.json at its root, but it holds []"),
        ({"out/results.json": GOOD}, "holds results.json deeper than at its root"),
        ({"a/results.json": GOOD, "results.json": GOOD}, "one results.json at its root, but"),
        ({"result.json": GOOD}, "at its root, but it holds ['result.json']"),
        (
            {"results.json": GOOD, "__MACOSX/._results.json": "x"},
            "holds 1 other entries, such as '__MACOSX/._results.json'",
        ),
        ({"results.json": "[" * 100_000}, "is not valid json"),
        ({"results.json": "[1,"}, "is not valid json"),
        ({"results.json": "{}"}, "is a json dict, expected a list of predictions"),
    ],
)
def test_zips_of_the_wrong_layout(
    annotations: Path, tmp_path: Path, members: dict[str, str], message: str
) -> None:
    path = zip_of(tmp_path / "submission.zip", members)
    (problem,) = found(annotations, path)
    assert message in problem
    assert problem.startswith(str(path))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["instances.json", path.name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_results_in_a_zip_are_refused(annotations: Path, tmp_path: Path) -> None:
    path = tmp_path / "submission.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", GOOD)
        archive.writestr("results.json", "[]")
    (problem,) = found(annotations, path)
    assert "must hold one results.json" in problem


def test_a_zip_bomb_is_not_unpacked(
    annotations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(youtube_vis_submission, "MAX_BYTES", 10_000)
    path = zip_of(tmp_path / "submission.zip", {"results.json": " " * 20_000})
    (problem,) = found(annotations, path)
    assert "holds 20000 bytes of json, more than 10000" in problem
    (tmp_path / "results.json").write_text(" " * 20_000)
    (problem,) = found(annotations, tmp_path / "results.json")
    assert "more than 10000" in problem


def damaged(content: bytes) -> dict[str, bytes]:
    middle = content.index(b"results.json") + 20
    flags = content.rindex(b"PK\x01\x02") + 8
    local = content.index(b"PK\x03\x04") + 6
    encrypted = bytearray(content)
    encrypted[flags] |= 1
    encrypted[local] |= 1
    method = bytearray(content)
    method[flags + 2] = method[local + 2] = 99
    return {
        "no zip": b"[]",
        "empty": b"",
        "cut off": content[:-10],
        "other bytes": content[:middle] + bytes(8) + content[middle + 8 :],
        "encrypted": bytes(encrypted),
        "unknown compression": bytes(method),
    }


@pytest.mark.parametrize(
    "kind", ["no zip", "empty", "cut off", "other bytes", "encrypted", "unknown compression"]
)
def test_damaged_zips(annotations: Path, tmp_path: Path, kind: str) -> None:
    path = zip_of(tmp_path / "submission.zip", {"results.json": GOOD})
    path.write_bytes(damaged(path.read_bytes())[kind])
    (problem,) = found(annotations, path)
    assert problem.startswith(f"{path}: ")


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_changed_byte_is_a_problem_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    path = zip_of(folder / "submission.zip", {"results.json": GOOD})
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    try:
        read = read_results(path)
    except ValueError:
        return
    assert read == json.loads(GOOD)


def test_missing_files(annotations: Path, tmp_path: Path) -> None:
    missing = tmp_path / "results.json"
    assert found(annotations, missing) == [f"{missing}: no such file"]
    with pytest.raises(FileNotFoundError, match="no such annotation file"):
        found(tmp_path / "none.json", missing)
    annotations.write_text("[]")
    with pytest.raises(ValueError, match=r"instances\.json is a json list, as of results"):
        found(annotations, missing)
