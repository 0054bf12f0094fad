"""YouTube-VIS 2019 and 2021: frames in folders, and one json with an RLE per instance and frame.

    <root>/<split>/JPEGImages/<video>/00000.jpg
    <root>/<split>/instances.json            2021; in 2019 it lies beside the folder of the split

The json is checked as a whole when it is read (`youtube_vis_json`), but for the runs inside its
RLEs: those are decoded, and checked, frame by frame when label maps are asked for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from tagvis_lite.atomic import replacing, replacing_folder
from tagvis_lite.data.images import (
    ImageFrames,
    check_file_name,
    frames_to_write,
    write_jpeg,
)
from tagvis_lite.data.rle import decode_mask, encode_ids, read_tracks
from tagvis_lite.data.youtube_vis_json import (
    AnnotatedVideo,
    Track,
    parse_json,
    read_annotations,
)
from tagvis_lite.video import VOID, Frames, Video

PER_FRAME = ("segmentations", "bboxes", "areas")
"""What an annotation has for each frame; a box is [x, y, width, height] in pixels."""


@dataclass(frozen=True)
class YoutubeVIS:
    """An annotation file.

    Attributes:
        videos: in the order of the file, named after the folders of their frames.
        categories: name of each category, by the number it has in `videos`: its id in the file if
            all are from 1 to 254, else counted from 1 in the order of the ids.
        video_ids, category_ids: id in the file of each video and category; results carry them.
    """

    videos: list[Video]
    categories: dict[int, str]
    video_ids: dict[str, int]
    category_ids: dict[int, int]


# ---------------------------------------------------------------- reading


def read_youtube_vis(
    annotations: str | Path,
    frames_root: str | Path | None = None,
    *,
    require_frames: bool = True,
    truth: bool = True,
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
        truth: without it, annotations are not looked at, and every `ids` is None.

    Raises:
        OSError: no such json or folder; with `require_frames`, no first frame of a video.
        ValueError: not json, not of this layout, or inconsistent; the message names the entry.
    """
    file = read_annotations(annotations, truth=truth)
    folder = None if frames_root is None else _frames_folder(Path(frames_root))
    as_they_come = all(1 <= category < VOID for category in file.categories)
    number_of = {
        category: category if as_they_come else k
        for k, category in enumerate(sorted(file.categories), start=1)
    }
    if len(number_of) >= VOID:
        raise ValueError(f"{file.name} has {len(number_of)} categories: at most 254 are supported")
    tracks: dict[int, list[Track]] = defaultdict(list)
    for track in file.tracks or ():
        tracks[track.video_id].append(track)

    videos = []
    for video_id, entry in file.videos.items():
        numbered = _numbered(entry, tracks[video_id])
        videos.append(
            Video(
                name=entry.name,
                frames=_frames(entry, folder, file.name, require_frames),
                ids=None
                if file.tracks is None
                else RleLabelMaps(tuple(numbered), entry.size, entry.length),
                categories={
                    instance: number_of[track.category_id]
                    for instance, track in numbered
                    if instance != VOID
                },
                frame_names=[PurePosixPath(name).stem for name in entry.file_names],
            )
        )
    return YoutubeVIS(
        videos,
        {number_of[category]: name for category, name in file.categories.items()},
        {entry.name: video_id for video_id, entry in file.videos.items()},
        {number: category for category, number in number_of.items()},
    )


def _numbered(video: AnnotatedVideo, tracks: Iterable[Track]) -> list[tuple[int, Track]]:
    """Tracks and their ids in the label maps."""
    numbered: list[tuple[int, Track]] = []
    instances = 0
    for track in tracks:
        instances += not track.crowd
        if instances >= VOID:
            raise ValueError(f"{track.where}: video {video.name!r} has more than 254 instances")
        numbered.append((VOID if track.crowd else instances, track))
    return numbered


def _frames(video: AnnotatedVideo, folder: Path | None, annotations: str, require: bool) -> Frames:
    if folder is None:
        return NoFrames(annotations, video.length)
    if not video.file_names:
        raise ValueError(
            f"{annotations}: video {video.name!r} has no 'file_names', so its frames cannot be "
            f"found in {folder}: list them, or read the file without frames"
        )
    paths = tuple(folder / name for name in video.file_names)
    if require and not paths[0].is_file():
        raise FileNotFoundError(
            f"{paths[0]}: no such frame, the first of video {video.name!r} in {annotations}; "
            "download it, or give the folder that holds JPEGImages as frames_root"
        )
    return ImageFrames(paths, video.size)


