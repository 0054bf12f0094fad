"""Areas and intersections of COCO run-length encoded masks, without decoding a pixel.

`pycocotools.mask` trusts its input: runs that do not fill the frame make it loop forever or read
past the end of the string. Here all masks of several tracks are parsed at once in NumPy, and each
is checked; areas follow from that. To intersect masks nothing is as fast as pycocotools' loop over
two lists of runs, so the masks, sound by then, go to it: all of a frame at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tagvis_lite.data.segmentation import check_segmentation, decode_segmentation

LONGEST_NUMBER = 7
"""Characters of 5 bits that one number may take: 35 bits hold any run and any difference."""

FEW_PAIRS = 3
"""Pairs of tracks that pycocotools merges faster one by one than it takes the IoUs of all."""


@dataclass(frozen=True)
class MaskTrack:
    """The masks of one instance in T frames of one size.

    Attributes:
        areas: int64, T: pixels of each mask, 0 where there is none.
        rles: T: sound compressed RLEs without empty runs inside.
    """

    areas: np.ndarray
    rles: list[dict[str, Any]]


def intersections(tracks: Sequence[MaskTrack], others: Sequence[MaskTrack]) -> np.ndarray:
    """Pixels that tracks of one video share, summed over frames: int64, tracks x others.

    With a crowd, the IoU of pycocotools is intersection / area of the first mask. Of integers
    below 2^31, this gives back the intersection exactly.
    """
    if len(tracks) * len(others) <= FEW_PAIRS:
        pairs = [[_intersection(track, other) for other in others] for track in tracks]
        return np.array(pairs, np.int64)
    shared = np.zeros((len(tracks), len(others)))
    crowds = [True] * len(others)
    areas = np.array([track.areas for track in tracks], float).T[:, :, None]
    masks = zip(*(track.rles for track in tracks), strict=True)
    of_others = zip(*(track.rles for track in others), strict=True)
    for area, here, there in zip(areas, masks, of_others, strict=True):
        shared += np.rint(coco_mask.iou(list(here), list(there), crowds) * area)
    return shared.astype(np.int64)


def _intersection(track: MaskTrack, other: MaskTrack) -> int:
    frames = np.flatnonzero((track.areas > 0) & (other.areas > 0)).tolist()
    merged = [coco_mask.merge([track.rles[t], other.rles[t]], True) for t in frames]
    return int(coco_mask.area(merged).sum()) if merged else 0


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
    size, frame_size = [height, width], height * width
    no_mask = coco_mask.frPyObjects({"size": size, "counts": [frame_size]}, height, width)
    rles_of_tracks: list[list[dict[str, Any]]] = []
    strings: list[str] = []
    frames: list[int] = []
    ends_of_tracks = []
    for segmentations, name in zip(tracks, names, strict=True):
        rles = [no_mask] * len(segmentations)
        for t, segmentation in enumerate(segmentations):
            if segmentation:
                counts = segmentation.get("counts") if type(segmentation) is dict else None
                if type(counts) is not str or segmentation.get("size") != size:
                    where = f"{name}, segmentation {t}"
                    counts = _compressed_counts(segmentation, (height, width), where)
                    segmentation = {"size": size, "counts": counts}
                rles[t] = segmentation
                strings.append(counts)
                frames.append(t)
        rles_of_tracks.append(rles)
        ends_of_tracks.append(len(strings))
    mask_areas = np.empty(0, np.int64)
    if strings:
        try:
            background, foreground, first = _parse_runs(strings)
            both = (background + foreground).view(np.uint32)
            filled = np.add.reduceat(both, first, dtype=np.int64) == frame_size
            _refuse(~filled, f"does not fill {height} x {width} pixels")
        except _BadMaskError as error:
            name = names[bisect_right(ends_of_tracks, error.mask)]
            raise ValueError(f"{name}, segmentation {frames[error.mask]} {error.reason}") from None
        mask_areas = np.add.reduceat(foreground, first, dtype=np.int64)
        for mask, counts in _with_empty_runs(background, foreground, first):
            rles = rles_of_tracks[bisect_right(ends_of_tracks, mask)]
            rle = {"size": size, "counts": counts}
            rles[frames[mask]] = coco_mask.frPyObjects(rle, height, width)

    read = []
    low = 0
    for rles, high in zip(rles_of_tracks, ends_of_tracks, strict=True):
        areas = np.zeros(len(rles), np.int64)
        areas[frames[low:high]] = mask_areas[low:high]
        read.append(MaskTrack(areas, rles))
        low = high
    return read


def _compressed_counts(segmentation: Any, size: tuple[int, int], where: str) -> str:
    """The string of a mask as compressed RLE, which is what nearly all of them are already."""
    check_segmentation(segmentation, size, where)
    counts = None if isinstance(segmentation, list) else segmentation["counts"]
    if isinstance(counts, bytes):
        return counts.decode("latin-1")
    if isinstance(counts, str):
        return counts
    rle = {"size": list(size), "counts": counts}
    if counts is None:
        mask = decode_segmentation(segmentation, size, where)
        rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    elif all(type(run) is int and run >= 0 for run in counts) and sum(counts) == math.prod(size):
        rle = coco_mask.frPyObjects(rle, *size)
    else:
        raise ValueError(f"{where} does not fill {size[0]} x {size[1]} pixels")
    return rle["counts"].decode("ascii")


def _parse_runs(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run lengths of compressed RLEs, the format of `rleToString` of the COCO mask API.

    A mask is a sequence of run lengths, background first. From the fourth on, a run is stored as
    its difference to the last run of the same kind. A number is stored in characters of code
    48 + 5 bits + 32 if more characters follow, low bits first, sign in the highest bit.

    Returns:
        background: int32, N: lengths of the background runs of all masks.
        foreground: int32, N: of the foreground run after each of them; of length 0 at the end of
            every mask, after a background of length 0 if that was in the foreground.
        first: int64, one per mask: where its runs begin in both.
    """
    text = "0".join(strings) + "0"  # after a last run of background, the length of the last pair
    sizes = np.fromiter(map(len, strings), np.int64, len(strings)) + 1
    _refuse(sizes == 1, "has empty 'counts'")
    if not text.isascii():
        _refuse(np.array([not string.isascii() for string in strings]), _FOREIGN)
    characters = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(48)
    last = np.cumsum(sizes) - 1
    if characters.max() > 63:
        _refuse(np.maximum.reduceat(characters, last - sizes + 1) > 63, _FOREIGN)
    _refuse(characters[last - 1] >= 32, "has 'counts' that are cut off")
    continued = np.flatnonzero(characters >= 32)
    numbers, beyond = _numbers(characters, continued)
    if len(beyond):
        of_mask = np.arange(len(sizes)) == np.searchsorted(last, beyond[0])
        _refuse(of_mask, "has 'counts' with a number beyond any frame")

    amounts = sizes - np.diff(np.searchsorted(continued, last), prepend=0)
    odd = amounts % 2 == 1
    if odd.any():
        numbers = np.insert(numbers, np.cumsum(amounts)[odd], 0)
    pairs = (amounts + 1) // 2
    ends = np.cumsum(pairs)
    first = ends - pairs
    background, foreground = numbers[::2].copy(), numbers[1::2].copy()
    second = first[pairs > 1] + 1
    background[second] -= background[second - 1]
    for runs in (background, foreground):
        # Sums in 32 bits may wrap. But no number does, so where the runs of a mask first leave
        # the range from 0 to 2^31 - 1, there is a negative one.
        runs[first[1:]] -= np.add.reduceat(runs, first, dtype=np.int32)[:-1]
        np.cumsum(runs, dtype=np.int32, out=runs)
    foreground[ends - 1] = 0
    background[(ends - 1)[odd]] = 0
    if min(background.min(), foreground.min()) < 0:
        negative = np.minimum.reduceat(np.minimum(background, foreground), first) < 0
        _refuse(negative, "has runs of negative length")
    return background, foreground, first


