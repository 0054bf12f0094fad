"""Is a data set whole? Read every frame and label map of it, and report all problems at once.

The readers stop at the first problem that they meet, and meet it only when they decode that frame.
This asks them for everything before a long run does. The fast way, which a training can afford
before each start, looks at headers and ends of files alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.data.davis import (
    OF_2016,
    frames_folder,
    label_maps_folder,
    read_list,
    read_sequence,
    split_lists,
)
from tagvis_lite.data.find import open_video, youtube_vis_splits
from tagvis_lite.data.images import ImageFrames, decode_image, list_images
from tagvis_lite.data.label_maps import LabelMaps, read_label_map
from tagvis_lite.data.youtube_vis import RleLabelMaps, read_youtube_vis
from tagvis_lite.video import BACKGROUND, VOID, Video

Read = Callable[[], Video]


@dataclass
class SplitReport:
    """What a split holds, and what is wrong with it: a line for each problem."""

    name: str
    videos: int = 0
    frames: int = 0
    label_maps: int = 0
    problems: list[str] = field(default_factory=list)


def check_path(path: Path, *, fast: bool = False) -> list[SplitReport]:
    """Check every split of a DAVIS or YouTube-VIS root, a folder of frames, or a video file.

    Looked for are frames and label maps that are missing, damaged, of another size or kind; gaps in
    the numbers of frames; ids that are never shown, and videos that show no object at all.

    Args:
        path: the root, folder or file.
        fast: read headers and ends of files alone; damage in between is not found, nor are ids.

    Raises:
        FileNotFoundError, ValueError: nothing is there, or neither a root nor a video.
    """
    reports: dict[str, SplitReport] = {}
    seen: set[str] = set()  # a sequence may stand in several lists
    videos = tqdm(list(_videos(path)), "check", unit="video", delay=2, disable=None)
    for split, read, folder in videos:
        report = reports.setdefault(split, SplitReport(split))
        try:
            video = read()
            found = problems_in([video], fast=fast)
            report.videos += 1
            report.frames += len(video)
            report.label_maps += 0 if video.ids is None else len(video.ids)
        except (ValueError, OSError) as error:
            found = list(dict.fromkeys([str(error), *_problems_in_parts(folder)]))
        report.problems += [problem for problem in found if problem not in seen]
        seen |= set(found)
    return list(reports.values())


def problems_in(videos: Iterable[Video], *, fast: bool = False) -> list[str]:
    """Everything that is wrong with some videos, a line for each problem.

    Args:
        videos: what lies in memory, or in a video file, is not looked at when `fast`.
        fast: see `check_path`.
    """
    problems: list[str] = []
    for video in videos:
        problems += _problems_in_frames(video, fast)
        if video.ids is not None:
            problems += _problems_in_label_maps(video, fast)
    return problems


def _problems_in_frames(video: Video, fast: bool) -> Iterator[str]:
    frames = video.frames
    if isinstance(frames, ImageFrames):
        folder = frames.paths[0].parent
        gaps = _gaps(video.frame_names)
        if gaps:
            yield f"{folder}: {_some(gaps)} missing among its frames"
        missing = [path.name for path in frames.paths if not path.is_file()]
        if missing:
            yield f"{folder}: {_some(missing)} missing"
        there = [t for t, path in enumerate(frames.paths) if path.name not in missing]
        yield from _errors(frames.look if fast else frames.__getitem__, there)
    elif not fast:
        yield from _errors(frames.__getitem__, range(len(frames)))


def _problems_in_label_maps(video: Video, fast: bool) -> Iterator[str]:
    ids = video.ids
    assert ids is not None
    if fast:
        if isinstance(ids, LabelMaps):
            yield from _errors(ids.look, range(len(ids)))
        elif isinstance(ids, RleLabelMaps):
            yield from _errors(lambda _: ids.look(), [0])
        return
    found: set[int] = set()

    def read(t: int) -> None:
        found.update(np.flatnonzero(np.bincount(ids[t].ravel(), minlength=256)).tolist())

    yield from _errors(read, range(len(ids)))
    where = f"{ids.paths[0].parent}" if isinstance(ids, LabelMaps) else f"video {video.name!r}"
    found -= {BACKGROUND, VOID}
    if not found:
        yield f"{where}: no label map shows an object"
        return
    listed = set(video.categories)  # of DAVIS, whose label maps alone tell, all there could be
    unseen = (listed if len(listed) < VOID - 1 else set(range(1, max(found)))) - found
    if unseen:
        yield f"{where}: ids are {sorted(found)}, but {_some(sorted(unseen))} never shown"


def _errors(read: Callable[[int], object], indices: Sequence[int]) -> Iterator[str]:
    for t in indices:
        try:
            read(t)
        except (ValueError, OSError) as error:
            yield str(error)


def _problems_in_parts(folder: Path | None) -> Iterator[str]:
    """What is wrong with each file of a sequence or folder of frames that makes no video."""
    if folder is None or not folder.is_dir():
        return
    try:
        frames = list_images(folder)
        gaps = _gaps([path.stem for path in frames])
        if gaps:
            yield f"{folder}: {_some(gaps)} missing among its frames"
        yield from _errors(lambda t: decode_image(frames[t]), range(len(frames)))
        labels = label_maps_folder(folder)
        maps = list_images(labels, (".png",)) if labels else ()
        yield from _errors(lambda t: read_label_map(maps[t]), range(len(maps)))
    except (ValueError, OSError) as error:
        yield str(error)


# ---------------------------------------------------------------- what there is to read


def _videos(path: Path) -> Iterator[tuple[str, Read, Path | None]]:
    """Name of the split, reader, and folder of frames, of all videos of a root or path."""
    lists, splits = split_lists(path), youtube_vis_splits(path)
    for listing in lists:
        yield from _videos_of_list(listing, frames_folder(path))
    for split, json in splits.items():
        yield from _videos_of_json(split, json, path / split)
    if lists or splits:
        return
    if path.is_dir() and list_images(path):
        yield path.resolve().name, partial(open_video, path), path
    elif path.is_dir() and any(child.is_dir() for child in path.iterdir()):
        raise FileNotFoundError(
            f"{path} holds neither ImageSets/2017/<split>.txt (DAVIS) nor <split>/instances.json "
            "or <split>.json beside a folder <split> (YouTube-VIS): see data/README.md for both "
            "layouts"
        )
    else:
        yield path.name, partial(_same, open_video(path)), None


def _videos_of_list(listing: Path, frames: Path) -> Iterator[tuple[str, Read, Path | None]]:
    year, split = listing.parent.name, f"{listing.parent.name}/{listing.stem}"
    try:
        for name in read_list(listing):
            yield split, partial(read_sequence, frames / name, year in OF_2016), frames / name
    except (ValueError, OSError) as error:
        yield split, partial(_fail, error), None


def _videos_of_json(
    split: str, json: Path, frames: Path
) -> Iterator[tuple[str, Read, Path | None]]:
    try:
        for video in read_youtube_vis(json, frames, require_frames=False).videos:
            yield split, partial(_same, video), None
    except (ValueError, OSError) as error:
        yield split, partial(_fail, error), None


def _fail(error: Exception) -> Video:
    raise error


def _same(video: Video) -> Video:
    return video


# ---------------------------------------------------------------- words


def _gaps(names: Sequence[str]) -> list[str]:
    """Numbers left out of frame names that count in steps of some size."""
    if len(names) < 3 or not all(name.isdecimal() for name in names):
        return []
    numbers = [int(name) for name in names]
    step = min(np.diff(numbers).tolist())
    if step < 1 or (numbers[-1] - numbers[0]) // step > 10 * len(numbers):
        return []
    width = len(names[0])
    there = set(numbers)
    return [f"{n:0{width}d}" for n in range(numbers[0], numbers[-1], step) if n not in there]


def _some(names: Sequence[object]) -> str:
    """'00003', or '17 (the first is 00003)'."""
    return str(names[0]) if len(names) == 1 else f"{len(names)} (the first is {names[0]})"
