"""Images, and folders of images as videos. Each image is decoded when it is asked for.

The decoder is Pillow: a truncated JPEG is an error there, where OpenCV returns a picture that is
grey from some row on. What a file holds is told from its first bytes, whatever its suffix says, and
an orientation in its EXIF data is obeyed, as cameras mean it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag

from tagvis_lite.atomic import replacing
from tagvis_lite.video import Video

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
JPEG_QUALITY = 95
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""OpenCV's names for a part of the size."""
TAIL = 4096
"""Bytes at the end of a file, where the mark that ends an image nearly always lies."""


# ---------------------------------------------------------------- one image


@contextmanager
def opened_image(
    path: Path, formats: tuple[str, ...] = IMAGE_FORMATS, content: bytes | None = None
) -> Iterator[Image.Image]:
    """Open an image with Pillow and give every failure, inside too, one kind of error.

    Args:
        path: the file.
        formats: what the file may be, whatever its suffix says.
        content: of the file, where it is read already.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is truncated, damaged, or no image of these formats.
    """
    try:
        source = path if content is None else BytesIO(content)
        with Image.open(source, formats=formats) as image:
            yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "it does not begin as one" if unknown else " ".join(str(error).split())
        raise ValueError(
            f"{path} cannot be decoded as {' or '.join(formats)} ({reason}): the file is "
            "truncated, damaged or of another kind; copy or download it again"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libpng and libjpeg write to standard error off it: our own errors name the file."""
    with _ONE_AT_A_TIME:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        os.dup2(_NOWHERE, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_NOWHERE = os.open(os.devnull, os.O_WRONLY)
_ONE_AT_A_TIME = threading.Lock()


def image_size(path: Path) -> tuple[int, int]:
    """H x W of an image as it is shown, from its header. Raises what `opened_image` raises."""
    with opened_image(path) as image:
        height, width = image.height, image.width
        sideways = image.getexif().get(ExifTag.Orientation) in SIDEWAYS
    _refuse_more_than_8_bits(image, path)
    return (width, height) if sideways else (height, width)


def check_image_end(path: Path) -> None:
    """Look for what a JPEG or PNG ends with, and for all bytes of a WebP; nothing is decoded.

    Some cameras write more behind the end of an image, such as a short film: that is no damage.

    Raises:
        ValueError: it is not there, so the file is cut off. Damage before it is not found.
    """
    with path.open("rb") as file:
        kind = file.read(2)
        if kind == b"RI" and int.from_bytes(file.read(6)[2:], "little") + 8 > path.stat().st_size:
            raise ValueError(f"{path} is truncated: copy or download it again")
        mark = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}.get(kind)
        if mark is None:
            return
        first = _first_scan(file) if kind == b"\xff\xd8" else 0
        for start in (max(first, path.stat().st_size - TAIL), first):
            file.seek(start)
            if mark in file.read():
                return
    raise ValueError(f"{path} is truncated: copy or download it again")


def _first_scan(file: BinaryIO) -> int:
    """Where the pixels of a JPEG begin: before them there may be a preview with an end mark."""
    place = 2
    while True:
        file.seek(place)
        segment = file.read(4)
        if len(segment) < 4 or segment[:1] != b"\xff" or segment[1:2] == b"\xda":
            return place
        place += 2 + int.from_bytes(segment[2:], "big")


def decode_image(path: Path) -> np.ndarray:
    """Decode one image file: uint8, H x W x 3, RGB, upright; transparency is dropped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a truncated or damaged file, or more than 8 bits per channel.
    """
    with opened_image(path) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
    check_image_end(path)
    _refuse_more_than_8_bits(upright, path)
    return np.array(upright if upright.mode == "RGB" else upright.convert("RGB"))


def _refuse_more_than_8_bits(image: Image.Image, path: Path) -> None:
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            f"{path} has more than 8 bits per pixel and channel (mode {image.mode}): convert it "
            "to 8 bits first"
        )


def decode_shrunk(path: Path, by: int) -> np.ndarray:
    """Decode an image at 1 / `by` of its size, rounded up: uint8, RGB, upright.

    From a whole JPEG OpenCV leaves out what its coefficients say of finer detail, in less than half
    the time of `decode_image`, and in three quarters with `by` 1. Any other image is decoded there,
    and averaged.

    Args:
        path: the file.
        by: 1, 2, 4 or 8.

    Raises what `decode_image` raises.
    """
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        if content[:2] == b"\xff\xd8":
            check_image_end(path)
            with quiet():
                decoded = cv2.imdecode(np.frombuffer(content, np.uint8), REDUCED[by])
            if decoded is not None:
                return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return np.array(Image.fromarray(decode_image(path)).reduce(by))


def write_jpeg(path: Path, frame: np.ndarray) -> None:
    """Write uint8 H x W x 3 RGB as JPEG, atomically.

    JPEG is lossy: at quality 95 with full chroma resolution, the frame read back differs by a few
    grey levels.
    """
    encoded = BytesIO()  # Pillow itself takes half a file on a full disk for a whole one
    Image.fromarray(frame).save(encoded, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


# ---------------------------------------------------------------- a folder of images


def at_home(path: str | Path) -> Path:
    """A path with the home folder for a first part `~`; a name that only begins with it stays."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises for '~x.mp4'


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key under which 'frame2' precedes 'frame10'."""
    parts: list[str | int] = list(re.split(r"([0-9]+)", name))
    parts[1::2] = [int(number) for number in parts[1::2]]
    return parts, name


def list_images(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> tuple[Path, ...]:
    """Image files of a folder in natural order. Hidden files (a dot in front) are no images.

    Raises:
        FileNotFoundError: links to images that are not there; without them the video would be
            another one.
    """
    named = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and not path.is_dir()
    ]
    named.sort(key=lambda path: natural_key(path.name))
    broken = [path for path in named if not path.exists()]
    if broken:
        raise FileNotFoundError(
            f"{broken[0]} is a link to a file that is not there, as are {len(broken)} of the "
            f"{len(named)} images of its folder: copy or download what they point to, or delete "
            "the links"
        )
    return tuple(named)


@dataclass(frozen=True)
class ImageFrames:
    """T image files of one size, each decoded to uint8 H x W x 3 RGB when it is asked for.

    Attributes:
        paths: T files.
        size: H x W that every file must have.
        shrink: how many times smaller they are decoded, by `decode_shrunk`; None: `decode_image`.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    shrink: int | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> np.ndarray:
        path = self.paths[index]
        frame = decode_shrunk(path, self.shrink) if self.shrink else decode_image(path)
        height, width = (-(-side // (self.shrink or 1)) for side in self.size)
        check_size(path, frame.shape[:2], (height, width))
        return frame

    def shrunk(self, by: int) -> ImageFrames:
        """The frames at 1 / `by` of their size, rounded up; `by` is 1, 2, 4 or 8."""
        return replace(self, shrink=by)

    def look(self, index: int) -> None:
        """Check a frame by its header and its end, many times as fast as decoding it.

        Raises what reading it would raise, but for damage between the two.
        """
        check_size(self.paths[index], image_size(self.paths[index]), self.size)
        check_image_end(self.paths[index])


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
        OSError: no such folder, no image in it, or links to images that are not there.
        ValueError: the first image cannot be read, or two images differ in suffix alone.
    """
    folder = at_home(folder)
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
            f"{what}: {name!r} cannot be the name of a file or folder (empty, hidden by "
            "a dot, a slash, a space at an end, a line's end or tab): rename it"
        )
