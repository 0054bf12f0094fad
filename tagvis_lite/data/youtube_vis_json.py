"""The json of YouTube-VIS 2019 and 2021, read and checked in one place.

    {"videos":      [{"id", "width", "height", "length", "file_names": ["<video>/00000.jpg", ...]}],
     "categories":  [{"id", "name"}],
     "annotations": [{"id", "video_id", "category_id", "iscrowd", "areas",
                      "segmentations": [RLE or null, for each frame]}]}

Whoever trains, predicts, scores or checks takes the same files. Ids are taken as they come: any
whole number that is there once. What may be left out: `name` of a category (its id is its name),
`iscrowd` (0), `file_names` where no frame is read, `length` beside them, `areas`, `annotations` in
the public part of the validation and test sets, and `categories` together with every `category_id`
(all instances are then of one category, 1). The runs inside RLEs are checked when they are used.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path, PurePosixPath
from typing import Any

from tagvis_lite.data.rle import check_segmentation, is_compressed

ONE_CATEGORY = {1: "object"}
ODD_NAME = re.compile(r"[A-Za-z]:|.*[\x00-\x1f\ud800-\udfff]", re.DOTALL)
"""A path with a drive, or with characters that no text has."""
LONGEST_NAME = 255
"""Characters of a file's or folder's name that a disk takes, at most."""
_PLAIN_PATH = re.compile(r"(?:[\w-][\w.-]{0,199}/)*[\w-][\w.-]{0,199}", re.ASCII)


@dataclass(frozen=True)
class AnnotatedVideo:
    """A video of an annotation file.

    Attributes:
        name: of the folder of its frames; its id where the file has no `file_names`.
        size: H x W.
        length: T.
        file_names: T paths with slashes, or none.
    """

    name: str
    size: tuple[int, int]
    length: int
    file_names: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """An annotation or a prediction.

    Attributes:
        video_id, category_id: of the annotation file.
        segmentations: T masks, None where there is none.
        where: what to call it in an error.
        crowd: whether it stands for many instances.
        areas: T, in pixels or None; None where the file has none.
        score: of a prediction.
    """

    video_id: int
    category_id: int
    segmentations: Sequence[Any]
    where: str
    crowd: bool = False
    areas: Sequence[float | None] | None = None
    score: float = 1.0


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file: videos and names of categories by id; `tracks` None in a public part.

    `repeated_ids` counts annotations whose id is that of one before them.
    """

    name: str
    videos: Mapping[int, AnnotatedVideo]
    categories: Mapping[int, str]
    tracks: Sequence[Track] | None
    repeated_ids: int = 0


