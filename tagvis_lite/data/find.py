"""Find out what a path holds: toy videos, a DAVIS root, a YouTube-VIS root, frames or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagvis_lite.data.davis import find_list, read_davis, split_lists
from tagvis_lite.data.images import IMAGE_SUFFIXES, at_home, read_image_folder
from tagvis_lite.data.toy import CATEGORIES, ToyConfig, toy_split, with_frames_to_drop
from tagvis_lite.data.video_file import read_video_file
from tagvis_lite.data.youtube_vis import YoutubeVIS, read_youtube_vis
from tagvis_lite.video import Video

TOY_TRAIN, TOY_VALIDATION = 2000, 32
"""Toy videos rendered for training and for choosing the best weights."""
TOY_BYTES = 2_000_000_000
"""Most memory that the toy videos for training take."""
ONE_CLASS = {1: "object"}
"""Of DAVIS, which names no categories (D17)."""
HELD_OUT = ("val", "valid", "validation", "test-dev", "test", "test-challenge")
"""Names of splits that nothing is trained on: where several are there, the first is meant."""


@dataclass(frozen=True)
class TrainingData:
    """Videos to train on, videos to choose the best weights by, and the name of each class."""

    train: Sequence[Video]
    validation: Sequence[Video]
    categories: Mapping[int, str]

    @property
    def num_classes(self) -> int:
        """Of a network for them, background included."""
        return max(self.categories) + 1


def toy_training_data(
    num_train: int = TOY_TRAIN,
    num_validation: int = TOY_VALIDATION,
    clip_frames: int = 8,
    size: tuple[int, int] = (64, 64),
) -> TrainingData:
    """Toy videos in memory, those for training long enough to drop frames.

    Args:
        num_train: most videos to train on; fewer where they would take more than TOY_BYTES.
        num_validation: videos to choose the best weights by.
        clip_frames: T of a clip.
        size: H x W.
    """
    config = ToyConfig(num_frames=clip_frames, size=size)
    longer = with_frames_to_drop(config)
    video_bytes = 4 * longer.num_frames * size[0] * size[1]
    return TrainingData(
        train=list(toy_split("train", min(num_train, max(1, TOY_BYTES // video_bytes)), longer)),
        validation=list(toy_split("validation", num_validation, config)),
        categories=CATEGORIES,
    )


# ---------------------------------------------------------------- roots of data sets


def is_davis(root: Path) -> bool:
    """Whether a folder is the root of a data set in the layout of DAVIS."""
    return (root / "ImageSets").is_dir()


def youtube_vis_splits(root: Path) -> dict[str, Path]:
    """Annotation file of each split: <split>/instances.json (2021) or <split>.json (2019)."""
    named = (*HELD_OUT, "train")
    beside = {
        path.stem: path
        for path in root.glob("*.json")
        if path.stem in named or (root / path.stem).is_dir()
    }
    inside = {path.parent.name: path for path in root.glob("*/instances.json")}
    return dict(sorted((beside | inside).items()))


def held_out_split(root: Path) -> str:
    """The split of a root that is predicted and scored unless another is asked for.

    Raises:
        FileNotFoundError: it has none of the usual names.
    """
    names = (
        [path.stem for path in split_lists(root)] if is_davis(root) else youtube_vis_splits(root)
    )
    for name in HELD_OUT:
        if name in names:
            return name
    raise FileNotFoundError(
        f"{root} has no split named {', '.join(HELD_OUT)}: "
        + (f"choose one of {', '.join(names)} (--split)" if names else "write a list of one")
    )


def find_training_data(root: str | Path) -> TrainingData:
    """Training data of a DAVIS or YouTube-VIS root.

    The weights of a run are chosen by its validation videos, so these must not be what is reported:
    never the split `val` of DAVIS, which Tables II and III of the paper are about, and no split of
    YouTube-VIS has public annotations but `train`. Every tenth training video is held out instead,
    unless a root in the layout of DAVIS has a list `validation`, as toy videos and composites have.

    Raises:
        OSError: no such folder, or one of neither layout, or without a split `train`.
        ValueError: fewer than two videos, of which one is to be held out; or see the readers.
    """
    root = at_home(root)
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder of training data")
    lists = {path.stem for path in split_lists(root)}
    if "validation" in lists:
        return TrainingData(read_davis(root, "train"), read_davis(root, "validation"), ONE_CLASS)
    if lists:
        videos = read_davis(root, "train")
        return TrainingData(*_every_tenth(videos, find_list(root, "train")), ONE_CLASS)
    annotations = youtube_vis_splits(root).get("train")
    if annotations is None:
        raise FileNotFoundError(
            f"{root} holds neither ImageSets/2017/train.txt (DAVIS) nor train/instances.json or "
            "train.json (YouTube-VIS): see data/README.md for both layouts"
        )
    dataset = read_youtube_vis(annotations, root / "train")
    return TrainingData(*_every_tenth(dataset.videos, annotations), dataset.categories)


def _every_tenth(videos: Sequence[Video], where: Path) -> tuple[list[Video], list[Video]]:
    """The videos to train on, and every tenth, which is held out."""
    if len(videos) < 2:
        raise ValueError(f"{where} has one video: training needs two, one to be held out")
    return [video for k, video in enumerate(videos) if k % 10], list(videos[::10])


# ---------------------------------------------------------------- videos


def find_videos(
    path: str | Path, split: str | None = None, *, truth: bool = True
) -> tuple[list[Video], YoutubeVIS | None]:
    """Videos to predict: a split of a DAVIS or YouTube-VIS root, a folder of frames, or a file.

    Args:
        path: the root, folder or file; `~` is the home folder.
        split: of a root; the held-out one when not given.
        truth: without it, label maps and annotations are not looked at: they may be missing,
            incomplete or damaged.

    Returns:
        The videos, and the annotation file that they are of, in a YouTube-VIS root.

    Raises:
        OSError: nothing is at `path`, or the split is not there.
        ValueError: something is, but none of these; or see the readers of each.
    """
    path = at_home(path)
    if is_davis(path):
        return read_davis(path, split or held_out_split(path), truth=truth), None
    splits = youtube_vis_splits(path)
    if not splits:
        return [open_video(path)], None
    split = split or held_out_split(path)
    if split not in splits:
        raise FileNotFoundError(
            f"{path} holds neither {split}/instances.json nor {split}.json: choose another split "
            f"({', '.join(splits)})"
        )
    frames = path / split
    if split == "train-held-out":  # of `tagvis data split`: a part of the training set
        frames = path / "train"
    dataset = read_youtube_vis(splits[split], frames, truth=truth)
    return dataset.videos, dataset


def open_video(path: str | Path) -> Video:
    """A folder of images or a video file, whichever `path` is.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a single image; or see `read_image_folder` and `read_video_file`.
    """
    path = at_home(path)
    if path.is_dir():
        return read_image_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder of images or video file")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path} is an image: give a video file, or the folder that holds all frames"
        )
    return read_video_file(path)
