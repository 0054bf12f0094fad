"""YouTube-VIS results, `results.json` or a zip with it at its root: write, read and check them.

    [{"video_id", "category_id", "score", "segmentations": [RLE or null, for each frame]}, ...]

The check finds what the challenge server would refuse, all of it at once, before an upload.
Nothing is ever unpacked to disk: of a zip, only its `results.json` is read, up to a size limit.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from lzma import LZMAError
from numbers import Integral
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from pycocotools import mask as coco_mask

from tagvis_lite.atomic import write_atomically
from tagvis_lite.evaluation.rle import read_tracks
from tagvis_lite.video import BACKGROUND, VOID, Tracks

MEMBER = "results.json"
MAX_BYTES = 2**30
"""Largest json that is read. Results of the whole validation set take about a tenth."""
UNREADABLE = (
    BadZipFile,
    EOFError,
    LZMAError,
    NotImplementedError,
    OSError,
    RuntimeError,
    UnicodeDecodeError,
    struct.error,
    zlib.error,
)
"""What `zipfile` raises about damaged or encrypted files."""


@dataclass(frozen=True)
class AnnotatedVideo:
    """H, W and T of a video of an annotation file."""

    height: int
    width: int
    length: int


# ---------------------------------------------------------------- writing


def track_results(tracks: Tracks, video_id: int) -> list[dict[str, Any]]:
    """Entries of `results.json`, one for each id of the label maps, in ascending order.

    An id without a pixel is no prediction and has no entry. Masks are compressed RLEs whose
    `counts` are str; frames without the instance hold None.

    Raises:
        ValueError: id 255, which is void and no instance, or a score that is not finite.
    """
    segmentations: dict[int, list[dict[str, Any] | None]] = {}
    for t, ids in enumerate(tracks.ids):
        columns = np.asfortranarray(ids)
        for instance in np.flatnonzero(np.bincount(ids.ravel(), minlength=1)).tolist():
            if instance != BACKGROUND:
                rle = coco_mask.encode((columns == instance).view(np.uint8))
                rle["counts"] = rle["counts"].decode("ascii")
                segmentations.setdefault(instance, [None] * len(tracks.ids))[t] = rle
    if VOID in segmentations:
        raise ValueError(f"tracks of {tracks.name!r} have id {VOID}: void is never predicted")
    wrong = [k for k in segmentations if not math.isfinite(tracks.scores[k])]
    if wrong:
        raise ValueError(f"tracks of {tracks.name!r}: scores of ids {wrong} are not finite")
    return [
        {
            "video_id": int(video_id),
            "category_id": int(tracks.categories[instance]),
            "score": float(tracks.scores[instance]),
            "segmentations": segmentations[instance],
        }
        for instance in sorted(segmentations)
    ]


def write_results(path: str | Path, tracks: Iterable[Tracks], video_ids: Mapping[str, int]) -> None:
    """Write a submission: `results.json`, or a zip of it if `path` ends in '.zip'.

    Args:
        path: the file; it is replaced once all of the new one is written.
        tracks: one for each video, taken one at a time.
        video_ids: id in the annotation file of each video name.

    Raises:
        ValueError: a video without an id, one that comes twice, or see `track_results`.
    """
    path = Path(path)

    def write(temporary: Path) -> None:
        if path.suffix != ".zip":
            with temporary.open("wb") as file:
                _write_entries(file, tracks, video_ids)
            return
        with ZipFile(temporary, "w") as archive:
            member = ZipInfo(MEMBER)
            member.compress_type = ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                _write_entries(file, tracks, video_ids)

    write_atomically(path, write)


def _write_entries(file: IO[bytes], tracks: Iterable[Tracks], video_ids: Mapping[str, int]) -> None:
    written: set[str] = set()
    with TextIOWrapper(file, encoding="ascii") as text:
        text.write("[")
        separator = "\n"
        for of_video in tracks:
            name = of_video.name
            if name not in video_ids or name in written:
                reason = "come twice" if name in written else "have no id in video_ids"
                raise ValueError(f"tracks of video {name!r} {reason}")
            written.add(name)
            for entry in track_results(of_video, video_ids[name]):
                text.write(separator + json.dumps(entry, separators=(",", ":")))
                separator = ",\n"
        text.write("\n]\n")


# ---------------------------------------------------------------- reading


def read_json(path: str | Path) -> Any:
    """A json file, or the `results.json` of a zip.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not valid json, not a zip of the right layout, or larger than `MAX_BYTES`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == ".zip":
        content = _read_member(path)
    else:
        _check_size(path.stat().st_size, path)
        content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid json ({error}): write it again") from error


