"""The YouTube-VIS layout: exact masks both ways, and errors that name the entry."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from run_lengths import runs_of

from tagvis_lite.__main__ import main
from tagvis_lite.data.find import find_training_data, find_videos
from tagvis_lite.data.images import write_jpeg
from tagvis_lite.data.rle import decode_mask
from tagvis_lite.data.youtube_vis import read_youtube_vis, write_youtube_vis
from tagvis_lite.data.youtube_vis_json import read_annotations
from tagvis_lite.evaluation.youtube_vis import evaluate_parsed
from tagvis_lite.evaluation.youtube_vis_submission import (
    check_results,
    read_predictions,
    track_results,
    write_results,
)
from tagvis_lite.video import Tracks, Video

moderate = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HEIGHT, WIDTH = 6, 9
CATEGORIES = {3: "cat", 7: "dog"}


def rle(mask: np.ndarray) -> dict[str, Any]:
    """An uncompressed RLE, made without pycocotools."""
    return {"size": list(mask.shape), "counts": runs_of(mask)}


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def example() -> dict[str, Any]:
    """Two videos of two frames; in the first a cat, present in frame 0, and a dog, in both."""
    video = {"width": WIDTH, "height": HEIGHT, "length": 2}
    cat, dog = rle(box(1, 1, 5, 6)), rle(box(2, 2, 4, 9))
    return {
        "info": {},
        "videos": [
            {"id": 11, "file_names": ["aa/00000.jpg", "aa/00005.jpg"], **video},
            {"id": 4, "file_names": ["bb/00000.jpg", "bb/00005.jpg"], **video},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {
                "id": 1,
                "video_id": 11,
                "category_id": 3,
                "iscrowd": 0,
                "segmentations": [cat, None],
            },
            {"id": 2, "video_id": 11, "category_id": 7, "iscrowd": 0, "segmentations": [dog, dog]},
        ],
    }


def saved(folder: Path, data: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(data))
    return path


# ---------------------------------------------------------------- reading


def test_instances_are_numbered_in_order_and_the_smaller_is_on_top(tmp_path: Path) -> None:
    dataset = read_youtube_vis(saved(tmp_path, example()))
    assert dataset.categories == CATEGORIES
    assert dataset.video_ids == {"aa": 11, "bb": 4}
    first, second = dataset.videos
    assert (first.name, second.name) == ("aa", "bb")
    assert list(first.frame_names) == ["00000", "00005"]
    assert first.categories == {1: 3, 2: 7}
    cat, dog = box(1, 1, 5, 6), box(2, 2, 4, 9)
    assert dog.sum() < cat.sum()
    assert np.array_equal(first.read_ids([0])[0], np.where(dog, 2, np.where(cat, 1, 0)))
    assert np.array_equal(first.read_ids([1])[0], np.where(dog, 2, 0))
    assert second.categories == {}
    assert not second.read_ids([0, 1]).any()


def test_crowds_are_void_below_the_instances(tmp_path: Path) -> None:
    data = example()
    data["annotations"][1]["iscrowd"] = 1
    video = read_youtube_vis(saved(tmp_path, data)).videos[0]
    cat, crowd = box(1, 1, 5, 6), box(2, 2, 4, 9)
    assert video.categories == {1: 3}
    assert np.array_equal(video.read_ids([0])[0], np.where(cat, 1, np.where(crowd, 255, 0)))


def test_empty_segmentations_and_polygons_are_read(tmp_path: Path) -> None:
    data = example()
    data["annotations"][0]["segmentations"] = [[[2, 1, 6, 1, 6, 4, 2, 4]], []]
    data["annotations"][1]["segmentations"] = [{}, None]
    video = read_youtube_vis(saved(tmp_path, data)).videos[0]
    assert np.array_equal(video.read_ids([0])[0], box(1, 2, 4, 6))
    assert not video.read_ids([1]).any()


@pytest.mark.parametrize("value", [None, "left out"])
def test_a_file_without_annotations_has_no_ids(tmp_path: Path, value: str | None) -> None:
    data = example()
    data["annotations"] = None
    if value:
        del data["annotations"]
    assert [v.ids for v in read_youtube_vis(saved(tmp_path, data)).videos] == [None, None]


@pytest.mark.parametrize("folder", ["JPEGImages", "."])
def test_frames_are_found(tmp_path: Path, folder: str) -> None:
    path = saved(tmp_path, example())
    for name in ("aa/00000", "aa/00005", "bb/00000"):
        frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
        write_jpeg(tmp_path / folder / f"{name}.jpg", frame)
    write_jpeg(tmp_path / folder / "bb/00005.jpg", np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    first, second = read_youtube_vis(path, tmp_path).videos
    assert abs(first.read_frames([0, 1]).astype(int) - 100).max() <= 2
    with pytest.raises(ValueError, match=r"bb.00005\.jpg is 9 x 6 .*6 x 9"):
        second.read_frames([1])
    copied = pickle.loads(pickle.dumps(first))
    assert np.array_equal(copied.read_ids([0, 1]), first.read_ids([0, 1]))


def test_frames_may_be_missing_until_they_are_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path, example())
    video = read_youtube_vis(path).videos[0]
    assert len(video) == 2
    with pytest.raises(ValueError, match=r"instances\.json .*frames_root"):
        _ = video.frames[0]
    with pytest.raises(FileNotFoundError, match=r"aa.00000\.jpg: no such frame"):
        read_youtube_vis(path, tmp_path)
    with pytest.raises(NotADirectoryError, match="nowhere"):
        read_youtube_vis(path, tmp_path / "nowhere")


# ---------------------------------------------------------------- errors


def put(value: Any, *place: str | int) -> Callable[[dict[str, Any]], None]:
    """Set the entry at `place`, as in put(3, "videos", 0, "id")."""

    def change(data: dict[str, Any]) -> None:
        target: Any = data
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = value

    return change


def drop(*place: str | int) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        target: Any = data
        for key in place[:-1]:
            target = target[key]
        del target[place[-1]]

    return change


FIRST = ("annotations", 0)
MASK = (*FIRST, "segmentations", 0)
VIDEO = ("videos", 0)
MALFORMED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no videos": (drop("videos"), "has no 'videos'"),
    "videos is empty": (put([], "videos"), "has no videos"),
    "videos is a dict": (put({}, "videos"), "'videos' is {}, expected list"),
    "a video is a number": (put(3, *VIDEO), r"videos\[0\] is a json int"),
    "no video id": (drop(*VIDEO, "id"), r"videos\[0\] has no 'id'"),
    "video id is text": (put("11", *VIDEO, "id"), r"videos\[0\]: 'id' is '11'"),
    "video id is true": (put(True, *VIDEO, "id"), r"videos\[0\]: 'id' is True"),
    "one id twice": (put(4, *VIDEO, "id"), r"videos\[1\]: id 4"),
    "no height": (drop(*VIDEO, "height"), r"videos\[0\] has no 'height'"),
    "no width": (put(0, *VIDEO, "width"), r"videos\[0\]: height x width is 6 x 0"),
    "huge": (put(10**9, *VIDEO, "width"), r"videos\[0\]: height x width"),
    "no length at all": (put({"id": 9, "width": 1, "height": 1}, *VIDEO), "0 file_names for 'le"),
    "wrong length": (put(3, *VIDEO, "length"), r"videos\[0\]: 2 file_names for 'length' 3"),
    "name is a number": (put(3, *VIDEO, "file_names", 0), r"videos\[0\]: file name 3"),
    "path upwards": (put("../a.jpg", *VIDEO, "file_names", 1), r"videos\[0\]: file name '\.\./a"),
    "absolute path": (put("/a.jpg", *VIDEO, "file_names", 1), r"videos\[0\]: file name '/a\.jpg'"),
    "a drive": (put("C:\\a.jpg", *VIDEO, "file_names", 1), r"videos\[0\]: file name 'C:"),
    "a name with a zero": (put("a\0/1.jpg", *VIDEO, "file_names", 0), r"file name 'a\\x00/1"),
    "a name of no text": (put("\udcff/1.jpg", *VIDEO, "file_names", 0), r"file name '\\udcff/1"),
    "a name too long": (put("a" * 300, *VIDEO, "file_names", 0), r"videos\[0\]: file name 'aaa"),
    "one folder twice": (put("bb/1.jpg", *VIDEO, "file_names", 0), "two have the folder 'bb'"),
    "categories is empty": (put([], "categories"), "has no categories"),
    "one category twice": (put(7, "categories", 0, "id"), r"categories\[1\]: id 7"),
    "annotations is a dict": (put({}, "annotations"), "'annotations' is {}, expected list"),
    "no video": (drop(*FIRST, "video_id"), r"annotations\[0\] has no video_id"),
    "unknown video": (put(12, *FIRST, "video_id"), r"annotations\[0\]: video_id 12"),
    "no category": (drop(*FIRST, "category_id"), r"annotations\[0\] has no category_id"),
    "unknown category": (put(5, *FIRST, "category_id"), r"annotations\[0\]: category_id 5"),
    "strange crowd": (put("no", *FIRST, "iscrowd"), r"annotations\[0\]: 'iscrowd' is 'no'"),
    "no masks": (drop(*FIRST, "segmentations"), r"annotations\[0\] has no segmentations"),
    "one mask less": (drop(*MASK), r"annotations\[0\]: 1 segmentations, .*video 11 has 2"),
    "mask is text": (put("mask", *MASK), r"annotations\[0\], segmentation 0 is 'mask'"),
    "mask without counts": (drop(*MASK, "counts"), r"annotations\[0\], segmentation 0 is {'size'"),
    "mask of other size": (put([9, 6], *MASK, "size"), r"segmentation 0 has size \[9, 6\]"),
    "size is a number": (put(54, *MASK, "size"), r"segmentation 0 has size 54"),
    "counts is a number": (put(54, *MASK, "counts"), r"segmentation 0: 'counts'"),
}


def scored(path: Path) -> object:
    results = path.with_name("results.json")
    results.write_text("[]")
    file = read_annotations(path)
    return evaluate_parsed(file, read_predictions(results, file))


READERS: dict[str, Callable[[Path], object]] = {
    "train and predict": read_youtube_vis,
    "evaluate": scored,
    "check-submission": lambda path: check_results(path, path.with_name("results.json")),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_one_clear_error_whoever_reads_them(tmp_path: Path, case: str) -> None:
    change, message = MALFORMED[case]
    data = example()
    change(data)
    path = saved(tmp_path, data)
    answers = set()
    for read in READERS.values():
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        answers.add(str(caught.value))
    (answer,) = answers
    assert answer.startswith(str(tmp_path / "instances.json"))
    assert "\n" not in answer


def renumbered(ids: dict[int, int]) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        for category in data["categories"]:
            category["id"] = ids[category["id"]]
        for annotation in data["annotations"]:
            annotation["category_id"] = ids[annotation["category_id"]]

    return change


def drop_categories(data: dict[str, Any]) -> None:
    for entry in (data, *data["annotations"]):
        entry.pop("categories", entry.pop("category_id", None))


ODD: dict[str, tuple[Callable[[dict[str, Any]], None], dict[int, str], dict[int, int]]] = {
    "category without a name": (drop("categories", 1, "name"), {3: "cat", 7: "7"}, {3: 3, 7: 7}),
    "ids from 0": (renumbered({3: 0, 7: 1}), {1: "cat", 2: "dog"}, {1: 0, 2: 1}),
    "ids above 254": (renumbered({3: 1000, 7: 999}), {1: "dog", 2: "cat"}, {1: 999, 2: 1000}),
    "no iscrowd": (drop(*FIRST, "iscrowd"), CATEGORIES, {3: 3, 7: 7}),
    "no id": (drop(*FIRST, "id"), CATEGORIES, {3: 3, 7: 7}),
    "no file_names": (drop(*VIDEO, "file_names"), CATEGORIES, {3: 3, 7: 7}),
    "no length": (drop(*VIDEO, "length"), CATEGORIES, {3: 3, 7: 7}),
    "no categories": (drop_categories, {1: "object"}, {1: 1}),
    "backslashes": (put("aa\\00005.jpg", *VIDEO, "file_names", 1), CATEGORIES, {3: 3, 7: 7}),
    "a dot in front": (put("./aa/00000.jpg", *VIDEO, "file_names", 0), CATEGORIES, {3: 3, 7: 7}),
    "nested": (put("x/aa/00000.jpg", *VIDEO, "file_names", 0), CATEGORIES, {3: 3, 7: 7}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_files_are_taken_by_all_and_score_one_against_themselves(
    tmp_path: Path, case: str
) -> None:
    change, categories, category_ids = ODD[case]
    data = example()
    change(data)
    path = saved(tmp_path, data)
    dataset = read_youtube_vis(path)
    assert dataset.categories == categories
    assert dataset.category_ids == category_ids
    video = dataset.videos[0]
    assert list(video.categories.values()) == [
        {number: k for k, number in category_ids.items()}[a.get("category_id", 1)]
        for a in data["annotations"]
    ]
    results = tmp_path / "results.json"
    ids = video.read_ids([0, 1])
    tracks = Tracks("aa", ids, video.categories, dict.fromkeys(video.categories, 1.0))
    write_results(results, track_results(tracks, 11, category_ids))
    (missing,) = check_results(path, results)
    assert "predicts nothing in 1 of 2 videos" in missing.message
    file = read_annotations(path)
    scores = evaluate_parsed(file, read_predictions(results, file))
    assert pytest.approx(1) == scores.AP50
    assert len(scores.per_category) == len(categories)


def test_nested_folders_of_one_name_are_two_videos(tmp_path: Path) -> None:
    data = example()
    for k, video in enumerate(data["videos"]):
        video["file_names"] = [f"clip{k}/img/{t}.jpg" for t in range(2)]
    videos = read_youtube_vis(saved(tmp_path, data)).videos
    assert [video.name for video in videos] == ["clip0_img", "clip1_img"]


def test_runs_are_checked_when_they_are_decoded(tmp_path: Path) -> None:
    data = example()
    data["annotations"][1]["segmentations"][1] = {"size": [HEIGHT, WIDTH], "counts": "52203"}
    video = read_youtube_vis(saved(tmp_path, data)).videos[0]
    assert video.read_ids([0]).any()
    with pytest.raises(
        ValueError, match=r"instances\.json, annotations\[1\], segmentation 1 does not fill 6 x 9"
    ):
        video.read_ids([1])


def test_more_than_254_instances_are_refused(tmp_path: Path) -> None:
    data = example()
    data["annotations"] = [copy.deepcopy(data["annotations"][0]) for _ in range(254)]
    assert len(read_youtube_vis(saved(tmp_path, data)).videos[0].categories) == 254
    data["annotations"].append(data["annotations"][0])
    with pytest.raises(ValueError, match=r"annotations\[254\]: .*more than 254"):
        read_youtube_vis(saved(tmp_path, data))


def test_what_is_no_annotation_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    with pytest.raises(FileNotFoundError, match=r"instances\.json"):
        read_youtube_vis(path)
    whole = json.dumps(example()).encode()
    for content in (b"", whole[:-10], b"\xff\xfe\x00", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"instances\.json is not valid json"):
            read_youtube_vis(path)
    for data, message in (([], "results"), (3, "json int"), ({}, "has no 'videos'")):
        with pytest.raises(ValueError, match=message):
            read_youtube_vis(saved(tmp_path, data))


# ---------------------------------------------------------------- writing


def some_video(name: str, number: int, seed: int) -> Video:
    """Grey frames; instances 2, 5 and 9, of which 9 is never seen, and some void pixels."""
    rng = np.random.default_rng(seed)
    frames = np.stack([np.full((HEIGHT, WIDTH, 3), 20 * t, np.uint8) for t in range(number)])
    ids = rng.choice(np.array([0, 0, 2, 5, 255], np.uint8), (number, HEIGHT, WIDTH))
    ids[rng.random(number) < 0.3] = 0
    return Video(name, frames, ids, {2: 7, 5: 3, 9: 3})


@moderate
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3), seed=st.integers(0, 1000))
def test_round_trip(tmp_path: Path, lengths: list[int], seed: int) -> None:
    shutil.rmtree(tmp_path / "train", ignore_errors=True)
    videos = [some_video(f"v{k}", number, seed + k) for k, number in enumerate(lengths)]
    write_youtube_vis(tmp_path, iter(videos), CATEGORIES, "train")
    dataset = read_youtube_vis(tmp_path / "train" / "instances.json", tmp_path / "train")
    assert dataset.categories == CATEGORIES
    assert sorted(dataset.video_ids.values()) == list(range(1, len(videos) + 1))
    for written, video in zip(videos, dataset.videos, strict=True):
        everything = range(len(written))
        assert video.name == written.name
        assert list(video.frame_names) == list(written.frame_names)
        ids = written.read_ids(everything)
        present = [i for i in (2, 5) if (ids == i).any()]
        expected = sum(k * (ids == i) for k, i in enumerate(present, start=1)) + 0 * ids
        assert np.array_equal(video.read_ids(everything), expected)
        assert video.categories == {k: written.categories[i] for k, i in enumerate(present, 1)}
        frames = video.read_frames(everything).astype(int)
        assert abs(frames - written.read_frames(everything)).max() <= 2
    assert not list(tmp_path.rglob(".*"))


def test_json_is_what_the_format_says(tmp_path: Path) -> None:
    ids = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    ids[0, 1:3, 2:6] = 4
    ids[2, 5, 8] = 4
    video = Video("a", np.zeros((3, HEIGHT, WIDTH, 3), np.uint8), ids, {4: 7}, ["0", "5", "10"])
    write_youtube_vis(tmp_path, [video], CATEGORIES, "val")
    data = json.loads((tmp_path / "val" / "instances.json").read_text())
    assert set(data) == {"info", "videos", "categories", "annotations"}
    (entry,), (annotation,) = data["videos"], data["annotations"]
    assert entry["file_names"] == ["a/0.jpg", "a/5.jpg", "a/10.jpg"]
    assert (entry["id"], entry["width"], entry["height"], entry["length"]) == (1, WIDTH, HEIGHT, 3)
    assert all((tmp_path / "val" / "JPEGImages" / name).is_file() for name in entry["file_names"])
    assert {c["id"]: c["name"] for c in data["categories"]} == CATEGORIES
    assert (annotation["id"], annotation["video_id"], annotation["category_id"]) == (1, 1, 7)
    assert annotation["iscrowd"] == 0
    assert annotation["areas"] == [8, None, 1]
    assert annotation["bboxes"] == [[2, 1, 4, 2], None, [8, 5, 1, 1]]
    first, absent, last = annotation["segmentations"]
    assert absent is None
    assert np.array_equal(coco_mask.decode(first), ids[0] == 4)
    assert np.array_equal(coco_mask.decode(last), ids[2] == 4)


def test_held_out_videos_are_those_that_training_leaves_out(tmp_path: Path) -> None:
    videos = [some_video(f"v{k}", 2, k) for k in range(12)]
    write_youtube_vis(tmp_path, videos, CATEGORIES, "train")
    main(["data", "split", str(tmp_path)])
    found, dataset = find_videos(tmp_path, "train-held-out")
    trained = {video.name for video in find_training_data(tmp_path).train}
    assert {video.name for video in found} == {v.name for v in videos} - trained == {"v0", "v10"}
    assert dataset is not None
    assert dataset.video_ids == {"v0": 1, "v10": 11}
    whole = read_youtube_vis(tmp_path / "train" / "instances.json", tmp_path / "train").videos
    for video in found:
        (same,) = [v for v in whole if v.name == video.name]
        assert np.array_equal(video.read_ids([0, 1]), same.read_ids([0, 1]))
        assert np.array_equal(video.read_frames([0]), same.read_frames([0]))
    (tmp_path / "train" / "instances.json").unlink()
    with pytest.raises(SystemExit):
        main(["data", "split", str(tmp_path)])


def test_a_killed_run_leaves_no_split(tmp_path: Path) -> None:
    def killed() -> Iterator[Video]:
        yield some_video("a", 2, 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_youtube_vis(tmp_path, killed(), CATEGORIES, "train")
    assert not list(tmp_path.rglob("*.json"))
    with pytest.raises(FileExistsError, match="a already exists"):
        write_youtube_vis(tmp_path, [some_video("a", 2, 0)], CATEGORIES, "train")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, [some_video("a", 2, 0)], CATEGORIES, "train")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(FileExistsError, match=r"instances\.json already exists"):
        write_youtube_vis(tmp_path, [some_video("b", 2, 0)], CATEGORIES, "train")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_what_is_not_fit_for_a_split_is_refused(tmp_path: Path) -> None:
    ids = np.full((2, HEIGHT, WIDTH), 2, np.uint8)
    good = Video("a", np.zeros((2, HEIGHT, WIDTH, 3), np.uint8), ids, {2: 7})
    cases: list[tuple[list[Video], dict[int, str], str, str]] = [
        ([], CATEGORIES, "s0", "no videos"),
        ([good], CATEGORIES, "../s1", "cannot be the name"),
        ([Video("../a", good.frames, good.ids)], CATEGORIES, "s2", "cannot be the name"),
        ([Video("a", good.frames)], CATEGORIES, "s3", "no label maps"),
        ([good], {3: "cat"}, "s4", "category 7, expected one of"),
        ([Video("a", good.frames, good.ids)], CATEGORIES, "s5", "category None"),
    ]
    for videos, categories, split, message in cases:
        with pytest.raises(ValueError, match=message):
            write_youtube_vis(tmp_path, videos, categories, split)
    assert not list(tmp_path.rglob("*.json"))


# ---------------------------------------------------------------- real data


def test_real_files_of_another_layout_are_told_apart() -> None:
    """The sample is a CocoVID file and a result of a toolbox, not the official layout."""
    root = os.environ.get("TAGVIS_REAL_DATA")
    if not root:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    folder = Path(root) / "youtube-vis"
    with pytest.raises(ValueError, match=r"_ann\.json is a CocoVID file .*'file_names'"):
        read_youtube_vis(folder / "mmtracking_demo_vis_ann.json")
    with pytest.raises(ValueError, match=r"_results\.json has no 'videos'"):
        read_youtube_vis(folder / "mmtracking_demo_vis_results.json")
    sample = json.loads((folder / "mmtracking_demo_vis_ann.json").read_text())
    annotation = sample["annotations"][0]
    mask = decode_mask(annotation["segmentation"], (720, 1280), "sample", 0)
    assert mask.sum() == annotation["area"]
    rows, columns = np.nonzero(mask)
    left, top, width, height = annotation["bbox"]
    assert (columns.min(), rows.min()) == (left, top)
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (width, height)
