"""Videos as plain files: a folder of images, or one video file. Both are decoded when asked for.

The decoder of images is Pillow: a truncated JPEG is an error there, where OpenCV returns a picture
that is grey from some row on. Video files go through OpenCV, which has FFmpeg inside.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tagvis_lite.atomic import replacing
from tagvis_lite.video import Video

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
JPEG_QUALITY = 95
END_MARKERS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND"}
END_BYTES = 4096
"""Some cameras and programs write a little more behind the end of an image."""
FRAMES_KEPT = 8
"""Decoded frames of a video file that stay in memory: those read last."""


# ---------------------------------------------------------------- images


@contextmanager
def opened_image(path: Path, formats: tuple[str, ...] = IMAGE_FORMATS) -> Iterator[Image.Image]:
    """Open an image with Pillow and give every failure, inside too, one kind of error.

    Args:
        path: the file.
        formats: what the file may be, whatever its suffix says.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is truncated, damaged, or no image of these formats.
    """
    try:
        with Image.open(path, formats=formats) as image:
            yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} cannot be decoded as {' or '.join(formats)} ({reason}): the file is "
            "truncated, damaged or of another kind; copy or download it again"
        ) from error


def image_size(path: Path) -> tuple[int, int]:
    """H x W from the header of an image file. Raises as `opened_image`."""
    with opened_image(path) as image:
        return image.height, image.width


def check_image_end(path: Path) -> None:
    """Look for the marker that a JPEG or PNG ends with; nothing is decoded.

    Raises:
        ValueError: it is not there: the file is cut off. Damage before the end is not found.
    """
    marker = END_MARKERS.get(path.suffix.lower())
    if marker is None:
        return
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - END_BYTES))
        if marker not in file.read():
            raise ValueError(f"{path} is truncated: copy or download it again")


def decode_image(path: Path) -> np.ndarray:
    """Decode one image file: uint8, H x W x 3, RGB.

    The pixels are those in the file: an EXIF orientation is ignored, transparency is dropped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a truncated or damaged file, or more than 8 bits per channel.
    """
    with opened_image(path) as image:
        image.load()
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"{path} has more than 8 bits per pixel and channel (mode {image.mode}): convert it "
            "to 8 bits first"
        )
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def write_jpeg(path: Path, frame: np.ndarray) -> None:
    """Write uint8 H x W x 3 RGB as JPEG, atomically.

    JPEG is lossy: at quality 95 with full chroma resolution, the frame read back differs by a few
    grey levels.
    """
    encoded = BytesIO()  # Pillow itself takes half a file on a full disk for a whole one
    Image.fromarray(frame).save(encoded, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key under which 'frame2' precedes 'frame10'."""
    parts: list[str | int] = list(re.split(r"([0-9]+)", name))
    parts[1::2] = [int(number) for number in parts[1::2]]
    return parts, name


