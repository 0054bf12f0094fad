"""Decoded frames of a data set on disk, read through memory maps instead of JPEG decoding.

    <root>/frame_cache/<video>-<fingerprint>.npy    uint8, T x H x W x 3, RGB

Without a cache a clip decodes its own frames and nothing else: memory is bounded by the clip, and
time is spent in the decoder. With one, disk space is spent instead, T x H x W x 3 bytes a video.
The system drops pages of a memory map when it needs the memory. The fingerprint is of the names,
sizes and times of the image files; a cache that does not match them is not read.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.atomic import replacing
from tagvis_lite.data.files import ImageFrames
from tagvis_lite.video import Video

FOLDER = "frame_cache"


@dataclass(frozen=True)
class MappedFrames:
    """T frames of one file, each uint8 H x W x 3 RGB, copied when it is asked for.

    The file is open only while a frame is read: thousands of videos need no thousands of open
    files, and it pickles as its path.

    Attributes:
        path: a .npy file.
        shape: T x H x W x 3.
    """

    path: Path
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray:
        return np.array(np.load(self.path, mmap_mode="r")[index])


def frame_cache_size(videos: Sequence[Video]) -> int:
    """Bytes that the cache of all these videos takes."""
    return sum(math.prod(_shape(video.frames)) for video in videos if _images(video))


def write_frame_cache(videos: Sequence[Video], root: Path, *, max_bytes: int) -> Path:
    """Decode every frame once, or go on where that stopped.

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
    paths = {
        video.name: _path(video.frames, video.name, folder) for video in videos if _images(video)
    }
    total = frame_cache_size(videos)
    if total > max_bytes:
        raise ValueError(
            f"the decoded frames of {root} take {total / 1e9:.2f} GB, but {max_bytes / 1e9:.2f} GB "
            "are allowed: allow more (--max-gb), or train without a cache"
        )
    waiting = [v for v in videos if v.name in paths and not paths[v.name].is_file()]
    needed, free = frame_cache_size(waiting), shutil.disk_usage(root).free
    if needed > free:
        raise OSError(
            f"{folder} needs {needed / 1e9:.2f} GB more, but the disk has {free / 1e9:.2f} GB"
        )
    for video in tqdm(waiting, "decode", unit="video", mininterval=1.0, disable=None):
        shape = _shape(video.frames)
        with replacing(paths[video.name]) as temporary:
            frames = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
            for t in range(len(video)):
                frames[t] = video.read_frames([t])[0]
            frames.flush()
            del frames
    return folder


def from_frame_cache(videos: Sequence[Video], root: Path) -> list[Video]:
    """The same videos; those that are in the cache of `root` read their frames from it."""
    folder = root / FOLDER
    if not folder.is_dir():
        return list(videos)
    return [_cached(video, folder) for video in videos]


def _cached(video: Video, folder: Path) -> Video:
    if not _images(video):
        return video
    path = _path(video.frames, video.name, folder)
    if not path.is_file():
        return video
    return replace(video, frames=MappedFrames(path, _shape(video.frames)))


def _images(video: Video) -> bool:
    return isinstance(video.frames, ImageFrames)


def _shape(frames: object) -> tuple[int, ...]:
    assert isinstance(frames, ImageFrames)
    return (len(frames), *frames.size, 3)


def _path(frames: object, name: str, folder: Path) -> Path:
    assert isinstance(frames, ImageFrames)
    digest = hashlib.sha256()
    for path in frames.paths:
        there = path.stat()
        digest.update(f"{path.name} {there.st_size} {there.st_mtime_ns}\n".encode())
    return folder / f"{name}-{digest.hexdigest()[:16]}.npy"
