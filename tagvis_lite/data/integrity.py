"""Is a data set whole? Look at every file of a DAVIS or YouTube-VIS root, and report all problems.

The readers stop at the first problem they meet, and meet it only when they decode that frame. This
looks at everything before a long run does: `check_root` decodes and reports, `check_files` is what
a training can afford before each start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.data.davis import (
    LabelMaps,
    find_annotations,
    label_map_size,
    read_label_map,
    read_split,
)
from tagvis_lite.data.files import (
    ImageFrames,
    check_image_end,
    check_size,
    decode_image,
    image_size,
    list_images,
)
from tagvis_lite.data.youtube_vis import read_youtube_vis
from tagvis_lite.video import BACKGROUND, VOID, Video


@dataclass(frozen=True)
class Problem:
    """Something wrong: where, and what."""

    path: Path
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass
class SplitReport:
    """What a split holds, and what is wrong with it. Sizes are H x W."""

    name: str
    videos: int = 0
    frames: int = 0
    labelled: int = 0
    """Label maps."""
    empty: int = 0
    """Label maps that show no instance; an object may be out of sight, so alone no problem."""
    instances: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def check_root(root: Path, *, decode: bool = True) -> list[SplitReport]:
    """Check every split of a root, and every video of a split.

    Looked for: frames and label maps that are missing, damaged, of another size or kind; gaps in
    the numbers of frames (DAVIS) and of ids; instances, and videos, whose masks are all empty.

    Args:
        root: of DAVIS (2016 or 2017) or YouTube-VIS (2019 or 2021).
        decode: decode every frame, too. Otherwise only their headers and ends are read: many times
            faster, but damage in between is not found.

    Raises:
        NotADirectoryError: no such folder.
        FileNotFoundError: the root has neither layout.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder")
    lists = sorted(root.glob("ImageSets/*/*.txt"))
    annotations = {
        path.parent if path.name == "instances.json" else path.with_suffix(""): path
        for path in sorted([*root.glob("*.json"), *root.glob("*/instances.json")])
        if path.name == "instances.json" or path.with_suffix("").is_dir()
    }
    if lists:
        return list(_check_davis(root, lists, decode))
    if annotations:
        return [_check_youtube_vis(path, frames, decode) for frames, path in annotations.items()]
    raise FileNotFoundError(
        f"{root} holds neither ImageSets/2017/<split>.txt (DAVIS) nor <split>/instances.json or "
        "<split>.json beside a folder <split> (YouTube-VIS): see data/README.md for both layouts"
    )


def check_files(videos: Sequence[Video]) -> None:
    """Look at the header and the end of every image file of some videos, without decoding.

    Finds what would otherwise end a training when it comes to that file, hours later: files that
    are missing, cut off, of another size or kind. What lies in memory or in a cache is not looked
    at, nor are video files.

    Raises:
        FileNotFoundError: the first file that is missing.
        ValueError: the first that is damaged.
    """
    for video in tqdm(videos, "check files", unit="video", mininterval=1.0, disable=None):
        for files, size_of in ((video.frames, image_size), (video.ids, label_map_size)):
            if not isinstance(files, ImageFrames | LabelMaps):
                continue
            for path in files.paths:
                check_size(path, size_of(path), files.size)
                check_image_end(path)


