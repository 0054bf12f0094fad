"""What a path holds is found out from what lies there, and what is missing is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tagvis_lite.data.files import write_video_file
from tagvis_lite.data.find import (
    read_training_data,
    read_videos,
    toy_training_data,
    youtube_vis_annotations,
)
from tagvis_lite.data.toy import CATEGORIES, ToyConfig, toy_split
from tagvis_lite.data.youtube_vis import write_youtube_vis

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"
DAVIS, YOUTUBE_VIS = SAMPLE / "davis", SAMPLE / "youtube-vis"


def names(split: str, number: int) -> list[str]:
    return [f"toy-{split}-{k:05d}" for k in range(number)]


def small_videos(number: int) -> list:
    return toy_split("train", number, ToyConfig(size=(16, 16), num_frames=2, max_instances=2))[:]


# ---------------------------------------------------------------- videos to predict


@pytest.mark.parametrize(("split", "number"), [("train", 6), ("validation", 2), ("test", 6)])
def test_a_split_of_either_layout(split: str, number: int) -> None:
    videos, video_ids = read_videos(DAVIS, split)
    assert [video.name for video in videos] == names(split, number)
    assert video_ids is None
    others, video_ids = read_videos(YOUTUBE_VIS, split)
    assert [video.name for video in others] == names(split, number)
    entries = json.loads((YOUTUBE_VIS / split / "instances.json").read_text())["videos"]
    assert video_ids == {e["file_names"][0].partition("/")[0]: e["id"] for e in entries}
    for video, other in zip(videos, others, strict=True):
        assert np.array_equal(video.read_frames([0]), other.read_frames([0]))


def test_the_layout_of_2019_has_its_json_beside_the_folder(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(2), CATEGORIES, "valid")
    (tmp_path / "valid" / "instances.json").rename(tmp_path / "valid.json")
    assert youtube_vis_annotations(tmp_path, "valid") == tmp_path / "valid.json"
    videos, video_ids = read_videos(tmp_path, "valid")
    assert [video.name for video in videos] == names("train", 2)
    assert video_ids == {"toy-train-00000": 1, "toy-train-00001": 2}


def test_a_folder_of_frames_whatever_the_split(tmp_path: Path) -> None:
    folder = tmp_path / "bear"
    shutil.copytree(DAVIS / "JPEGImages" / "480p" / "toy-test-00000", folder)
    (folder / "camera.json").write_text("{}")
    (video,), video_ids = read_videos(folder)
    assert (video.name, len(video), video_ids) == ("bear", 8, None)
    assert video.ids is None


def test_a_video_file(tmp_path: Path) -> None:
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    write_video_file(tmp_path / "walk.mp4", frames, fps=12.5)
    (video,), video_ids = read_videos(tmp_path / "walk.mp4")
    assert (video.name, len(video), video.fps, video_ids) == ("walk", 3, 12.5, None)


@pytest.mark.parametrize("root", [DAVIS, YOUTUBE_VIS], ids=["davis", "youtube-vis"])
def test_a_split_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="val") as caught:
        read_videos(root, "val")
    message = str(caught.value)
    assert str(root) in message
    assert all(split in message for split in ("train", "validation", "test"))
    assert "\n" not in message


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        read_videos(tmp_path / "missing")


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(FileNotFoundError, match="holds no image"):
        read_videos(tmp_path)


# ---------------------------------------------------------------- training data


def test_davis_trains_one_class_and_holds_validation_out() -> None:
    data = read_training_data(DAVIS)
    assert [video.name for video in data.train] == names("train", 6)
    assert [video.name for video in data.validation] == names("validation", 2)
    assert data.num_classes == 2


def test_the_official_name_of_the_validation_split_comes_first(tmp_path: Path) -> None:
    shutil.copytree(DAVIS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "ImageSets" / "2017" / "val.txt").write_text("toy-test-00003\n")
    data = read_training_data(tmp_path)
    assert [video.name for video in data.validation] == ["toy-test-00003"]


def test_davis_without_a_split_to_hold_out(tmp_path: Path) -> None:
    shutil.copytree(DAVIS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "ImageSets" / "2017" / "validation.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"validation\.txt"):
        read_training_data(tmp_path)


def test_youtube_vis_holds_every_tenth_training_video_out(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(21), CATEGORIES, "train")
    data = read_training_data(tmp_path)
    assert [video.name for video in data.validation] == [names("train", 21)[k] for k in (0, 10, 20)]
    both = [video.name for video in (*data.train, *data.validation)]
    assert sorted(both) == names("train", 21)
    assert data.num_classes == 5


def test_one_video_cannot_be_trained_on_and_held_out(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(1), CATEGORIES, "train")
    with pytest.raises(ValueError, match="training needs two") as caught:
        read_training_data(tmp_path)
    assert str(tmp_path / "train" / "instances.json") in str(caught.value)


def test_a_folder_of_neither_layout(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ImageSets.*instances\.json.*README") as caught:
        read_training_data(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="missing: no such folder"):
        read_training_data(tmp_path / "missing")


def test_toy_training_data() -> None:
    data = toy_training_data(num_train=3, num_validation=2, clip_frames=4)
    assert [video.name for video in data.train] == names("train", 3)
    assert [video.name for video in data.validation] == names("validation", 2)
    assert {len(video) for video in data.train} == {6}, "frames to drop"
    assert {len(video) for video in data.validation} == {4}
    assert data.num_classes == 5
    used = {category for video in data.train for category in video.categories.values()}
    assert used <= set(range(1, data.num_classes))
