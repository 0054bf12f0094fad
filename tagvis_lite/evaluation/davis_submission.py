"""Folders of DAVIS results, `<folder>/<sequence>/<frame>.png`: write, read and check them.

The check finds what the challenge server would refuse, all of it at once, before an upload.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.images import check_file_name, opened_image
from tagvis_lite.data.label_maps import LabelMaps, read_label_map, write_label_map
from tagvis_lite.evaluation.davis_sequence import MAX_PROPOSALS
from tagvis_lite.video import VOID, Tracks, Video


def write_davis_result(tracks: Tracks, results_dir: str | Path) -> None:
    """Write `tracks` as indexed PNGs, `<results_dir>/<name>/<frame>.png`, ready to submit.

    Raises:
        ValueError: an id above 20, which the server refuses, or a name that is no file name.
    """
    for name in (tracks.name, *tracks.frame_names):
        check_file_name(name, f"tracks of {tracks.name!r}")
    if tracks.ids.max(initial=0) > MAX_PROPOSALS:
        raise ValueError(
            f"tracks of {tracks.name!r} have id {tracks.ids.max()}; DAVIS takes at most "
            f"{MAX_PROPOSALS} proposals, numbered from 1: keep the best ones and renumber"
        )
    paths = _paths(results_dir, tracks.name, tracks.frame_names)
    for path, ids in zip(paths, tracks.ids, strict=True):
        write_label_map(path, ids)


_ADVICE_255 = (
    "a result has no void; write the object of a binary mask as 1 (or score it with "
    "single_object=True where the ground truth is DAVIS-2016)"
)
_ADVICE_TOO_MANY = (
    f"at most {MAX_PROPOSALS} proposals a sequence are allowed; keep the best and number them "
    "from 1"
)


def read_davis_result(
    results_dir: str | Path, video: Video, *, single_object: bool = False
) -> LabelMaps:
    """The result of a sequence with ground truth: a label map for each of its frames, by name.

    Raises:
        NotADirectoryError: there is no folder of results.
        FileNotFoundError: frames without a label map; the message names the first.
    """
    if not Path(results_dir).is_dir():
        raise NotADirectoryError(f"{results_dir}: no such folder of results")
    paths = _paths(results_dir, video.name, video.frame_names)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]}: no such label map; of the {len(paths)} frames of sequence "
            f"{video.name!r}, {len(missing)} have none. Every frame needs one, empty or not"
        )
    _, height, width = video.read_ids([0]).shape
    return LabelMaps(paths, (height, width), single_object, MAX_PROPOSALS)


def _paths(results_dir: str | Path, sequence: str, frame_names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(results_dir) / sequence / f"{name}.png" for name in frame_names)


def check_davis_submission(
    davis_root: str | Path,
    results_dir: str | Path,
    split: str = "val",
    *,
    year: str | None = None,
) -> list[str]:
    """Everything that is wrong with a folder of results, in the order of the split's list.

    Frames and their size come from `JPEGImages`, so splits without public annotations can be
    checked too. Files and folders that the split does not know are ignored, as by the server.

    Args:
        davis_root: the folder that holds `JPEGImages` and `ImageSets`.
        results_dir: one folder of indexed PNGs for each sequence.
        split: a list of sequences in `ImageSets/<year>`.
        year: "2017", or "2019" for the splits of the challenge.

    Returns:
        the problems; an empty list where there is none.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: `davis_root` itself cannot be read.
    """
    results = Path(results_dir)
    if not results.is_dir():
        return [f"{results}: no such folder; if the results are packed, unpack them first"]
    videos = read_davis(davis_root, split, year=year, truth=False)
    return [problem for video in videos for problem in _check_sequence(video, results)]


def _check_sequence(video: Video, results: Path) -> Iterator[str]:
    folder = results / video.name
    if not folder.is_dir():
        yield f"{folder}: no such folder; the sequence needs {len(video)} label maps in it"
        return
    height, width = video.frames[0].shape[:2]
    for path in _paths(results, video.name, video.frame_names):
        message = _check_label_map(path, height, width)
        if message:
            yield f"{path}: {message}"


def _check_label_map(path: Path, height: int, width: int) -> str:
    """What is wrong with one file, '' if nothing is; its header is judged before its pixels."""
    if not path.is_file():
        return "no such label map; every frame needs one, empty or not"
    try:
        with opened_image(path, ("PNG",)) as image:
            mode, size = image.mode, (image.height, image.width)
        if size != (height, width):
            return (
                f"is {size[0]} x {size[1]} (height x width), but the frames are "
                f"{height} x {width}; write it again at their size (to resize ids, take the "
                "nearest neighbour)"
            )
        if mode != "P":
            return (
                f"has no palette (its mode is {mode!r}); write ids as an indexed PNG, as "
                "tagvis_lite.data.label_maps.write_label_map does"
            )
        largest = int(read_label_map(path).max())
    except ValueError as error:
        return str(error).removeprefix(f"{path} ")
    if largest == VOID:
        return f"has id 255: {_ADVICE_255}"
    if largest > MAX_PROPOSALS:
        return f"has id {largest}: {_ADVICE_TOO_MANY}"
    return ""