def report_table(reports: Sequence[SplitReport]) -> str:
    """A Markdown table with a row for each split."""
    lines = [
        "| split | videos | frames | label maps | of them empty | instances | sizes | problems |",
        "|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    for report in reports:
        sizes = sorted(report.sizes)
        shown = ", ".join(f"{height} x {width}" for height, width in sizes[:3])
        more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
        numbers = (report.videos, report.frames, report.labelled, report.empty, report.instances)
        cells = (report.name, *numbers, shown + more, len(report.problems))
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


# ---------------------------------------------------------------- DAVIS


def _check_davis(root: Path, lists: Sequence[Path], decode: bool) -> Iterator[SplitReport]:
    frames_roots = sorted(path for path in root.glob("JPEGImages/*") if path.is_dir())
    if not frames_roots:
        raise FileNotFoundError(f"{root}/JPEGImages/480p: no such folder of frames")
    for listing in lists:
        year = listing.parent.name
        if not year.isdigit():  # lists of DAVIS 2016 lie in a folder named after the resolution
            year = "2016"
        for frames_root in frames_roots:
            resolution = frames_root.name
            report = SplitReport(f"{listing.parent.name}/{listing.stem}, {resolution}")
            try:
                names = read_split(root, listing.stem, year, resolution)
            except (ValueError, OSError) as error:
                report.problems.append(_problem_of(listing, error))
                yield report
                continue
            label_root = find_annotations(root, year, resolution) or find_annotations(
                root, "2017", resolution
            )
            for name in tqdm(names, report.name, unit="video", mininterval=1.0, disable=None):
                labels = None if label_root is None else label_root / name
                _check_sequence(frames_root / name, labels, report, decode)
            yield report


def _check_sequence(folder: Path, labels: Path | None, report: SplitReport, decode: bool) -> None:
    report.videos += 1
    if not folder.is_dir():
        report.problems.append(Problem(folder, "no such folder, but its split lists it"))
        return
    frames = list_images(folder, (".jpg",))
    if not frames:
        report.problems.append(Problem(folder, "holds no .jpg"))
        return
    gaps = _gaps([path.stem for path in frames])
    if gaps:
        report.problems.append(Problem(folder, f"{_some(gaps)} missing among its frames"))
    report.frames += len(frames)
    size = _check_frames(frames, None, report, decode)
    if labels is None or not labels.is_dir():
        return
    maps = list_images(labels, (".png",))
    by_name = {path.stem for path in frames}
    for missing, what in (
        (sorted(by_name - {path.stem for path in maps}), "without a label map"),
        (sorted({path.stem for path in maps} - by_name), "with a label map but no frame"),
    ):
        if missing:
            report.problems.append(Problem(labels, f"{_some(missing)} {what}"))
    found: set[int] = set()
    for path in maps:
        try:
            ids = read_label_map(path)
        except (ValueError, OSError) as error:
            report.problems.append(_problem_of(path, error))
            continue
        if size is not None and ids.shape != size:
            report.problems.append(Problem(path, _sizes(ids.shape, size)))
        _count(ids, report, found)
    if maps:
        instances = found - {VOID} or found  # masks of DAVIS 2016 hold 0 and 255 alone
        _check_instances(labels, instances, report)


def _count(ids: np.ndarray, report: SplitReport, found: set[int]) -> None:
    present = set(np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()) - {BACKGROUND}
    report.labelled += 1
    report.empty += not present
    found |= present


def _check_instances(where: Path, instances: set[int], report: SplitReport) -> None:
    report.instances += len(instances)
    if not instances:
        report.problems.append(Problem(where, "all masks are empty: no label map shows an object"))
    elif instances != {VOID}:
        unused = sorted(set(range(1, max(instances) + 1)) - instances)
        if unused:
            ids = sorted(instances)
            report.problems.append(Problem(where, f"ids are {ids}: {_some(unused)} never shown"))


# ---------------------------------------------------------------- YouTube-VIS


def _check_youtube_vis(path: Path, frames_root: Path, decode: bool) -> SplitReport:
    report = SplitReport(frames_root.name)
    try:
        dataset = read_youtube_vis(path, frames_root, require_frames=False)
    except (ValueError, OSError) as error:
        report.problems.append(_problem_of(path, error))
        return report
    for video in tqdm(dataset.videos, report.name, unit="video", mininterval=1.0, disable=None):
        assert isinstance(video.frames, ImageFrames)
        report.videos += 1
        report.frames += len(video)
        _check_frames(video.frames.paths, video.frames.size, report, decode)
        if video.ids is not None:
            _check_tracks(path, video, report)
    return report


def _check_tracks(path: Path, video: Video, report: SplitReport) -> None:
    found: set[int] = set()
    for t in range(len(video)):
        try:
            _count(video.read_ids([t])[0], report, found)
        except ValueError as error:
            report.problems.append(_problem_of(path, error))
            return
    report.instances += len(found - {VOID})
    unseen = sorted(set(video.categories) - found)
    if unseen:
        numbers = ", ".join(map(str, unseen[:10]))
        report.problems.append(
            Problem(path, f"video {video.name!r}: masks of instances {numbers} are all empty")
        )


# ---------------------------------------------------------------- both


def _check_frames(
    paths: Sequence[Path], size: tuple[int, int] | None, report: SplitReport, decode: bool
) -> tuple[int, int] | None:
    """Check image files against `size`, or against the first; returns H x W, None if unknown."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        names = _some([path.name for path in missing])
        report.problems.append(Problem(missing[0].parent, f"{names} missing"))
    for path in paths:
        if not path.is_file():
            continue
        try:
            if not decode:
                check_image_end(path)
            found = decode_image(path).shape[:2] if decode else image_size(path)
        except (ValueError, OSError) as error:
            report.problems.append(_problem_of(path, error))
            continue
        size = size or (found[0], found[1])
        if found != size:
            report.problems.append(Problem(path, _sizes(found, size)))
    if size is not None:
        report.sizes.add(size)
    return size


def _sizes(found: tuple[int, ...], size: tuple[int, int]) -> str:
    return f"is {found[0]} x {found[1]} (height x width), but its video is {size[0]} x {size[1]}"


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


def _problem_of(path: Path, error: Exception) -> Problem:
    """An error of a reader; most messages begin with the path, which is not said twice."""
    message = " ".join(str(error).split())
    return Problem(path, message.removeprefix(str(path)).lstrip(" ,:"))