def list_images(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> tuple[Path, ...]:
    """Image files of a folder in natural order. Hidden files (a dot in front) are no images."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    ]
    return tuple(sorted(found, key=lambda path: natural_key(path.name)))


# ---------------------------------------------------------------- a folder of images


@dataclass(frozen=True)
class ImageFrames:
    """T image files of one size, each decoded to uint8 H x W x 3 RGB when it is asked for.

    Attributes:
        paths: T files.
        size: H x W that every frame must have.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> np.ndarray:
        frame = decode_image(self.paths[index])
        check_size(self.paths[index], frame.shape[:2], self.size)
        return frame


def check_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    """Refuse an image whose H x W is not `size`, that of the video. Raises ValueError."""
    if found != size:
        raise ValueError(
            f"{path} is {found[0]} x {found[1]} (height x width), its video {size[0]} x {size[1]}: "
            "all frames and label maps of a video must have one size"
        )


def read_image_folder(folder: str | Path) -> Video:
    """The images of a folder (jpg, jpeg, png, bmp, webp) as a video without labels.

    Frames are in natural order ('frame2' before 'frame10'), named after their files, and decoded
    when they are asked for; only then is a damaged file or one of another size found.

    Raises:
        NotADirectoryError: no such folder.
        FileNotFoundError: no image in it.
        ValueError: the first image cannot be read, or two images differ in suffix alone.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: no such folder of images")
    paths = list_images(folder)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no image: expected files with suffixes {', '.join(IMAGE_SUFFIXES)}"
        )
    frame_names = [path.stem for path in paths]
    for path, name, following in zip(paths, frame_names, frame_names[1:], strict=False):
        if name == following:
            raise ValueError(f"{path} shares its name with an image of another suffix: keep one")
    return Video(
        name=folder.resolve().name or "video",
        frames=ImageFrames(paths, image_size(paths[0])),
        frame_names=frame_names,
    )


# ---------------------------------------------------------------- a video file


class VideoFrames:
    """Frames of a video file, each uint8 H x W x 3 RGB, decoded when it is asked for.

    Decoding goes forward from the frame read last, and starts over for an earlier one: cheap for
    rising indices, and exact where seeking is not (variable frame rate, missing key frames). The
    last few frames stay in memory. It pickles as its path.

    Args:
        path: the file.
        count: T.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        self._count = count
        self._capture: cv2.VideoCapture | None = None
        self._position = 0
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
        if self._capture is None or index < self._position:
            self._capture, self._position = _open_capture(self.path), 0
        frame = None
        while self._position <= index and self._capture.grab():
            self._position += 1
        if self._position == index + 1:
            _, frame = self._capture.retrieve()
        if frame is None:
            raise ValueError(
                f"{self.path}: frame {self._position} of {self._count} cannot be decoded; the "
                "file is damaged: copy or encode it again"
            )
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def read_video_file(path: str | Path) -> Video:
    """A video file, in whatever container and codec OpenCV reads, as a video without labels.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a video, cut off, or of a codec that this OpenCV lacks.

    Warns:
        UserWarning: fewer frames can be decoded than the file declares (it may be cut off).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such video file")
    fps = _open_capture(path).get(cv2.CAP_PROP_FPS)
    count = _count_frames(path)
    if count == 0:
        raise ValueError(
            f"{path}: no frame can be decoded; the file is cut off, or OpenCV lacks its codec: "
            "convert it to H.264 in an mp4, or to a folder of images"
        )
    frames = VideoFrames(path, count)
    if math.isfinite(fps) and fps > 0:
        return Video(name=path.stem, frames=frames, fps=fps)
    return Video(name=path.stem, frames=frames)


def _open_capture(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise ValueError(
            f"{path} cannot be read as a video: it is no video, is cut off, or OpenCV lacks its "
            "container; convert it to H.264 in an mp4, or to a folder of images"
        )
    return capture


def _count_frames(path: Path) -> int:
    """The declared number of frames if the last of them is there and is the last; else count."""
    capture = _open_capture(path)
    declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if 1 <= declared < 2**31:
        last = int(declared) - 1
        there = last == 0 or capture.set(cv2.CAP_PROP_POS_FRAMES, last)
        if there and capture.grab() and not capture.grab():
            return int(declared)
    capture = _open_capture(path)
    count = 0
    while capture.grab():
        count += 1
    if count < declared:
        warnings.warn(
            f"{path} declares {declared:.0f} frames but only {count} can be decoded: is it cut "
            "off? Going on with those",
            stacklevel=3,
        )
    return count


def write_video_file(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Encode frames as MPEG-4 in an mp4, atomically. The codec is lossy.

    Its frames have even sides: an odd height or width is made even by repeating the last row or
    column.

    Args:
        path: target, with suffix .mp4.
        frames: uint8, H x W x 3, RGB, all of one size; taken one at a time.
        fps: frames per second.

    Raises:
        ValueError: another suffix, no frames, a frame of another type or size, an impossible fps.
        OSError: the file cannot be written, or OpenCV lacks the encoder.
    """
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"{path}: video files are written as .mp4; change the suffix")
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise ValueError(f"{path}: fps is {fps}, expected more than 0 and at most 1000")
    with replacing(path) as temporary:
        count = _encode(temporary, path, frames, fps)
        if count == 0:
            raise ValueError(f"{path}: no frames to write")
        if _count_written(temporary) != count:
            raise OSError(f"{path}: the encoder lost frames; is the disk full?")