@dataclass(frozen=True)
class NoFrames:
    """Frames of a json that was read without a folder of frames: a length, and an error."""

    annotations: str
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int, /) -> np.ndarray:
        raise ValueError(
            f"{self.annotations} was read without its frames: pass frames_root, the folder that "
            "holds JPEGImages, to read_youtube_vis"
        )


@dataclass(frozen=True)
class RleLabelMaps:
    """Label maps, uint8 H x W, painted from the tracks of a video when they are asked for.

    Attributes:
        tracks: all instances, each with its id.
        size: H x W.
        length: T.
    """

    tracks: tuple[tuple[int, Track], ...]
    size: tuple[int, int]
    length: int

    def __len__(self) -> int:
        return self.length

    def look(self) -> None:
        """Check the runs of all masks; nothing is decoded. Raises what reading them would raise."""
        tracks = [track for _, track in self.tracks]
        read_tracks([t.segmentations for t in tracks], self.size, [t.where for t in tracks])

    def __getitem__(self, index: int, /) -> np.ndarray:
        if not -self.length <= index < self.length:
            raise IndexError(f"label map {index} of a video of {self.length} frames")
        t = index % self.length
        masks = [
            (instance, decode_mask(track.segmentations[t], self.size, track.where, t))
            for instance, track in self.tracks
            if track.segmentations[t]
        ]
        ids = np.zeros(self.size, np.uint8)
        for instance, mask in sorted(masks, key=lambda m: (m[0] != VOID, -np.count_nonzero(m[1]))):
            ids[mask] = instance
        return ids


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

    Masks are exact, frames JPEGs of quality 95. Void is written as background: the format has none.
    The frames of a video appear at once, and the json last: a killed run leaves no half of either.
    Nothing that is there already is overwritten.

    Args:
        root: made if it is missing.
        videos: with label maps; taken one at a time. An id that no frame shows is not written.
        categories: name of each category id.
        split: name of the folder.
        resume: go on with the split of a killed run; frames that are there are left alone.

    Raises:
        FileExistsError: without `resume`, the split, or a video of one of the names, is there.
        ValueError: no videos or label maps, no category of an id, or see `frames_to_write`.
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
        tracks: dict[int, dict[str, list[Any]]] = {}
        height = width = 0
        for t, ids in enumerate(_write_frames(video, folder)):
            height, width = ids.shape
            for instance, rle in encode_ids(ids).items():
                if instance != VOID:
                    empty = {key: [None] * len(video) for key in PER_FRAME}
                    track = tracks.setdefault(instance, empty)
                    mask = (ids == instance).view(np.uint8)
                    of_frame = (rle, list(cv2.boundingRect(mask)), cv2.countNonZero(mask))
                    for key, value in zip(PER_FRAME, of_frame, strict=True):
                        track[key][t] = value
        entries.append(
            {
                "id": video_id,
                "width": width,
                "height": height,
                "length": len(video),
                "file_names": [f"{video.name}/{name}.jpg" for name in video.frame_names],
            }
        )
        for instance, track in sorted(tracks.items()):
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
            annotations.append(annotation | track)
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


def write_held_out(annotations: str | Path, path: str | Path) -> int:
    """Write the annotations of every tenth video, which no training on `annotations` looks at.

    The public validation set has no annotations, so scores of one's own need such a part. Ids stay
    what they are. The frames are those of the whole.

    Returns:
        Number of videos.

    Raises:
        FileNotFoundError, ValueError: see `read_annotations`; or no annotations to part.
    """
    source = Path(annotations)
    if read_annotations(source).tracks is None:
        raise ValueError(f"{source} has no annotations to hold out: give the training set")
    data = parse_json(source.read_bytes(), source)
    data["videos"] = data["videos"][::10]
    kept = {video["id"] for video in data["videos"]}
    data["annotations"] = [a for a in data["annotations"] if a["video_id"] in kept]
    with replacing(Path(path)) as temporary:
        temporary.write_text(json.dumps(data), encoding="utf-8")
    return len(kept)


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
