"""Video files: read whatever FFmpeg reads, and write what browsers play.

FFmpeg comes with PyAV. Where a file is damaged its decoder goes on behind the damage, and so does
this reader: what cannot be decoded is left out, and one line names the place.
"""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from tagvis_lite.atomic import replacing
from tagvis_lite.data.images import at_home
from tagvis_lite.video import Video

FRAMES_KEPT = 8
"""Decoded frames of a video file that stay in memory: those read last."""
ENCODERS = {
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"},
    "libopenh264": {},
    "libvpx-vp9": {},
}
"""What an mp4 may be encoded with, the first that this FFmpeg has: H.264 or VP9. Browsers,
JupyterLab, Colab and VS Code play both, and none of them plays the older MPEG-4 codec. With its
tree of macroblocks, x264 reads beyond a narrow frame, and the same frames make other bytes."""
WEBP_QUALITY = 80


# ---------------------------------------------------------------- reading


class VideoFrames:
    """Frames of a video file, each uint8 H x W x 3 RGB, decoded when it is asked for.

    Decoding goes forward from the frame read last, and starts over for an earlier one: exact where
    seeking is not (variable frame rate, missing key frames). It pickles as its path.

    Args:
        path: the file.
        count: T.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        self._count = count
        self._decoder: Iterator[av.VideoFrame] = iter(())
        self._position = count  # of the frame that the decoder gives next
        self._recent: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> np.ndarray:
        if not -self._count <= index < self._count:
            raise IndexError(f"frame {index} of {self.path}, which has {self._count}")
        index %= self._count
        if index not in self._recent:
            self._recent[index] = self._decode(index)
            if len(self._recent) > FRAMES_KEPT:
                self._recent.popitem(last=False)
        return self._recent[index].copy()

    def __reduce__(self) -> tuple[type[VideoFrames], tuple[Path, int]]:
        return VideoFrames, (self.path, self._count)

    def _decode(self, index: int) -> np.ndarray:
        if index < self._position:
            self._decoder, self._position = _decoded(self.path), 0
        for frame in self._decoder:
            self._position += 1
            if self._position == index + 1:
                pixels = frame.to_ndarray(format="rgb24")
                return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
        raise ValueError(
            f"{self.path}: frame {self._position} of {self._count} cannot be decoded: the file "
            "has changed since it was opened"
        )


def read_video_file(path: str | Path) -> Video:
    """A video file as a video without labels; it is decoded once, to count its frames.

    A rotation that the file asks for, as a phone's does, is obeyed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a video, cut off before its first frame, or of a codec that FFmpeg lacks.

    Warns:
        UserWarning: the file is damaged or cut off.
    """
    path = at_home(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such video file; a pipe or device is none")
    damaged: list[int] = []
    sizes: list[tuple[int, int]] = []
    for frame in tqdm(_decoded(path, damaged), path.name, unit="frame", delay=2):
        sizes.append((frame.height, frame.width))
        if sizes[-1] != sizes[0]:
            raise ValueError(
                f"{path} changes from {sizes[0]} to {sizes[-1]} (height, width) at frame "
                f"{len(sizes) - 1}: cut it there, or scale it to one size"
            )
    count = len(sizes)
    if count == 0:
        raise _no_video(path, "no frame can be decoded")
    declared, rate = _declared(path)
    if damaged or count < declared:
        places = ", ".join(str(t) for t in damaged[:10]) + ", ..." * (len(damaged) > 10)
        where = f"damaged at frame {places}, stepped over" if damaged else "cut off, or damaged"
        warnings.warn(f"{path} is {where}: {count} of {declared} frames are read", stacklevel=2)
    frames = VideoFrames(path, count)
    return Video(path.stem, frames) if rate is None else Video(path.stem, frames, fps=rate)


def _opened(path: Path) -> Any:
    try:
        container = av.open(path)
    except (av.error.FFmpegError, OSError) as error:
        raise _no_video(path, error.strerror or str(error)) from error
    if not container.streams.video:
        container.close()
        raise _no_video(path, "it holds no pictures")
    return container


def _no_video(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} cannot be read as a video ({reason}): it is no video, is cut off, or of a codec "
        "that FFmpeg lacks; convert it to H.264 in an mp4, or to a folder of images"
    )


def _decoded(path: Path, damaged: list[int] | None = None) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded, in order; `damaged` gets the numbers of those at a damage."""
    damaged = [] if damaged is None else damaged
    count = 0
    with _opened(path) as container:
        stream = container.streams.video[0]
        # A decoder that is dropped while threads of its own work can wait for them for ever, beside
        # those of torch (github.com/PyAV-Org/PyAV/issues/1962).
        stream.codec_context.thread_count = 1
        packets = container.demux(stream)
        while True:
            frames = []
            try:
                frames = next(packets).decode()
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError:
                damaged += [count] * (count not in damaged[-1:])
            for frame in frames:
                damaged += [count] * (frame.is_corrupt and count not in damaged[-1:])
                yield frame
                count += 1


