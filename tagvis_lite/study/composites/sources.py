"""What composites are made of: scenes and cut-outs, decoded once to the size they are used at.

    Scene     a sequence, or a still, with its own label maps: what lies below
    CutOut    an object while it is whole, as small pictures with opacity: what is pasted
    Sources   all of some sequences

A composite then decodes nothing: it copies, warps and blends a few small arrays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.data.davis import (
    OF_2016,
    find_list,
    frames_folder,
    read_list,
    read_sequence,
    split_lists,
)
from tagvis_lite.data.images import at_home
from tagvis_lite.study.composites.stills import coco_stills
from tagvis_lite.video import BACKGROUND, VOID, Video

SIZE = (160, 284)
"""H x W of a composite: a third of the 480p frames of DAVIS."""
MARGIN = 1.25
"""Size of a scene over that of the composite, which a camera can move in."""
DETAIL = 1.25
"""Resolution of a cut-out over that of the composite: it can be pasted larger than it was."""
MIN_RUN = 8
"""Frames in a row that an object of a video must be whole to be cut out."""
MIN_AREA = 1 / 400
"""Smallest mean area of an object that is cut out, as a share of the frame."""
PARTS = Path(__file__).with_name("parts.json")
"""Which sequences of DAVIS train, choose the weights, and are kept for the test: fixed before any
training on composites."""


@dataclass(frozen=True)
class Scene:
    """A sequence or a still to paste over.

    Attributes:
        name: of the sequence.
        frames: uint8, T x h x w x 3, RGB; T is 1 for a still.
        ids: uint8, T x h x w: its own objects, and void (255).
        own: ids of its own objects.
    """

    name: str
    frames: np.ndarray
    ids: np.ndarray
    own: tuple[int, ...]


@dataclass(frozen=True)
class CutOut:
    """An object while it is whole: it is there and touches no side of the frame.

    Attributes:
        scene: name of the sequence that it is of.
        instance: its id there.
        pictures: of each frame, uint8 h x w x 4: colour times opacity, and opacity.
        offsets: float64, frames x 2: x and y of each picture's centre, from their mean, in pixels.
        extent: square root of the area of its bounding box, mean over frames, in pixels.
    """

    scene: str
    instance: int
    pictures: tuple[np.ndarray, ...]
    offsets: np.ndarray
    extent: float


@dataclass(frozen=True)
class Sources:
    """Scenes and cut-outs of some sequences, for composites of `size` (H x W)."""

    scenes: tuple[Scene, ...]
    cut_outs: tuple[CutOut, ...]
    size: tuple[int, int]


def read_parts(path: Path = PARTS) -> dict[str, list[str]]:
    """Names of the sequences of each split, `train`, `validation` and `test`."""
    try:
        parts: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(name, str) for names in parts.values() for name in names):
            return parts
    except (ValueError, AttributeError, TypeError):
        pass
    raise ValueError(f'{path} is not of the kind {{"train": ["bear", ...], "test": [...]}}')


def read_sources(
    roots: Sequence[Path], names: Collection[str] | None = None, size: tuple[int, int] = SIZE
) -> Sources:
    """Decode every frame of some sequences once.

    Args:
        roots: folders in the layout of DAVIS 2017 or 2016; a sequence of one frame is a still.
        names: which sequences of them; all when not given.
        size: H x W of the composites to be made.

    Raises:
        ValueError: no sequence of these names has label maps; or what `read_davis` raises.
    """
    return decode_sources(sequences(roots, names), size)


def decode_sources(videos: Sequence[Video], size: tuple[int, int] = SIZE) -> Sources:
    """Scenes and cut-outs of some videos with label maps; one of a single frame is a still."""
    scenes: list[Scene] = []
    cut_outs: list[CutOut] = []
    for video in tqdm(videos, "decode sources", unit="video", delay=2, disable=None):
        scene, cuts = _decode(video, size)
        scenes.append(scene)
        cut_outs += cuts
    return Sources(tuple(scenes), tuple(cut_outs), size)


def sequences(
    roots: Sequence[Path], names: Collection[str] | None = None, split: str | None = None
) -> list[Video]:
    """The sequences of some roots that have label maps; those of DAVIS 2016 have one object.

    Args:
        roots: see `read_sources`; or COCO annotation files, see `coco_stills`.
        names: which sequences; all when not given.
        split: only those on this list, in a root that has lists.

    Raises:
        ValueError: there is none; or what `read_davis` raises.
    """
    videos = []
    for root in roots:
        if root.suffix == ".json":
            stills = coco_stills(at_home(root))
            videos += [video for video in stills if names is None or video.name in names]
            continue
        frames, lists = frames_folder(at_home(root)), split_lists(at_home(root))
        single_object = bool(lists) and all(path.parent.name in OF_2016 for path in lists)
        there = sorted(path.name for path in frames.iterdir() if path.is_dir())
        if lists and split is not None:
            there = read_list(find_list(at_home(root), split))
        for name in there:
            if names is None or name in names:
                videos.append(read_sequence(frames / name, single_object))
    labelled = [video for video in videos if video.ids is not None]
    if not labelled:
        raise ValueError(
            f"{', '.join(map(str, roots))}: no sequence with label maps"
            + (f" among {', '.join(sorted(names)[:5])}, ..." if names else "")
            + ": composites need masks"
        )
    return labelled


def _decode(video: Video, size: tuple[int, int]) -> tuple[Scene, list[CutOut]]:
    """The scene of a sequence, and a cut-out for the longest time that each object is whole."""
    scene_size = (round(MARGIN * size[0]), round(MARGIN * size[1]))
    frames, ids = [], []
    runs: dict[int, list[_Cut]] = {}
    best: dict[int, list[_Cut]] = {}
    for t in range(len(video)):
        frame, labels = video.read_frames([t])[0], video.read_ids([t])[0]
        frames.append(cover(frame, scene_size))
        ids.append(cover(labels, scene_size, labels=True))
        whole = _whole_objects(frame, labels, min(1.0, DETAIL * size[0] / labels.shape[0]))
        for instance in runs.keys() - whole.keys():
            runs[instance] = []
        for instance, cut in whole.items():
            run = runs.setdefault(instance, [])
            run.append(cut)
            if len(run) > len(best.get(instance, [])):
                best[instance] = run  # it may grow on
    long_enough = 1 if len(video) == 1 else MIN_RUN
    cut_outs = []
    for instance, run in sorted(best.items()):
        if len(run) >= long_enough and np.mean([c.share for c in run]) >= MIN_AREA:
            centres = np.array([cut.centre for cut in run])
            extent = float(np.mean([cut.extent for cut in run]))
            pictures = tuple(cut.picture for cut in run)
            offsets = centres - centres.mean(axis=0)
            cut_outs.append(CutOut(video.name, instance, pictures, offsets, extent))
    own = set(np.unique(ids).tolist()) - {BACKGROUND, VOID}
    return Scene(video.name, np.stack(frames), np.stack(ids), tuple(sorted(own))), cut_outs


@dataclass(frozen=True)
class _Cut:
    """A whole object in one frame; `share` is its area over that of the frame."""

    picture: np.ndarray
    centre: tuple[float, float]
    extent: float
    share: float


def _whole_objects(frame: np.ndarray, ids: np.ndarray, scale: float) -> dict[int, _Cut]:
    """Every object that touches no side of the frame, resized by `scale`."""
    rim = set(np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]]).tolist())
    found = {}
    for instance in set(np.flatnonzero(np.bincount(ids.ravel())).tolist()) - rim:
        if instance in (BACKGROUND, VOID):
            continue
        mask = ids == instance
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        box = (slice(top, bottom), slice(left, right))
        opacity = np.where(mask[box], np.uint8(255), np.uint8(0))[..., None]
        picture = np.concatenate([frame[box] * mask[box][..., None], opacity], axis=2)
        shape = (max(1, round(scale * (right - left))), max(1, round(scale * (bottom - top))))
        found[instance] = _Cut(
            cv2.resize(picture, shape, interpolation=cv2.INTER_AREA),
            (scale * (left + right) / 2, scale * (top + bottom) / 2),
            scale * float(np.sqrt((right - left) * (bottom - top))),
            np.count_nonzero(mask) / mask.size,
        )
    return found


def cover(image: np.ndarray, size: tuple[int, int], *, labels: bool = False) -> np.ndarray:
    """Resize to fill `size` (H x W) and cut off what stands out, evenly; `labels` keep values."""
    scale = max(size[0] / image.shape[0], size[1] / image.shape[1])
    height = max(size[0], round(scale * image.shape[0]))
    width = max(size[1], round(scale * image.shape[1]))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if labels:
        how = cv2.INTER_NEAREST_EXACT
    resized = cv2.resize(image, (width, height), interpolation=how)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return np.ascontiguousarray(resized[top : top + size[0], left : left + size[1]])