def read_results(path: str | Path) -> list[Any]:
    """The predictions of a `results.json` or of a zip, as they are: see `check_results`.

    Raises:
        FileNotFoundError, ValueError: see `read_json`; or no list.
    """
    results = read_json(path)
    if not isinstance(results, list):
        raise ValueError(
            f"{path} is a json {type(results).__name__}, expected a list of predictions "
            "{video_id, category_id, score, segmentations}"
        )
    return results


def _read_member(path: Path) -> bytes:
    with path.open("rb") as file:
        try:
            with ZipFile(file) as archive:
                names = archive.namelist()
                size = archive.getinfo(MEMBER).file_size if MEMBER in names else 0
                _check_size(size, path)
                if names.count(MEMBER) == 1:
                    return archive.read(MEMBER)
        except UNREADABLE as error:
            raise ValueError(
                f"{path} is no zip that can be read ({error}): zip {MEMBER} again, with no password"
            ) from error
    deeper = [name for name in names if PurePosixPath(name).name == MEMBER]
    raise ValueError(
        f"{path} must hold one {MEMBER} at its root, but it holds {(deeper or names)[:3]!r:.120}: "
        "zip the file, not its folder"
    )


def _check_size(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} holds {size} bytes of json, more than {MAX_BYTES}: keep fewer predictions "
            "(at most 100 for each video and category count)"
        )


def read_videos(annotations: Any, name: str) -> tuple[dict[int, AnnotatedVideo], dict[int, str]]:
    """Videos and names of categories, by their ids, of a parsed annotation file called `name`.

    Raises:
        ValueError: not of the YouTube-VIS layout.
    """
    if not isinstance(annotations, dict):
        raise ValueError(f"{name} is a json {type(annotations).__name__}, no annotation file")
    videos: dict[int, AnnotatedVideo] = {}
    for k, entry in enumerate(_entries(annotations, "videos", name)):
        where = f"{name}, videos[{k}]"
        height, width = (_integer(entry, key, where) for key in ("height", "width"))
        if isinstance(entry.get("file_names"), list):
            length = len(entry["file_names"])
        else:
            length = _integer(entry, "length", where)
        if min(height, width, length) < 1 or height * width >= 2**31:
            raise ValueError(f"{where}: {length} frames of {height} x {width} pixels")
        videos[_new_id(entry, videos, where)] = AnnotatedVideo(height, width, length)
    categories: dict[int, str] = {}
    for k, entry in enumerate(_entries(annotations, "categories", name)):
        category = _new_id(entry, categories, f"{name}, categories[{k}]")
        categories[category] = str(entry.get("name", category))
    return videos, categories