def _numbers(characters: np.ndarray, continued: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as they are stored, of uint8 characters less 48.

    Args:
        characters: the last one must end a number.
        continued: index of those characters after which their number goes on, few as a rule.

    Returns:
        numbers: int32.
        beyond: int64, index of a character of each number that takes more than 32 bits.
    """
    ending = np.delete(characters, continued) if len(continued) else characters
    numbers = ((ending ^ np.uint8(16)).view(np.int8) - np.int8(16)).astype(np.int32)
    if len(continued) == 0:
        return numbers, continued
    # As many numbers end before a character as there are others before it.
    number = continued - np.arange(len(continued))
    begins = np.flatnonzero(np.diff(number, prepend=-1))
    lengths = np.diff(begins, append=len(number))
    too_long = lengths >= LONGEST_NUMBER
    if too_long.any():
        return numbers, continued[begins[too_long]]
    digit = np.arange(len(number)) - np.repeat(begins, lengths)
    low_bits = (characters[continued] & 31).astype(np.int64) << (5 * digit)
    long = number[begins]
    values = (numbers[long].astype(np.int64) << (5 * lengths)) + np.add.reduceat(low_bits, begins)
    numbers[long] = values
    return numbers, continued[begins[numbers[long] != values]]


def _with_empty_runs(
    background: np.ndarray, foreground: np.ndarray, first: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """Masks with a run of length 0 between others, and their runs joined over it.

    Some encoders write them. pycocotools takes two of them at the same place for the end.
    """
    empty = (background == 0) | (foreground == 0)
    empty[first] = foreground[first] == 0
    ends = np.append(first[1:], len(background))
    empty[ends - 1] = False
    places = np.flatnonzero(empty)
    for mask in np.unique(np.searchsorted(first, places, side="right") - 1).tolist():
        runs = slice(first[mask], ends[mask])
        edges = np.cumsum(np.stack([background[runs], foreground[runs]], axis=1))
        changes, times = np.unique(edges, return_counts=True)
        yield mask, np.diff(changes[times % 2 == 1], prepend=0, append=edges[-1])


class _BadMaskError(Exception):
    def __init__(self, mask: int, reason: str) -> None:
        self.mask = mask
        self.reason = reason


_FOREIGN = "has 'counts' with characters that no RLE has"


def _refuse(masks: np.ndarray, reason: str) -> None:
    """Raise about the first mask of which this is true, if there is one."""
    if masks.any():
        raise _BadMaskError(int(masks.argmax()), reason)
