"""Decoded frames and label maps of a data set on disk, read through memory maps.

    <root>/frame_cache/<video>-frames-<fingerprint>.npy    uint8, T x H x W x 3, RGB
    <root>/frame_cache/<video>-ids-<fingerprint>.npy       uint8, T x H x W; DAVIS alone

Without a cache a clip decodes its own frames and nothing else: memory is bounded by the clip, and
time is spent in the decoder. With one, disk space is spent instead, a byte for each value. The
system drops pages of a memory map when it needs the memory. The fingerprint is of the names, sizes
and times of the image files; a cache that does not match them is not read. The label maps of
YouTube-VIS lie in memory as RLE already, and are not cached.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.format import write_array_header_1_0
from tqdm.auto import tqdm

from tagvis_lite.atomic import replacing
from tagvis_lite.data.davis import LabelMaps
from tagvis_lite.data.files import ImageFrames
from tagvis_lite.video import Video

FOLDER = "frame_cache"


@dataclass(frozen=True)
class MappedFrames:
    """T frames or label maps in one file, each copied from there when it is asked for.

    The file is open only while a frame is read: thousands of videos need no thousands of open
    files, and it pickles as its path.

    Attributes:
        path: a .npy file, uint8.
        length: T.
    """

    path: Path
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int, /) -> np.ndarray:
        return np.array(np.load(self.path, mmap_mode="r")[index])


def frame_cache_size(videos: Sequence[Video]) -> int:
    """Bytes that the cache of all these videos takes."""
    return sum(math.prod(entry.shape) for video in videos for entry in _entries(video))


def write_frame_cache(videos: Sequence[Video], root: Path, *, max_bytes: int) -> Path:
    """Decode every frame and label map once, or go on where that stopped.

    Videos that are no image files (those in memory, video files) are left out.

    Args:
        videos: of the data set.
        root: of the data set; the cache is a folder inside.
        max_bytes: what the cache may take.

    Returns:
        The folder.

    Raises:
        ValueError: the cache would be larger; or a damaged frame.
        OSError: the disk has less room.
    """
    folder = root / FOLDER
    total = frame_cache_size(videos)
    if total > max_bytes:
        raise ValueError(
            f"the decoded frames of {root} take {total / 1e9:.2f} GB, but {max_bytes / 1e9:.2f} GB "
            "are allowed: allow more (--max-gb), or train without a cache"
        )
    entries = [entry for video in videos for entry in _entries(video)]
    waiting = [entry for entry in entries if not (folder / entry.name).is_file()]
    needed = sum(math.prod(entry.shape) for entry in waiting)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise OSError(
            f"{folder} needs {needed / 1e9:.2f} GB more, but the disk has {free / 1e9:.2f} GB: "
            "free some, or train without a cache"
        )
    for entry in tqdm(waiting, "decode", unit="file", mininterval=1.0, disable=None):
        header = {"descr": "|u1", "fortran_order": False, "shape": entry.shape}
        # written as a file, not as a map: there a full disk would be a crash, not an error
        with replacing(folder / entry.name) as temporary, temporary.open("wb") as file:
            write_array_header_1_0(file, header)
            for t in range(len(entry.source)):
                file.write(entry.source[t].tobytes())
    return folder


def from_frame_cache(videos: Sequence[Video], root: Path) -> list[Video]:
    """The same videos; what is in the cache of `root` is read from there."""
    folder = root / FOLDER
    if not folder.is_dir():
        return list(videos)
    there = {path.name for path in folder.iterdir()}
    cached = []
    for video in videos:
        maps = {
            entry.what: MappedFrames(folder / entry.name, len(video))
            for entry in _entries(video)
            if entry.name in there
        }
        frames, ids = maps.get("frames", video.frames), maps.get("ids", video.ids)
        cached.append(replace(video, frames=frames, ids=ids))
    return cached


@dataclass(frozen=True)
class _Entry:
    """A file of the cache: of which field of the video, what it holds, and its name and shape."""

    what: Literal["frames", "ids"]
    source: ImageFrames | LabelMaps
    name: str
    shape: tuple[int, ...]


def _entries(video: Video) -> list[_Entry]:
    entries: list[_Entry] = []
    frames, ids = video.frames, video.ids
    if isinstance(frames, ImageFrames):
        name = f"{video.name}-frames-{_fingerprint(frames.paths)}.npy"
        entries.append(_Entry("frames", frames, name, (len(frames), *frames.size, 3)))
    if isinstance(ids, LabelMaps):
        kind = "object" if ids.single_object else "ids"
        name = f"{video.name}-{kind}-{_fingerprint(ids.paths)}.npy"
        entries.append(_Entry("ids", ids, name, (len(ids), *ids.size)))
    return entries


def _fingerprint(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        there = path.stat()
        digest.update(f"{path.name} {there.st_size} {there.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
