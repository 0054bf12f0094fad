"""YouTube-VIS 2019 and 2021: frames in folders, and one json with an RLE per instance and frame.

    <root>/<split>/JPEGImages/<video>/00000.jpg
    <root>/<split>/instances.json            2021; in 2019 it lies beside the folder of the split

    {"videos":      [{"id", "width", "height", "length", "file_names": ["<video>/00000.jpg", ...]}],
     "categories":  [{"id", "name"}],
     "annotations": [{"id", "video_id", "category_id", "iscrowd",
                      "segmentations": [RLE or null, for each frame], "bboxes", "areas"}]}

The json is checked as a whole when it is read, but for the runs inside its RLEs: those are decoded,
and checked, frame by frame when label maps are asked for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tagvis_lite.atomic import replacing, replacing_folder
from tagvis_lite.data.files import (
    ImageFrames,
    check_file_name,
    frames_to_write,
    write_jpeg,
)
from tagvis_lite.data.segmentation import check_segmentation, decode_segmentation
from tagvis_lite.video import BACKGROUND, VOID, Frames, Video

MAX_SIDE = 2**15
"""Largest height or width taken for real, in pixels."""


@dataclass(frozen=True)
class YoutubeVIS:
    """An annotation file.

    Attributes:
        videos: in the order of the file, named after the folders of their frames.
        categories: name of each category id. 2019 and 2021 order their 40 differently.
        video_ids: id in the file of each video name, which results must carry.
    """

    videos: list[Video]
    categories: dict[int, str]
    video_ids: dict[str, int]


# ---------------------------------------------------------------- reading


def read_youtube_vis(
    annotations: str | Path, frames_root: str | Path | None = None, *, require_frames: bool = True
) -> YoutubeVIS:
    """Read an annotation file; frames and label maps are decoded when they are asked for.

    Instances of a video are numbered from 1 in the order of their annotations. Where masks overlap,
    the one of fewer pixels in that frame is on top; of two equal ones, the later annotation. Crowds
    (`iscrowd` 1) are void (255), below all instances. `ids` is None if the file has no annotations
    at all, as in the public part of the validation and test sets.

    Args:
        annotations: the json.
        frames_root: folder that holds `JPEGImages/<file name>` or `<file name>`. Without it,
            frames cannot be decoded, but label maps can.
        require_frames: look whether the first frame of each video is there.

    Raises:
        FileNotFoundError: no such json; with `require_frames`, no first frame of a video.
        NotADirectoryError: no folder `frames_root`.
        ValueError: not json, not of this layout, or inconsistent; the message names the entry.
    """
    path = Path(annotations)
    data = _load(path)
    categories = _read_categories(data, path)
    entries = _read_videos(data, path)
    tracks = _read_annotations(data, path, entries, categories)

    folder = None if frames_root is None else _frames_folder(Path(frames_root))
    videos = []
    for video_id, entry in entries.items():
        frames: Frames = NoFrames(path, len(entry.file_names))
        if folder is not None:
            paths = tuple(folder / name for name in entry.file_names)
            if require_frames and not paths[0].is_file():
                raise FileNotFoundError(
                    f"{paths[0]}: no such frame, the first of video {entry.name!r} in {path}; "
                    "download it, or give the folder that holds JPEGImages as frames_root"
                )
            frames = ImageFrames(paths, entry.size)
        of_video = None if tracks is None else tracks[video_id]
        videos.append(
            Video(
                name=entry.name,
                frames=frames,
                ids=None
                if of_video is None
                else RleLabelMaps(tuple(of_video), entry.size, len(entry.file_names)),
                categories={
                    track.instance: track.category
                    for track in of_video or ()
                    if track.instance != VOID
                },
                frame_names=[PurePosixPath(name).stem for name in entry.file_names],
            )
        )
    video_ids = {entry.name: video_id for video_id, entry in entries.items()}
    return YoutubeVIS(videos, categories, video_ids)


@dataclass(frozen=True)
class NoFrames:
    """Frames of a json that was read without a folder of frames: a length, and an error."""

    annotations: Path
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int, /) -> np.ndarray:
        raise ValueError(
            f"{self.annotations} was read without its frames: pass frames_root, the folder that "
            "holds JPEGImages, to read_youtube_vis"
        )


@dataclass(frozen=True)
class VideoEntry:
    """What the json says about a video; `size` is H x W."""

    name: str
    size: tuple[int, int]
    file_names: list[str]


@dataclass(frozen=True)
class Track:
    """One annotation: its id in the label maps (255 if a crowd), its category, T segmentations."""

    instance: int
    category: int
    segmentations: Sequence[Any]
    where: str


@dataclass(frozen=True)
class RleLabelMaps:
    """Label maps, uint8 H x W, painted from the tracks of a video when they are asked for.

    Attributes:
        tracks: of all instances.
        size: H x W.
        length: T.
    """

    tracks: tuple[Track, ...]
    size: tuple[int, int]
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int, /) -> np.ndarray:
        if not -self.length <= index < self.length:
            raise IndexError(f"label map {index} of a video of {self.length} frames")
        masks = []
        for track in self.tracks:
            segmentation = track.segmentations[index]
            if segmentation:
                where = f"{track.where}, segmentation {index % self.length}"
                masks.append((track.instance, decode_segmentation(segmentation, self.size, where)))
        ids = np.zeros(self.size, np.uint8)
        for instance, mask in sorted(masks, key=lambda m: (m[0] != VOID, -np.count_nonzero(m[1]))):
            ids[mask] = instance
        return ids


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such annotation file")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid json ({error}): copy or download it again"
        ) from error
    if isinstance(data, list):
        raise ValueError(f"{path} is a list, as of results: give the file of annotations")
    if isinstance(data, dict) and "images" in data and "videos" in data:
        raise ValueError(
            f"{path} is a CocoVID file (one annotation per image): YouTube-VIS has no 'images', "
            "but 'file_names' in each video and 'segmentations' in each annotation; give the "
            "original json, or convert this one"
        )
    _get(data, "videos", list, str(path))
    return data


def _get(entry: Any, key: str, kind: type, where: str) -> Any:
    """`entry[key]`, which must be of exactly this type (true is no int)."""
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is a json {type(entry).__name__}, expected an object")
    if key not in entry:
        raise ValueError(f"{where} has no {key!r}: it is not of the YouTube-VIS layout")
    if type(entry[key]) is not kind:
        raise ValueError(f"{where}: {key!r} is {entry[key]!r:.60}, expected {kind.__name__}")
    return entry[key]


def _read_categories(data: dict[str, Any], path: Path) -> dict[int, str]:
    categories: dict[int, str] = {}
    for k, entry in enumerate(_get(data, "categories", list, str(path))):
        where = f"{path}, categories[{k}]"
        category = _get(entry, "id", int, where)
        if category < 1 or category in categories:
            raise ValueError(f"{where}: id {category} is below 1, or stands twice: number from 1")
        categories[category] = _get(entry, "name", str, where)
    if not categories:
        raise ValueError(f"{path} has no categories: list at least one")
    return categories


def _read_videos(data: dict[str, Any], path: Path) -> dict[int, VideoEntry]:
    """Videos by their ids."""
    entries: dict[int, VideoEntry] = {}
    names: set[str] = set()
    for k, entry in enumerate(data["videos"]):
        where = f"{path}, videos[{k}]"
        video_id = _get(entry, "id", int, where)
        size = (_get(entry, "height", int, where), _get(entry, "width", int, where))
        if not (min(size) > 0 and max(size) <= MAX_SIDE):
            raise ValueError(f"{where}: height x width is {size}, expected 1 to {MAX_SIDE}")
        file_names = _get(entry, "file_names", list, where)
        length = entry.get("length", len(file_names))
        if not file_names or length != len(file_names):
            raise ValueError(f"{where}: {len(file_names)} file_names for 'length' {length!r:.20}")
        for name in file_names:
            if not isinstance(name, str):
                raise ValueError(f"{where}: file name {name!r:.60} is no string")
            for part in name.split("/"):
                check_file_name(part, f"{where}, file name {name[:80]!r}")
        name = PurePosixPath(file_names[0]).parent.name or str(video_id)
        if video_id in entries or name in names:
            raise ValueError(f"{where}: id {video_id} or folder {name!r} is that of another video")
        names.add(name)
        entries[video_id] = VideoEntry(name, size, file_names)
    if not entries:
        raise ValueError(f"{path} has no videos: list at least one")
    return entries


def _read_annotations(
    data: dict[str, Any],
    path: Path,
    videos: Mapping[int, VideoEntry],
    categories: Mapping[int, str],
) -> dict[int, list[Track]] | None:
    """Tracks of each video id; None if the file has no annotations."""
    if data.get("annotations") is None:
        return None
    tracks: dict[int, list[Track]] = defaultdict(list)
    numbers: dict[int, int] = defaultdict(int)
    for k, entry in enumerate(_get(data, "annotations", list, str(path))):
        where = f"{path}, annotations[{k}]"
        video_id = _get(entry, "video_id", int, where)
        category = _get(entry, "category_id", int, where)
        if video_id not in videos:
            raise ValueError(f"{where}: video_id {video_id} is not among the file's videos")
        if category not in categories:
            raise ValueError(f"{where}: category_id {category} is not among the file's categories")
        video = videos[video_id]
        segmentations = _get(entry, "segmentations", list, where)
        if len(segmentations) != len(video.file_names):
            raise ValueError(
                f"{where}: {len(segmentations)} segmentations, but video {video.name!r} has "
                f"{len(video.file_names)} frames: one for each frame, null where it is absent"
            )
        for t, segmentation in enumerate(segmentations):
            check_segmentation(segmentation, video.size, f"{where}, segmentation {t}")
        crowd = entry.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise ValueError(f"{where}: 'iscrowd' is {crowd!r:.60}, expected 0 or 1")
        if not crowd:
            numbers[video_id] += 1
        if numbers[video_id] >= VOID:
            raise ValueError(f"{where}: video {video.name!r} has more than 254 instances")
        instance = VOID if crowd else numbers[video_id]
        tracks[video_id].append(Track(instance, category, segmentations, where))
    return tracks


def _frames_folder(root: Path) -> Path:
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder of frames")
    return root / "JPEGImages" if (root / "JPEGImages").is_dir() else root


# ---------------------------------------------------------------- writing


def write_youtube_vis(
    root: str | Path,
    videos: Iterable[Video],
    categories: Mapping[int, str],
    split: str,
    *,
    resume: bool = False,
) -> None:
    """Write videos in the layout of 2021: `<root>/<split>/JPEGImages` and `.../instances.json`.

    Masks are exact. Frames are JPEGs, as the layout demands, and JPEG is lossy (quality 95, full
    chroma resolution). Void pixels are written as background: the format has none. The frames of a
    video appear at once, and the json last: a killed run leaves no half of either. Nothing that is
    there already is overwritten.

    Args:
        root: made if it is missing.
        videos: with label maps; taken one at a time. An id that no frame shows is not written.
        categories: name of each category id.
        split: name of the folder.
        resume: go on with the split of a killed run: frames that are there are left alone, and
            label maps computed again.

    Raises:
        FileExistsError: without `resume`, the split, or a video of one of the names, is there.
        ValueError: no videos, one without label maps, an id without a category, a category
            without a name, or see `frames_to_write`.
    """
    check_file_name(split, "a split names a folder")
    path = Path(root) / split / "instances.json"
    if path.exists():
        if resume:
            return
        raise FileExistsError(f"{path} already exists: choose another split or root, or delete it")
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for video_id, video in enumerate(videos, start=1):
        check_file_name(video.name, "name of a video")
        if video.ids is None:
            raise ValueError(f"{path}: video {video.name!r} has no label maps to write")
        folder = path.parent / "JPEGImages" / video.name
        if folder.exists() and not resume:
            raise FileExistsError(
                f"{folder} already exists (two videos of one name, or the rest of a killed run): "
                "rename the video, choose another root, or delete it"
            )
        rles: dict[int, list[dict[str, Any] | None]] = {}
        height = width = 0
        for t, ids in enumerate(_write_frames(video, folder)):
            height, width = ids.shape
            for instance in np.unique(ids).tolist():
                if instance not in (BACKGROUND, VOID):
                    track = rles.setdefault(instance, [None] * len(video))
                    track[t] = coco_mask.encode(np.asfortranarray(ids == instance, np.uint8))
        entries.append(
            {
                "id": video_id,
                "width": width,
                "height": height,
                "length": len(video),
                "file_names": [f"{video.name}/{name}.jpg" for name in video.frame_names],
            }
        )
        for instance, track in sorted(rles.items()):
            category = video.categories.get(instance)
            if category not in categories:
                raise ValueError(
                    f"{path}: instance {instance} of video {video.name!r} has category {category}, "
                    f"expected one of {sorted(categories)}"
                )
            annotation = {
                "id": len(annotations) + 1,
                "video_id": video_id,
                "category_id": category,
                "iscrowd": 0,
                "height": height,
                "width": width,
                "length": len(video),
            }
            annotations.append(annotation | _masks_boxes_areas(track))
    if not entries:
        raise ValueError(f"{path}: no videos to write")
    data = {
        "info": {"description": f"{split}, in the layout of YouTube-VIS 2021"},
        "videos": entries,
        "categories": [
            {"id": category, "name": name, "supercategory": "object"}
            for category, name in sorted(categories.items())
        ],
        "annotations": annotations,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data), encoding="utf-8")


def _write_frames(video: Video, folder: Path) -> Iterator[np.ndarray]:
    """Write the frames of a video, unless they are there; yields its label maps on the way."""
    if folder.exists():
        yield from (video.read_ids([t])[0] for t in range(len(video)))
        return
    with replacing_folder(folder) as frames:
        for name, frame, ids in frames_to_write(video):
            write_jpeg(frames / f"{name}.jpg", frame)
            assert ids is not None
            yield ids


def _masks_boxes_areas(track: Sequence[dict[str, Any] | None]) -> dict[str, list[Any]]:
    """Per frame: RLE with its counts as text, box [x, y, width, height], area; None if absent."""
    return {
        "segmentations": [r and {**r, "counts": r["counts"].decode("ascii")} for r in track],
        "bboxes": [r and coco_mask.toBbox(r).tolist() for r in track],
        "areas": [r and int(coco_mask.area(r)) for r in track],
    }
