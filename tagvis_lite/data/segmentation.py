"""One mask of a COCO or YouTube-VIS json: an RLE, compressed or not, or polygons.

pycocotools decodes them but trusts its input: runs that fall short of the frame leave memory as it
was, and a string that is cut off is read past its end. So every mask is checked first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask


def decode_segmentation(
    segmentation: Mapping[str, Any] | Sequence[Sequence[float]], size: tuple[int, int], where: str
) -> np.ndarray:
    """Decode one mask to bool H x W.

    Args:
        segmentation: an RLE, compressed (`counts` is a str or bytes) or not (a list of runs), or
            polygons, each [x0, y0, x1, y1, ...] in pixels. Not empty.
        size: H x W.
        where: what to name in an error.

    Raises:
        ValueError: a mask of another size, runs that do not fill it, or impossible polygons.
    """
    check_segmentation(segmentation, size, where)
    if not isinstance(segmentation, Mapping):
        _check_polygons(segmentation, size, where)
        rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        return coco_mask.decode(rle).astype(bool)
    counts = segmentation["counts"]
    runs = counts if isinstance(counts, list) else _runs(counts)
    if any(type(run) is not int or run < 0 for run in runs) or sum(runs) != math.prod(size):
        raise ValueError(
            f"{where}: its RLE is damaged, for its runs do not fill {size[0]} x {size[1]} pixels: "
            "encode the mask again (pycocotools.mask.encode)"
        )
    rle = {"size": list(size), "counts": counts}
    if isinstance(counts, list):
        rle = coco_mask.frPyObjects(rle, *size)
    return coco_mask.decode(rle).astype(bool)


def check_segmentation(segmentation: Any, size: tuple[int, int], where: str) -> None:
    """Refuse what is neither empty, nor a list, nor an RLE of this size; runs are not looked at."""
    if segmentation is None or isinstance(segmentation, list) or segmentation == {}:
        return
    if not isinstance(segmentation, Mapping) or not {"size", "counts"} <= set(segmentation):
        raise ValueError(
            f"{where} is {segmentation!r:.60}, expected null, polygons, or an RLE "
            '{"size": [height, width], "counts": ...}'
        )
    if segmentation["size"] != list(size):
        raise ValueError(
            f"{where} has size {segmentation['size']!r:.40}, its video {list(size)} (height, width)"
        )
    if not isinstance(segmentation["counts"], str | bytes | list):
        raise ValueError(f"{where}: 'counts' is neither an RLE string nor a list of runs")


def _runs(counts: str | bytes) -> list[int]:
    """Lengths of the runs of a compressed RLE, background first; [-1] if it is none.

    From the fourth on, a run is stored as its difference to the last one of the same kind. Numbers
    are in characters of code 48 + 5 bits + 32 if more follow, low bits first, in two's complement.
    """
    runs: list[int] = []
    number = shift = 0
    for character in counts.encode() if isinstance(counts, str) else counts:
        code = character - 48
        if not 0 <= code < 64 or shift > 60:
            return [-1]
        number |= (code & 31) << shift
        shift += 5
        if code < 32:
            number -= (code & 16) << (shift - 4)
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return runs if shift == 0 else [-1]


def _check_polygons(polygons: Any, size: tuple[int, int], where: str) -> None:
    limit = 2 * max(size)
    for polygon in polygons:
        if (
            not isinstance(polygon, list)
            or len(polygon) < 6
            or len(polygon) % 2
            or not all(type(x) in (int, float) and abs(x) <= limit for x in polygon)
        ):
            raise ValueError(
                f"{where}: polygon {polygon!r:.60} is not [x0, y0, x1, y1, x2, y2, ...] in pixels "
                "of the frame"
            )