def read_annotations(path: str | Path, *, truth: bool = True) -> AnnotationFile:
    """Read an annotation file; without `truth` as if it were a public part.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not json, or see `parse_annotations`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such annotation file")
    data = parse_json(path.read_bytes(), path)
    if not truth and isinstance(data, dict):
        data.pop("annotations", None)
    return parse_annotations(data, str(path))


def parse_json(content: bytes, path: Path) -> Any:
    """Parse the content of `path`, in whichever encoding of Unicode. Raises ValueError."""
    try:
        text = content.decode(json.detect_encoding(content))
        del content  # it is as large as all that is made of it
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid json ({error}): copy, download or write it again"
        ) from error


def parse_annotations(data: Any, name: str) -> AnnotationFile:
    """Check parsed annotations that errors call `name`.

    Raises:
        ValueError: not of this layout, or inconsistent; the message names the entry.
    """
    if isinstance(data, list):
        raise ValueError(f"{name} is a json list, as of results: give the file of annotations")
    if isinstance(data, dict) and "images" in data and "videos" in data:
        raise ValueError(
            f"{name} is a CocoVID file (one annotation per image): YouTube-VIS has no 'images', "
            "but 'file_names' in each video and 'segmentations' in each annotation; give the "
            "original json, or convert this one"
        )
    videos = _videos(data, name)
    categories = dict(ONE_CATEGORY)
    if isinstance(data, dict) and data.get("categories") is not None:
        categories = _categories(data, name)
    if data.get("annotations") is None:
        return AnnotationFile(name, videos, categories, None)
    public = AnnotationFile(name, videos, categories, None)
    entries = _get(data, "annotations", list, name)
    tracks = [
        _annotation(entry, public, f"{name}, annotations[{k}]") for k, entry in enumerate(entries)
    ]
    ids = [str(entry["id"]) for entry in entries if "id" in entry]
    return AnnotationFile(name, videos, categories, tracks, len(ids) - len(set(ids)))


def restrict(
    file: AnnotationFile, names: Collection[str], categories: Collection[str]
) -> AnnotationFile:
    """The videos of these names and these categories, by name or id; all where none is given.

    Raises:
        ValueError: a name that is not in the file.
    """
    chosen = {k: v for k, v in file.videos.items() if not names or v.name in names}
    kept = {
        category: name
        for category, name in file.categories.items()
        if not categories or name in categories or str(category) in categories
    }
    known = {video.name for video in chosen.values()}
    known |= {word for category, name in kept.items() for word in (name, str(category))}
    unknown = [name for name in (*names, *categories) if name not in known]
    if unknown:
        raise ValueError(
            f"{file.name} has no {unknown[0]!r}; its videos: "
            f"{', '.join(v.name for v in list(file.videos.values())[:5])}, ...; its categories: "
            f"{', '.join(file.categories.values())}"
        )
    tracks = file.tracks
    if tracks is not None:
        tracks = [t for t in tracks if t.video_id in chosen and t.category_id in kept]
    return AnnotationFile(file.name, chosen, kept, tracks)


def parse_predictions(
    results: Sequence[Any], annotations: AnnotationFile, name: str
) -> list[Track]:
    """Check parsed results, but for their masks, and give them the ids of their annotations.

    Raises:
        ValueError: about the first prediction that is wrong: see `track_problems`.
    """
    tracks = []
    for k, entry in enumerate(results):
        where = f"{name}, prediction {k}"
        for problem in track_problems(entry, annotations, where, scored=True):
            raise ValueError(f"{problem} (tagvis check-submission finds all such problems)")
        category = entry.get("category_id", min(annotations.categories))
        score = float(entry["score"])
        tracks.append(
            Track(entry["video_id"], category, entry["segmentations"], where, score=score)
        )
    return tracks


def track_problems(
    entry: Any, annotations: AnnotationFile, where: str, *, scored: bool
) -> Iterator[str]:
    """What is wrong with a prediction, or an annotation (not `scored`), its masks aside."""
    needed = ["video_id", "category_id", "segmentations"] + ["score"] * scored
    if annotations.categories == ONE_CATEGORY:
        needed.remove("category_id")
    if not isinstance(entry, dict):
        yield f"{where} is {entry!r:.40}, expected an object with {', '.join(needed)}"
        return
    missing = [key for key in needed if key not in entry]
    if missing:
        yield f"{where} has no {', '.join(missing)}"
        return
    category = entry.get("category_id", min(annotations.categories))
    if not _is_key(category, annotations.categories):
        ids = sorted(annotations.categories)
        yield (
            f"{where}: category_id {category!r:.40} is not among the annotation file's "
            f"{len(ids)}: {ids[0]} to {ids[-1]}"
        )
    if scored and not is_finite(entry["score"]):
        yield f"{where}: score {entry['score']!r:.40} is no finite number"
    segmentations = entry["segmentations"]
    if not _is_key(entry["video_id"], annotations.videos):
        yield f"{where}: video_id {entry['video_id']!r:.40} is not among the file's videos"
    elif not isinstance(segmentations, list):
        yield f"{where}: 'segmentations' is {segmentations!r:.40}, expected a list"
    else:
        video = annotations.videos[entry["video_id"]]
        if len(segmentations) != video.length:
            yield (
                f"{where}: {len(segmentations)} segmentations, but video {entry['video_id']} has "
                f"{video.length} frames: one for each frame, null where it is absent"
            )


def is_finite(value: Any) -> bool:
    """Whether this is a number that a float can hold; true and false are none."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and bool(abs(value) <= sys.float_info.max)


def _is_key(value: Any, known: Mapping[int, object]) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value in known


def _get(entry: Any, key: str, kind: type, where: str) -> Any:
    """`entry[key]`, which must be of exactly this type (true is no int)."""
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is a json {type(entry).__name__}, expected an object")
    if key not in entry:
        raise ValueError(f"{where} has no {key!r}: it is not of the YouTube-VIS layout")
    if type(entry[key]) is not kind:
        raise ValueError(f"{where}: {key!r} is {entry[key]!r:.60}, expected {kind.__name__}")
    return entry[key]