def _entries(annotations: Mapping[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    entries = annotations.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{name} has no list of {key!r}: it is no YouTube-VIS annotation file")
    return entries


def _integer(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{where}: {key!r} is {value!r:.40}, expected an integer")
    return int(value)


def _new_id(entry: Mapping[str, Any], known: Mapping[int, object], where: str) -> int:
    identity = _integer(entry, "id", where)
    if identity in known:
        raise ValueError(f"{where}: id {identity} is that of another entry")
    return identity


# ---------------------------------------------------------------- checking


def check_results(annotations: str | Path, results: str | Path) -> list[str]:
    """Everything that is wrong with a submission, each problem with its file and entry.

    The scorer of this package is more lenient than the server: it takes uncompressed RLEs,
    polygons and an empty list. A video without any prediction is not refused by the server, but
    is nearly always a mistake, so it counts as a problem here.

    Args:
        annotations: annotation file; its public part (videos and categories) is enough.
        results: `results.json`, or the zip to submit.

    Returns:
        the problems; an empty list where there is none.

    Raises:
        FileNotFoundError, ValueError: `annotations` itself cannot be read.
    """
    videos, categories = read_videos(read_json(annotations), str(annotations))
    try:
        predictions = read_results(results)
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    problems = _other_members(Path(results))
    if not predictions:
        problems.append(f"{results} is an empty list, on which the server's scorer fails")
    for k, prediction in enumerate(predictions):
        where = f"{results}, prediction {k}"
        structure = list(entry_problems(prediction, videos, categories, where, scored=True))
        problems += structure or _mask_problems(prediction, videos, where)
    predicted = {
        prediction["video_id"]
        for prediction in predictions
        if isinstance(prediction, dict) and _is_key(prediction.get("video_id"), videos)
    }
    missing = [video_id for video_id in videos if video_id not in predicted]
    if missing and predictions:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        problems.append(
            f"{results} predicts nothing in {len(missing)} of {len(videos)} videos: ids "
            f"{', '.join(map(str, missing[:10]))}{more}"
        )
    return problems


def entry_problems(
    entry: Any,
    videos: Mapping[int, AnnotatedVideo],
    categories: Mapping[int, str],
    where: str,
    *,
    scored: bool,
) -> Iterator[str]:
    """What is wrong with a prediction, or an annotation (not `scored`), its masks aside."""
    needed = ("video_id", "category_id", "segmentations") + (("score",) if scored else ())
    if not isinstance(entry, dict):
        yield f"{where} is {entry!r:.40}, expected an object with {', '.join(needed)}"
        return
    missing = [key for key in needed if key not in entry]
    if missing:
        yield f"{where} has no {', '.join(missing)}"
        return
    video, category, segmentations = (entry[key] for key in needed[:3])
    if not _is_key(category, categories):
        yield (
            f"{where}: category_id {category!r:.40} is not among the annotation file's "
            f"{len(categories)}: {min(categories, default=0)} to {max(categories, default=0)}"
        )
    if scored and not is_finite(entry["score"]):
        yield f"{where}: score {entry['score']!r:.40} is no finite number"
    if not _is_key(video, videos):
        yield f"{where}: video_id {video!r:.40} is not among the annotation file's videos"
    elif not isinstance(segmentations, list):
        yield f"{where}: 'segmentations' is {segmentations!r:.40}, expected a list"
    elif len(segmentations) != videos[video].length:
        yield (
            f"{where}: {len(segmentations)} segmentations, but video {video} has "
            f"{videos[video].length} frames: one for each frame, null where it is absent"
        )


def _is_key(value: Any, known: Mapping[int, object]) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value in known


def is_finite(value: Any) -> bool:
    """Whether this is a number that a float can hold; true and false are none."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and bool(abs(value) <= sys.float_info.max)


def _mask_problems(
    prediction: Mapping[str, Any], videos: Mapping[int, AnnotatedVideo], where: str
) -> list[str]:
    video = videos[prediction["video_id"]]
    segmentations: Sequence[Any] = prediction["segmentations"]
    try:
        read_tracks([segmentations], video.height, video.width, [where])
    except ValueError as error:
        return [str(error)]
    for t, mask in enumerate(segmentations):
        if mask and (isinstance(mask, list) or not isinstance(mask["counts"], str)):
            return [
                f"{where}, segmentation {t} is no compressed RLE, the only kind the server "
                "takes: encode it with pycocotools.mask.encode"
            ]
    return []


def _other_members(path: Path) -> list[str]:
    if path.suffix != ".zip":
        return []
    with ZipFile(path) as archive:
        others = [name for name in archive.namelist() if name != MEMBER]
    if not others:
        return []
    return [
        f"{path} holds {len(others)} other entries, such as {others[0]!r:.80}: zip {MEMBER} alone"
    ]