def _declared(path: Path) -> tuple[int, float | None]:
    """How many frames the file says it has (0 if it does not say), and frames per second."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        if not rate or not math.isfinite(rate) or rate <= 0:
            return stream.frames, None
        if stream.frames or stream.duration is None:
            return stream.frames, float(rate)
        return round(stream.duration * stream.time_base * rate), float(rate)


# ---------------------------------------------------------------- writing


def write_video_file(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> Path:
    """Encode frames as a video that browsers and notebooks play, atomically. It is lossy.

    The file is H.264 (or VP9) in an mp4; where FFmpeg has an encoder for neither, an animated WebP.
    An mp4 has even sides: an odd height or width is made even by repeating the last row or column.

    Args:
        path: target, with suffix .mp4.
        frames: uint8, H x W x 3, RGB, all of one size; taken one at a time.
        fps: frames per second. The file holds the nearest fraction of a denominator up to 1001.

    Returns:
        The file: `path`, or the same with suffix .webp.

    Raises:
        ValueError: another suffix, no frames, a frame of another type or size, an impossible fps.
        OSError: the file cannot be written.

    Warns:
        UserWarning: the rate in the file is not `fps`.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"{path}: video files are written as .mp4; change the suffix")
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"{path}: fps is {fps}, expected a finite number above 0")
    rate = max(Fraction(1, 1001), Fraction(min(fps, 10_000.0)).limit_denominator(1001))
    if abs(rate - fps) > 1e-5 * fps:
        warnings.warn(f"{path}: {float(rate):.5g} fps, the nearest to {fps:.8g}", stacklevel=2)
    checked = _checked(path, frames)
    first = next(checked, None)
    if first is None:
        raise ValueError(f"{path}: no frames to write")
    encoder = next((name for name in ENCODERS if name in av.codecs_available), None)
    path = path if encoder else path.with_suffix(".webp")
    try:
        with replacing(path) as temporary:
            if encoder:
                _write_mp4(temporary, chain([first], checked), rate, encoder)
            else:
                _write_webp(temporary, [first, *checked], rate)
    except av.error.FFmpegError as error:  # it names the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    return path


def _checked(path: Path, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size: tuple[int, ...] = ()
    for t, frame in enumerate(frames):
        size = size or frame.shape
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape != (*size[:2], 3):
            raise ValueError(
                f"{path}: frame {t} is {frame.dtype} {frame.shape}, expected uint8 "
                f"H x W x 3 of one size (frame 0 is {size})"
            )
        yield frame


def _write_mp4(path: Path, frames: Iterable[np.ndarray], rate: Fraction, encoder: str) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream(encoder, rate=rate, options=ENCODERS[encoder])
        stream.pix_fmt = "yuv420p"
        for t, frame in enumerate(frames):
            height, width = frame.shape[:2]
            even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if t == 0:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))


def _write_webp(path: Path, frames: list[np.ndarray], rate: Fraction) -> None:
    first, *others = (Image.fromarray(frame) for frame in frames)
    each = {"duration": max(1, round(1000 / rate)), "quality": WEBP_QUALITY}
    first.save(path, "WEBP", save_all=True, append_images=others, loop=0, **each)