def _categories(data: dict[str, Any], name: str) -> dict[int, str]:
    categories: dict[int, str] = {}
    for k, entry in enumerate(_get(data, "categories", list, name)):
        where = f"{name}, categories[{k}]"
        category = _get(entry, "id", int, where)
        if category in categories:
            raise ValueError(f"{where}: id {category} is that of another category")
        categories[category] = str(entry.get("name", category))
    if not categories:
        raise ValueError(f"{name} has no categories: list at least one, or leave the key out")
    return categories


def _videos(data: Any, name: str) -> dict[int, AnnotatedVideo]:
    entries: dict[int, tuple[tuple[int, int], int, tuple[str, ...]]] = {}
    for k, entry in enumerate(_get(data, "videos", list, name)):
        where = f"{name}, videos[{k}]"
        video_id = _get(entry, "id", int, where)
        if video_id in entries:
            raise ValueError(f"{where}: id {video_id} is that of another video")
        height, width = (_get(entry, key, int, where) for key in ("height", "width"))
        if min(height, width) < 1 or height * width >= 2**31:
            raise ValueError(f"{where}: height x width is {height} x {width} pixels")
        paths: tuple[str, ...] = ()
        if entry.get("file_names") is not None:
            paths = tuple(_path(n, where) for n in _get(entry, "file_names", list, where))
        length = entry.get("length", len(paths))
        if type(length) is not int or length < 1 or len(paths) not in (0, length):
            raise ValueError(f"{where}: {len(paths)} file_names for 'length' {length!r:.20}")
        entries[video_id] = ((height, width), length, paths)
    if not entries:
        raise ValueError(f"{name} has no videos: list at least one")
    names = _video_names({video_id: paths for video_id, (_, _, paths) in entries.items()}, name)
    return {
        video_id: AnnotatedVideo(names[video_id], size, length, paths)
        for video_id, (size, length, paths) in entries.items()
    }


def _path(file_name: Any, where: str) -> str:
    """A path of a frame, with slashes, however they are written."""
    if isinstance(file_name, str) and _PLAIN_PATH.fullmatch(file_name):
        return file_name  # as nearly all are
    path = PurePosixPath(file_name.replace("\\", "/") if isinstance(file_name, str) else "")
    hidden = any(part.startswith(".") or part != part.strip() for part in path.parts)
    too_long = any(len(part) > LONGEST_NAME for part in path.parts)
    if not path.name or path.is_absolute() or hidden or too_long or ODD_NAME.match(str(path)):
        raise ValueError(
            f"{where}: file name {file_name!r:.80} is no path inside the folder of frames "
            "(a string of letters that a disk takes, no '..', no drive, nothing hidden)"
        )
    return str(path)


def _video_names(paths: Mapping[int, tuple[str, ...]], name: str) -> dict[int, str]:
    """The folder of each video; its whole path where two folders have the same last name."""
    folders = {video_id: PurePosixPath(*p[:1]).parent for video_id, p in paths.items()}
    for join in (lambda folder: folder.name, lambda folder: "_".join(folder.parts)):
        names = {video_id: join(f) or str(video_id) for video_id, f in folders.items()}
        twice = [found for found, number in Counter(names.values()).items() if number > 1]
        if not twice:
            return names
    raise ValueError(f"{name}, videos: two have the folder {twice[0]!r}: give each its own")


def _annotation(entry: Any, public: AnnotationFile, where: str) -> Track:
    for problem in track_problems(entry, public, where, scored=False):
        raise ValueError(problem)
    video = public.videos[entry["video_id"]]
    wanted = list(video.size)
    for t, segmentation in enumerate(entry["segmentations"]):
        if segmentation and not is_compressed(segmentation, wanted):
            check_segmentation(segmentation, video.size, f"{where}, segmentation {t}")
    crowd = entry.get("iscrowd", 0)
    if crowd not in (0, 1):
        raise ValueError(f"{where}: 'iscrowd' is {crowd!r:.60}, expected 0 or 1")
    areas = entry.get("areas")
    if areas is not None and (
        not isinstance(areas, list)
        or len(areas) != video.length
        or not all(area is None or is_finite(area) for area in areas)
    ):
        raise ValueError(f"{where}: 'areas' must hold a number or null for each frame")
    category = entry.get("category_id", min(public.categories))
    return Track(
        entry["video_id"], category, entry["segmentations"], where, bool(crowd), areas or None
    )