def _count_written(path: Path) -> int:
    """Frames of a file that the encoder has closed; 0 if it is none."""
    try:
        return _count_frames(path)
    except ValueError:
        return 0


def _encode(temporary: Path, path: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Encode to `temporary`; errors name `path`. Returns the number of frames."""
    writer: cv2.VideoWriter | None = None
    size: tuple[int, ...] = ()
    count = 0
    try:
        for count, frame in enumerate(frames, start=1):
            size = size or frame.shape
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape != (*size[:2], 3):
                raise ValueError(
                    f"{path}: frame {count - 1} is {frame.dtype} {frame.shape}, expected uint8 "
                    f"H x W x 3 of one size (frame 0 is {size})"
                )
            height, width = size[:2]
            if writer is None:
                fourcc = cv2.VideoWriter.fourcc(*"mp4v")
                even = (width + width % 2, height + height % 2)
                writer = cv2.VideoWriter(str(temporary), fourcc, fps, even)
                if not writer.isOpened():
                    raise OSError(
                        f"{path}: OpenCV cannot encode {width} x {height} at {fps} fps as MPEG-4; "
                        "check that the folder can be written and OpenCV was built with FFmpeg"
                    )
            padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            writer.write(cv2.cvtColor(padded, cv2.COLOR_RGB2BGR))
    finally:
        if writer is not None:
            writer.release()
    return count


def open_video(path: str | Path) -> Video:
    """A folder of images or a video file, whichever `path` is.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a single image; or see `read_image_folder` and `read_video_file`.
    """
    path = Path(path)
    if path.is_dir():
        return read_image_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder of images or video file")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(f"{path} is a single image: give the folder that holds all frames")
    return read_video_file(path)


# ---------------------------------------------------------------- what the writers share


def frames_to_write(video: Video) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Frame name, frame and label map of each frame in turn, fit to be written as files.

    Yields:
        name, uint8 H x W x 3, and uint8 H x W (None if the video has no label maps).

    Raises:
        ValueError: names that are no file names or would be read back in another order, or
            frames and label maps of different sizes.
    """
    for name in (video.name, *video.frame_names):
        check_file_name(name, f"video {video.name!r}")
    names = list(video.frame_names)
    if len(set(names)) < len(names) or sorted(names, key=natural_key) != names:
        raise ValueError(
            f"frame names of video {video.name!r} repeat or are out of order: they would be read "
            "back in another order; set frame_names=() to number them"
        )
    size: tuple[int, ...] = ()
    for t, name in enumerate(names):
        frame = video.read_frames([t])[0]
        ids = None if video.ids is None else video.read_ids([t])[0]
        size = size or frame.shape[:2]
        if frame.shape[:2] != size or (ids is not None and ids.shape != size) or 0 in size:
            raise ValueError(
                f"frame {name} of video {video.name!r} is {frame.shape[:2]}, its label map "
                f"{None if ids is None else ids.shape}, frame {names[0]} {size}: expected one "
                "size that is not empty"
            )
        yield name, frame, ids


def check_file_name(name: str, what: str) -> None:
    """Refuse a name that is hidden, empty, or would leave its folder. Raises ValueError."""
    if not name.strip() or name != name.strip() or re.search(r"^\.|[/\\\x00-\x1f]", name):
        raise ValueError(
            f"{what}: {name!r} cannot be the name of a file or folder (empty, a slash, a "
            "dot or space at an end): rename it"
        )
