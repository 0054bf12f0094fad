"""What a path holds is found out from what lies there, and what is missing is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tagvis_lite.data.find import (
    find_training_data,
    find_videos,
    held_out_split,
    toy_training_data,
    youtube_vis_splits,
)
from tagvis_lite.data.toy import CATEGORIES, ToyConfig, toy_split
from tagvis_lite.data.video_file import write_video_file
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
    videos, nothing = find_videos(DAVIS, split)
    assert [video.name for video in videos] == names(split, number)
    assert nothing is None
    others, dataset = find_videos(YOUTUBE_VIS, split)
    assert [video.name for video in others] == names(split, number)
    entries = json.loads((YOUTUBE_VIS / split / "instances.json").read_text())["videos"]
    assert dataset is not None
    assert dataset.video_ids == {e["file_names"][0].partition("/")[0]: e["id"] for e in entries}
    for video, other in zip(videos, others, strict=True):
        assert np.array_equal(video.read_frames([0]), other.read_frames([0]))


def test_the_layout_of_2019_has_its_json_beside_the_folder(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(2), CATEGORIES, "valid")
    (tmp_path / "valid" / "instances.json").rename(tmp_path / "valid.json")
    assert youtube_vis_splits(tmp_path) == {"valid": tmp_path / "valid.json"}
    videos, dataset = find_videos(tmp_path)
    assert [video.name for video in videos] == names("train", 2)
    assert dataset is not None
    assert dataset.video_ids == {"toy-train-00000": 1, "toy-train-00001": 2}


def test_a_folder_of_frames_whatever_the_split(tmp_path: Path) -> None:
    folder = tmp_path / "bear"
    shutil.copytree(DAVIS / "JPEGImages" / "480p" / "toy-test-00000", folder)
    (folder / "camera.json").write_text("{}")
    (video,), video_ids = find_videos(folder)
    assert (video.name, len(video), video_ids) == ("bear", 8, None)
    assert video.ids is None


def test_a_video_file(tmp_path: Path) -> None:
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    write_video_file(tmp_path / "walk.mp4", frames, fps=12.5)
    (video,), video_ids = find_videos(tmp_path / "walk.mp4")
    assert (video.name, len(video), video.fps, video_ids) == ("walk", 3, 12.5, None)


@pytest.mark.parametrize("root", [DAVIS, YOUTUBE_VIS], ids=["davis", "youtube-vis"])
def test_the_held_out_split_unless_another_is_asked_for(root: Path, tmp_path: Path) -> None:
    videos, _ = find_videos(root)
    assert [video.name for video in videos] == names("validation", 2)
    assert held_out_split(root) == "validation"
    root = Path(shutil.copytree(root, tmp_path / "root"))
    for path in (root / "ImageSets" / "2017" / "validation.txt", root / "validation"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert held_out_split(root) == "test"
    for path in (root / "ImageSets" / "2017" / "test.txt", root / "test"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError, match=r"no split named val, .* choose one of train"):
        find_videos(root)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(DAVIS, tmp_path / "davis")
    assert len(find_videos("~/davis")[0]) == 2
    assert len(find_training_data("~/davis").train) == 6
    assert len(find_videos("~/davis/JPEGImages/480p/toy-test-00000")[0][0]) == 8
    monkeypatch.chdir(tmp_path)
    Path("davis").rename("~$davis")  # no user is called so
    assert len(find_videos("~$davis")[0]) == 2


def test_a_path_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"0\.png is an image"):
        find_videos(tmp_path / "0.png")


LABELS = Path("Annotations_unsupervised") / "480p" / "toy-validation-00000"


def first_alone(labels: Path) -> None:
    for path in sorted(labels.iterdir())[1:]:
        path.unlink()


def one_less(labels: Path) -> None:
    (labels / "00003.png").unlink()


def damaged(labels: Path) -> None:
    (labels / "00000.png").write_bytes(b"PNG")


@pytest.mark.parametrize("damage", [first_alone, one_less, damaged])
def test_truth_is_no_matter_where_none_is_needed(damage: Callable, tmp_path: Path) -> None:
    root = Path(shutil.copytree(DAVIS, tmp_path / "davis"))
    damage(root / LABELS)
    videos, _ = find_videos(root, truth=False)
    assert [(video.name, len(video), video.ids) for video in videos] == [
        ("toy-validation-00000", 8, None),
        ("toy-validation-00001", 8, None),
    ]
    if damage is first_alone:  # the truth of the semi-supervised task is none of the whole video
        assert [video.ids is None for video in find_videos(root)[0]] == [True, False]
    else:
        with pytest.raises((ValueError, FileNotFoundError), match="toy-validation-00000"):
            find_videos(root)


@pytest.mark.parametrize("root", [DAVIS, YOUTUBE_VIS], ids=["davis", "youtube-vis"])
def test_a_split_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="val") as caught:
        find_videos(root, "val")
    message = str(caught.value)
    assert str(root) in message
    assert all(split in message for split in ("train", "validation", "test"))
    assert "\n" not in message


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        find_videos(tmp_path / "missing")


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(FileNotFoundError, match="holds no image"):
        find_videos(tmp_path)


# ---------------------------------------------------------------- training data


def test_davis_trains_one_class_and_holds_validation_out() -> None:
    data = find_training_data(DAVIS)
    assert [video.name for video in data.train] == names("train", 6)
    assert [video.name for video in data.validation] == names("validation", 2)
    assert data.num_classes == 2


def test_no_weights_are_chosen_on_the_split_that_is_reported(tmp_path: Path) -> None:
    """`val` of DAVIS is what Tables II and III are about, and `test` is for nothing else."""
    shutil.copytree(DAVIS, tmp_path, dirs_exist_ok=True)
    lists = tmp_path / "ImageSets" / "2017"
    (lists / "validation.txt").rename(lists / "val.txt")
    data = find_training_data(tmp_path)
    assert [video.name for video in data.validation] == names("train", 1)
    assert [video.name for video in data.train] == names("train", 6)[1:]
    for split in ("val", "test"):
        (lists / f"{split}.txt").unlink()
    assert len(find_training_data(tmp_path).train) == 5
    (lists / "train.txt").write_text("toy-train-00000\n")
    with pytest.raises(ValueError, match=r"train\.txt has one video: training needs two"):
        find_training_data(tmp_path)
    (lists / "train.txt").rename(lists / "val.txt")
    with pytest.raises(FileNotFoundError, match=r"train"):
        find_training_data(tmp_path)


def test_youtube_vis_holds_every_tenth_training_video_out(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(21), CATEGORIES, "train")
    data = find_training_data(tmp_path)
    assert [video.name for video in data.validation] == [names("train", 21)[k] for k in (0, 10, 20)]
    both = [video.name for video in (*data.train, *data.validation)]
    assert sorted(both) == names("train", 21)
    assert data.num_classes == 5


def test_one_video_cannot_be_trained_on_and_held_out(tmp_path: Path) -> None:
    write_youtube_vis(tmp_path, small_videos(1), CATEGORIES, "train")
    with pytest.raises(ValueError, match="training needs two") as caught:
        find_training_data(tmp_path)
    assert str(tmp_path / "train" / "instances.json") in str(caught.value)


def test_a_folder_of_neither_layout(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ImageSets.*instances\.json.*README") as caught:
        find_training_data(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="missing: no such folder"):
        find_training_data(tmp_path / "missing")


def test_toy_training_data() -> None:
    data = toy_training_data(num_train=3, num_validation=2, clip_frames=4)
    assert [video.name for video in data.train] == names("train", 3)
    assert [video.name for video in data.validation] == names("validation", 2)
    assert {len(video) for video in data.train} == {6}, "frames to drop"
    assert {len(video) for video in data.validation} == {4}
    assert data.num_classes == 5
    used = {category for video in data.train for category in video.categories.values()}
    assert used <= set(range(1, data.num_classes))
