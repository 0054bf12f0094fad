"""Label maps as PNGs with a palette: the number of an instance at every pixel.

DAVIS stores its truth and takes its results so. In DAVIS 2017, 0 is background and 255 is void. A
mask of DAVIS 2016 has one object, which is 255.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tagvis_lite.atomic import replacing
from tagvis_lite.data.images import check_image_end, check_size, opened_image, quiet
from tagvis_lite.video import BACKGROUND, VOID


def _colour_map() -> np.ndarray:
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE = _colour_map()
"""Colour of each id, uint8 256 x 3: the PASCAL VOC colour map, which DAVIS uses. The bits of an id
go to red, green and blue in turn, the lowest to the most significant bits of the colours."""


def read_label_map(path: str | Path) -> np.ndarray:
    """Read the ids in a PNG with a palette, in grey, or of 1 bit: uint8, H x W.

    Pillow gives the indices, where OpenCV would give the colours of the palette.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, no PNG, or a PNG that holds colours instead of ids.
    """
    path = Path(path)
    try:
        return decode_label_map(path.read_bytes(), path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None


def decode_label_map(content: bytes, path: Path) -> np.ndarray:
    """The ids in the content of a label map, which errors call `path`: see `read_label_map`."""
    ids = _plain_indices(content)
    if ids is None:
        ids = np.array(_opened_label_map(path, decode=True, content=content), np.uint8)
        if b"IEND" not in content:
            raise ValueError(f"{path} is truncated: copy or download it again")
    return ids


def _plain_indices(content: bytes) -> np.ndarray | None:
    """Pixels of a whole PNG of 8-bit indices or greys; None where Pillow has to decide.

    Declared as greys, and without palette, indices need no detour: OpenCV decodes them as they
    are, in three quarters of the time that Pillow takes.
    """
    chunks: dict[bytes, list[bytes]] = {b"IHDR": [], b"IDAT": [], b"IEND": []}
    place = 8
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        body = content[place + 8 : place + 8 + length]
        if content[place + 8 + length : place + 12 + length] != _checksum(kind + body):
            return None
        chunks.setdefault(kind, []).append(body)
        place += 12 + length
    headers = chunks[b"IHDR"]
    if content[:8] != PNG_SIGNATURE or [*map(len, headers)] != [13] or not chunks[b"IEND"]:
        return None
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", headers[0])
    if depth != 8 or colour not in (0, 3) or any(rest) or not 0 < height * width < 2**28:
        return None
    grey = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", grey), (b"IDAT", b"".join(chunks[b"IDAT"])), (b"IEND", b""))
    plain = PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + _checksum(kind + body) for kind, body in parts
    )
    with quiet():
        return cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)


def _checksum(chunk: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(chunk))


def _opened_label_map(path: Path, *, decode: bool, content: bytes | None = None) -> Image.Image:
    with opened_image(path, ("PNG",), content) as image:
        # Pillow stretches grey levels of 2 or 4 bits to 0..255; how they are stored says so.
        stretched = any(tile[3] in ("L;2", "L;4") for tile in getattr(image, "tile", ()))
        if decode:
            image.load()
    if image.mode not in ("P", "L", "1") or stretched:
        held = "grey levels of 2 or 4 bits" if stretched else f"pixels of mode {image.mode}"
        raise ValueError(
            f"{path} holds {held}, not ids: save label maps as PNGs with a palette, or in grey of "
            "8 bits (tagvis_lite.data.label_maps.write_label_map does; OpenCV loses the palette)"
        )
    return image


def write_label_map(path: str | Path, ids: np.ndarray) -> None:
    """Write uint8 H x W ids as a PNG with the palette of DAVIS, atomically.

    Raises:
        ValueError: `ids` of another type or shape.
    """
    path = Path(path)
    if ids.dtype != np.uint8 or ids.ndim != 2 or ids.size == 0:
        raise ValueError(f"{path}: label map is {ids.dtype} {ids.shape}, expected uint8 H x W")
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    with replacing(path) as temporary:
        image.save(temporary, "PNG")


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of one sequence, each decoded to uint8 H x W when it is asked for.

    Attributes:
        paths: T files.
        size: H x W that every label map must have.
        single_object: a map of 0 and 255 alone is a mask of DAVIS 2016, and 255 becomes id 1.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    single_object: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> np.ndarray:
        path = self.paths[index]
        ids = read_label_map(path)
        check_size(path, ids.shape, self.size)
        largest = int(ids.max())
        if self.single_object and largest == VOID:
            if ((ids != BACKGROUND) & (ids != VOID)).any():
                raise ValueError(
                    f"{path} mixes 255 with ids {_some_ids(ids)}: a mask of DAVIS 2016 has 0 and "
                    "255 alone; drop single_object=True, or number the instances from 1"
                )
            return (ids != BACKGROUND).astype(np.uint8)
        if self.single_object and largest > 1:
            raise ValueError(
                f"{path} holds ids {_some_ids(ids)}: a mask of DAVIS 2016 has one object; drop "
                "single_object=True"
            )
        return ids

    def look(self, index: int) -> None:
        """Check a label map by its header and its end, many times as fast as decoding it.

        Raises what reading it would raise, but for ids and for damage between the two.
        """
        path = self.paths[index]
        image = _opened_label_map(path, decode=False)
        check_size(path, (image.height, image.width), self.size)
        check_image_end(path)


def _some_ids(ids: np.ndarray) -> str:
    present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()
    return f"{present[:3]} to {present[-1]}" if len(present) > 4 else str(present)
