"""Areas and intersections of COCO run-length encoded masks, without decoding a pixel.

`pycocotools.mask` trusts its input: runs that do not fill the frame make it loop forever or read
past the end of the string. Here all masks of several tracks are parsed at once in NumPy, each is
checked, and what the metric needs (areas, intersections) follows from where runs begin and end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tagvis_lite.data.segmentation import check_segmentation, decode_segmentation

_FOREIGN = "has 'counts' with characters that no RLE has"
LONGEST_NUMBER = 7
"""Characters of 5 bits that one number may take: 35 bits hold any run and any difference."""


@dataclass(frozen=True)
class MaskTrack:
    """The masks of one instance in T frames of H x W pixels.

    Attributes:
        areas: int64, T: pixels of each mask, 0 where there is none.
        edges: float64, 2N: first pixel and one past the last pixel of each of the N runs,
            counted down the columns of the T frames laid end to end; never decreasing.
    """

    areas: np.ndarray
    edges: np.ndarray

    @cached_property
    def area(self) -> int:
        """Pixels of all masks."""
        return int(self.areas.sum())

    @cached_property
    def covered(self) -> np.ndarray:
        """Pixels of the track before each edge: float64, 2N."""
        lengths = (self.edges[1::2] - self.edges[::2]).astype(np.int64)
        covered = np.repeat(np.cumsum(lengths), 2)
        covered[::2] -= lengths
        return covered.astype(float)


def intersection(a: MaskTrack, b: MaskTrack) -> int:
    """Pixels that two tracks of one video share, summed over frames.

    The number of pixels of `b` before a position is piecewise linear with slopes 0 and 1, so
    interpolating it at both ends of each run of `a` counts the pixels of `b` inside that run
    (exactly: all values are integers below 2^53).
    """
    if len(a.edges) == 0 or len(b.edges) == 0:
        return 0
    before = np.interp(a.edges, b.edges, b.covered)
    return int((before[1::2] - before[::2]).sum())


def read_tracks(
    tracks: Sequence[Sequence[Any]], height: int, width: int, names: Sequence[str]
) -> list[MaskTrack]:
    """Parse and check the masks of tracks of one video.

    Args:
        tracks: `segmentations` of each track: for each frame a compressed RLE (`counts` is str
            or bytes), an uncompressed one (`counts` is a list of run lengths), polygons, or None
            (also [] and {}, as the official tool has it) for an empty mask.
        height: H of every mask.
        width: W of every mask.
        names: what to call each track in an error.

    Raises:
        ValueError: a mask of another size, or not a valid one.
    """
    places = [
        (track, t)
        for track, segmentations in enumerate(tracks)
        for t, segmentation in enumerate(segmentations)
        if segmentation
    ]
    areas = [np.zeros(len(segmentations), np.int64) for segmentations in tracks]
    if not places:
        return [MaskTrack(area, np.empty(0)) for area in areas]

    def where(mask: int) -> str:
        track, t = places[mask]
        return f"{names[track]}, segmentation {t}"

    size = [height, width]
    strings: list[str] = []
    for track, t in places:
        segmentation = tracks[track][t]
        if type(segmentation) is dict and segmentation.get("size") == size:
            counts = segmentation.get("counts")
            if type(counts) is str:  # compressed RLE, which is what nearly all of them are
                strings.append(counts)
                continue
        strings.append(_compressed_counts(segmentation, (height, width), where(len(strings))))
    try:
        background, foreground, first = _parse_runs(strings)
        mask_areas = np.add.reduceat(foreground, first)
        filled = mask_areas + np.add.reduceat(background, first)
        _refuse(filled != height * width, f"does not fill {height} x {width} pixels")
    except _BadMaskError as error:
        raise ValueError(f"{where(error.mask)} {error.reason}") from None

    track_of, frame_of = np.array(places).T
    skipped = (frame_of - np.arange(len(places))) * (height * width)
    ends = np.cumsum(background + foreground)
    ends += np.repeat(skipped, np.diff(first, append=len(ends)))
    edges = np.empty(2 * len(ends))
    edges[::2] = ends - foreground
    edges[1::2] = ends
    begins = np.append(2 * first, len(edges))
    read = []
    for track, area in enumerate(areas):
        low, high = np.searchsorted(track_of, (track, track + 1))
        area[frame_of[low:high]] = mask_areas[low:high]
        read.append(MaskTrack(area, edges[begins[low] : begins[high]]))
    return read


def _compressed_counts(segmentation: Any, size: tuple[int, int], where: str) -> str:
    """The string of a mask as compressed RLE, whatever it is given as."""
    check_segmentation(segmentation, size, where)
    counts = None if isinstance(segmentation, list) else segmentation["counts"]
    if isinstance(counts, str):
        return counts
    if counts is None:
        mask = decode_segmentation(segmentation, size, where)
        counts = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"]
    elif isinstance(counts, list):
        whole = all(type(run) is int and run >= 0 for run in counts)
        if not whole or sum(counts) != math.prod(size):
            raise ValueError(f"{where} does not fill {size[0]} x {size[1]} pixels")
        counts = coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)["counts"]
    return bytes(counts).decode("latin-1")


def _parse_runs(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run lengths of compressed RLEs, the format of `rleToString` of the COCO mask API.

    A mask is a sequence of run lengths, background first. From the fourth on, a run is stored as
    its difference to the last run of the same kind. A number is stored in characters of code
    48 + 5 bits + 32 if more characters follow, low bits first, sign in the highest bit.

    Returns:
        background: int64, N: lengths of the background runs of all masks.
        foreground: int64, N: of the foreground run after each of them, 0 if there is none.
        first: int64, one per mask: where its runs begin in both.
    """
    sizes = np.array([len(string) for string in strings])
    _refuse(sizes == 0, "has empty 'counts'")
    last = np.cumsum(sizes) - 1
    joined = "".join(strings)
    if not joined.isascii():
        _refuse(np.array([not string.isascii() for string in strings]), _FOREIGN)
    characters = np.frombuffer(joined.encode("ascii"), np.uint8) - np.uint8(48)
    if characters.max() > 63:
        _refuse(np.maximum.reduceat(characters, last - sizes + 1) > 63, _FOREIGN)
    _refuse(characters[last] >= 32, "has 'counts' that are cut off")

    low_bits = (characters & 31).view(np.int8)
    ends = np.flatnonzero(characters < 32)
    numbers = ((low_bits[ends] ^ 16) - 16).astype(np.int64)
    before = ends - 1
    unread = np.flatnonzero(characters[before] >= 32)
    before = before[unread]
    for _ in range(LONGEST_NUMBER - 1):
        numbers[unread] = (numbers[unread] << 5) + low_bits[before]
        before = before - 1
        more = characters[before] >= 32
        unread, before = unread[more], before[more]
    amounts = np.diff(np.searchsorted(ends, last), prepend=-1)
    if len(unread):
        too_long = np.bincount(np.searchsorted(last, before), minlength=len(sizes)) > 0
        _refuse(too_long, "has 'counts' with a number beyond any frame")

    odd = amounts % 2 == 1
    differences = np.insert(numbers, np.cumsum(amounts)[odd], 0)
    pairs = (amounts + 1) // 2
    first = np.cumsum(pairs) - pairs
    background, foreground = differences[::2].copy(), differences[1::2].copy()
    second = first[pairs > 1] + 1
    background[second] -= background[second - 1]
    for runs in (background, foreground):
        runs[first[1:]] -= np.add.reduceat(runs, first)[:-1]
        np.cumsum(runs, out=runs)
    foreground[(first + pairs - 1)[odd]] = 0
    if min(background.min(), foreground.min()) < 0:
        negative = np.minimum.reduceat(np.minimum(background, foreground), first) < 0
        _refuse(negative, "has runs of negative length")
    return background, foreground, first


class _BadMaskError(Exception):
    def __init__(self, mask: int, reason: str) -> None:
        self.mask = mask
        self.reason = reason


def _refuse(masks: np.ndarray, reason: str) -> None:
    """Raise about the first mask of which this is true, if there is one."""
    if masks.any():
        raise _BadMaskError(int(masks.argmax()), reason)
