"""Find out what a path holds: toy videos, a DAVIS root, a YouTube-VIS root, frames or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.files import list_images, open_video
from tagvis_lite.data.toy import CATEGORIES, ToyConfig, toy_split, with_frames_to_drop
from tagvis_lite.data.youtube_vis import read_youtube_vis
from tagvis_lite.video import Video

TOY_TRAIN, TOY_VALIDATION = 2000, 32
"""Toy videos rendered for training and for choosing the best weights."""


@dataclass(frozen=True)
class TrainingData:
    """Videos to train on, videos to choose the best weights by, and the number of classes."""

    train: Sequence[Video]
    validation: Sequence[Video]
    num_classes: int


def toy_training_data(
    num_train: int = TOY_TRAIN, num_validation: int = TOY_VALIDATION, clip_frames: int = 8
) -> TrainingData:
    """Toy videos in memory, those for training long enough to drop frames."""
    config = ToyConfig(num_frames=clip_frames)
    return TrainingData(
        train=list(toy_split("train", num_train, with_frames_to_drop(config))),
        validation=list(toy_split("validation", num_validation, config)),
        num_classes=len(CATEGORIES) + 1,
    )


def read_training_data(root: Path) -> TrainingData:
    """Training data of a DAVIS-2017 or YouTube-VIS root.

    DAVIS has splits `train` and `val`. The validation annotations of YouTube-VIS are not public, so
    every tenth training video is held out instead.

    Raises:
        NotADirectoryError: no such folder.
        FileNotFoundError: the root has neither layout.
        ValueError: fewer than two videos, of which one is to be held out; or see `read_davis` and
            `read_youtube_vis`.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder of training data")
    if (root / "ImageSets").is_dir():
        splits = [p.stem for p in sorted((root / "ImageSets" / "2017").glob("*.txt"))]
        held_out = "val" if "val" in splits else "validation"
        return TrainingData(
            read_davis(root, "train"),
            read_davis(root, held_out),
            num_classes=2,
        )
    annotations = youtube_vis_annotations(root, "train")
    if annotations is None:
        raise FileNotFoundError(
            f"{root} holds neither ImageSets/2017/train.txt (DAVIS) nor train/instances.json or "
            "train.json (YouTube-VIS): see data/README.md for both layouts"
        )
    dataset = read_youtube_vis(annotations, root / "train")
    held_out_videos = dataset.videos[::10]
    train = [v for k, v in enumerate(dataset.videos) if k % 10]
    if not train:
        raise ValueError(f"{annotations} has one video: training needs two, one to be held out")
    return TrainingData(train, held_out_videos, num_classes=max(dataset.categories) + 1)


def youtube_vis_annotations(root: Path, split: str) -> Path | None:
    """The annotation file of a split: <split>/instances.json (2021) or <split>.json (2019)."""
    for candidate in (root / split / "instances.json", root / f"{split}.json"):
        if candidate.is_file():
            return candidate
    return None


def read_videos(path: Path, split: str = "val") -> tuple[list[Video], Mapping[str, int] | None]:
    """Videos to predict: a split of a DAVIS or YouTube-VIS root, a folder of frames, or a file.

    Returns:
        The videos, and the `video_id` of each name where YouTube-VIS annotations give one.

    Raises:
        FileNotFoundError: nothing is at `path`, or the split is not there.
        ValueError: something is, but none of these; or see the readers of each.
    """
    if (path / "ImageSets").is_dir():
        return read_davis(path, split), None
    annotations = youtube_vis_annotations(path, split)
    if annotations is not None:
        dataset = read_youtube_vis(annotations, path / split)
        return dataset.videos, dataset.video_ids
    splits = sorted(
        {p.parent.name for p in path.glob("*/instances.json")}
        | {p.stem for p in path.glob("*.json")}
    )
    if splits and not list_images(path):
        raise FileNotFoundError(
            f"{path} holds neither {split}/instances.json nor {split}.json: choose another split "
            f"({', '.join(splits)})"
        )
    return [open_video(path)], None
