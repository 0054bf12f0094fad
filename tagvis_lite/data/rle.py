"""Masks as run lengths, the way of COCO: read and checked, counted, decoded, written.

A mask is a sequence of run lengths down its columns, background first. From the fourth on, a run is
stored as its difference to the last run of the same kind. A number is stored in characters of code
48 + 5 bits + 32 if more characters follow, low bits first, sign in the highest bit.

`pycocotools.mask` trusts its input: runs that do not fill the frame make it loop forever or read
past the end of the string. Here all masks of several tracks are parsed at once in NumPy, and each
is checked. Areas and intersections follow from where runs begin and end, without decoding a pixel.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

LONGEST_NUMBER = 7
"""Characters of 5 bits that one number may take: 35 bits hold any run and any difference."""

Size = tuple[int, int]
"""H x W."""


@dataclass(frozen=True)
class MaskTrack:
    """The masks of one instance in T frames of H x W pixels.

    Attributes:
        areas: int64, T: pixels of each mask, 0 where there is none.
        ends: int64, N: one past the last pixel of each run, counted down the columns of the T
            frames laid end to end; never decreasing.
        lengths: int32, N: pixels of each run, some of them 0.
    """

    areas: np.ndarray
    ends: np.ndarray
    lengths: np.ndarray

    @cached_property
    def edges(self) -> np.ndarray:
        """First pixel and one past the last pixel of each run: float64, 2N."""
        edges = np.empty(2 * len(self.ends))
        np.subtract(self.ends, self.lengths, out=edges[::2])
        edges[1::2] = self.ends
        return edges

    @cached_property
    def covered(self) -> np.ndarray:
        """Pixels of the track before each edge: float64, 2N."""
        covered = np.empty(2 * len(self.ends))
        covered[1::2] = np.cumsum(self.lengths, dtype=np.int64)
        np.subtract(covered[1::2], self.lengths, out=covered[::2])
        return covered


def intersection(a: MaskTrack, b: MaskTrack) -> int:
    """Pixels that two tracks of one video share, summed over frames.

    The number of pixels of `b` before a position is piecewise linear, so interpolating it at both
    ends of each run of `a` counts the pixels of `b` inside (exactly: integers below 2^53).
    """
    if len(a.ends) == 0 or len(b.ends) == 0:
        return 0
    before = np.interp(a.edges, b.edges, b.covered)
    return int((before[1::2] - before[::2]).sum())


# ---------------------------------------------------------------- reading


def read_tracks(
    tracks: Sequence[Sequence[Any]], size: Size, names: Sequence[str]
) -> list[MaskTrack]:
    """Parse and check the masks of tracks of one video.

    Args:
        tracks: `segmentations` of each track: for each frame a compressed RLE (`counts` is str
            or bytes), an uncompressed one (`counts` is a list of run lengths), polygons, or None
            (also [] and {}, as the official tool has it) for an empty mask.
        size: H x W of every mask.
        names: what to call each track in an error.

    Raises:
        ValueError: a mask of another size, or not a valid one.
    """
    frame_size, wanted = size[0] * size[1], list(size)
    strings: list[str] = []
    frames: list[int] = []
    ends_of_tracks = []
    for segmentations, name in zip(tracks, names, strict=True):
        frames += [t for t, mask in enumerate(segmentations) if mask]
        strings += [
            mask["counts"] if is_compressed(mask, wanted) else _compressed(mask, size, name, t)
            for t, mask in enumerate(segmentations)
            if mask
        ]
        ends_of_tracks.append(len(strings))
    areas = [np.zeros(len(segmentations), np.int64) for segmentations in tracks]
    if not strings:
        return [MaskTrack(area, np.empty(0, np.int64), np.empty(0, np.int32)) for area in areas]

    frame_of = np.array(frames)
    try:
        background, foreground, first = _parse_runs(strings)
        # Missing masks lengthen the first run of the next; a new track leads back to its start.
        ends = np.add(background, foreground, dtype=np.int64)
        ends[first] += (np.diff(frame_of, prepend=-1) - 1) * frame_size
        np.cumsum(ends, out=ends)
        begins = np.append(first, len(ends))
        filled = ends[begins[1:] - 1] == (frame_of + 1) * frame_size
        _refuse(~filled, f"does not fill {size[0]} x {size[1]} pixels: encode the mask again")
    except _BadMaskError as error:
        name = names[bisect_right(ends_of_tracks, error.mask)]
        raise ValueError(f"{name}, segmentation {frames[error.mask]} {error.reason}") from None

    mask_areas = np.add.reduceat(foreground, first, dtype=np.int64)
    read = []
    low = 0
    for area, high in zip(areas, ends_of_tracks, strict=True):
        area[frame_of[low:high]] = mask_areas[low:high]
        runs = slice(begins[low], begins[high])
        read.append(MaskTrack(area, ends[runs], foreground[runs]))
        low = high
    return read


def decode_mask(segmentation: Any, size: Size, name: str, frame: int) -> np.ndarray:
    """Decode one mask, of the kinds that `read_tracks` takes: bool H x W.

    Raises:
        ValueError: as `read_tracks`, naming segmentation `frame` of the track `name`.
    """
    (track,) = read_tracks([[None] * frame + [segmentation]], size, [name])
    edges = track.edges.astype(np.int64) - frame * size[0] * size[1]
    lengths = np.diff(edges, prepend=0, append=size[0] * size[1])
    colours = np.arange(len(lengths)) % 2 == 1
    return np.repeat(colours, lengths).reshape(size[::-1]).T


def is_compressed(segmentation: Any, size: list[int]) -> bool:
    """Whether this is a compressed RLE of this H x W, as nearly all masks are; runs aside."""
    return (
        type(segmentation) is dict
        and type(segmentation.get("counts")) is str
        and segmentation.get("size") == size
    )


def check_segmentation(segmentation: Any, size: Size, where: str) -> None:
    """Refuse what is neither empty, nor a list, nor an RLE of this size; runs are not looked at."""
    if segmentation is None or isinstance(segmentation, list) or segmentation == {}:
        return
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= set(segmentation):
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


def _compressed(segmentation: Any, size: Size, name: str, frame: int) -> str:
    """The string of a mask as compressed RLE, which is what nearly all of them are already."""
    where = f"{name}, segmentation {frame}"
    check_segmentation(segmentation, size, where)
    if isinstance(segmentation, list):
        return _string_of_polygons(segmentation, size, where)
    counts = segmentation["counts"]
    if isinstance(counts, bytes):
        return counts.decode("latin-1")
    if isinstance(counts, str):
        return counts
    if not all(type(run) is int and 0 <= run < 2**31 for run in counts):
        raise ValueError(f"{where} does not fill {size[0]} x {size[1]} pixels: encode it again")
    return _string_of_runs(np.array(counts, np.int64))


def _string_of_polygons(polygons: Sequence[Any], size: Size, where: str) -> str:
    for polygon in polygons:
        if (
            not isinstance(polygon, list)
            or len(polygon) < 6
            or len(polygon) % 2
            or not all(type(x) in (int, float) and abs(x) <= 2 * max(size) for x in polygon)
        ):
            raise ValueError(
                f"{where}: polygon {polygon!r:.60} is not [x0, y0, x1, y1, x2, y2, ...] in pixels "
                "of the frame"
            )
    rle = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    return rle["counts"].decode("ascii")


def _parse_runs(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run lengths of compressed RLEs.

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
    continues = characters >= 32
    _refuse(continues[last - 1], "has 'counts' that are cut off")
    numbers, beyond = _numbers(characters, continues)
    if len(beyond):
        of_mask = np.arange(len(sizes)) == np.searchsorted(last, beyond[0])
        _refuse(of_mask, "has 'counts' with a number beyond any frame")

    ending = np.flatnonzero(~continues)
    numbers = numbers.take(ending)
    amounts = np.diff(np.searchsorted(ending, last), prepend=-1)
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


def _numbers(characters: np.ndarray, continues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as they are stored, of uint8 characters less 48.

    Args:
        characters: the last one must end a number.
        continues: after which characters their number goes on.

    Returns:
        numbers: int32, at the place of the last character of each number.
        beyond: int64, place of the last character of each number that takes more than 32 bits.
    """
    numbers = ((characters ^ np.uint8(16)).view(np.int8) - np.int8(16)).astype(np.int32)
    places = np.flatnonzero(continues[:-1] & ~continues[1:]) + 1
    for back in range(1, LONGEST_NUMBER):  # from the highest bits to the lowest
        if len(places) == 0:
            break
        values = numbers.take(places)
        beyond = places[values << 5 >> 5 != values]
        if len(beyond):
            return numbers, beyond
        numbers[places] = values << 5 | characters.take(places - back) & 31
        places = places[continues.take(places - back - 1)]
    return numbers, places


class _BadMaskError(Exception):
    def __init__(self, mask: int, reason: str) -> None:
        self.mask = mask
        self.reason = reason


_FOREIGN = "has 'counts' with characters that no RLE has"


def _refuse(masks: np.ndarray, reason: str) -> None:
    """Raise about the first mask of which this is true, if there is one."""
    if masks.any():
        raise _BadMaskError(int(masks.argmax()), reason)


# ---------------------------------------------------------------- writing


def encode_ids(ids: np.ndarray) -> dict[int, dict[str, Any]]:
    """RLE of the mask of every id of a label map but 0, in ascending order of ids.

    Args:
        ids: H x W uint8.

    Returns:
        {"size": [H, W], "counts": str} by id, to the letter what `pycocotools.mask.encode` gives.
    """
    down = ids.ravel(order="F")
    starts = np.append(0, np.flatnonzero(down[1:] != down[:-1]) + 1)
    ends = np.append(starts[1:], down.size)
    values = down[starts]
    encoded = {}
    for label in np.flatnonzero(np.bincount(values, minlength=1)).tolist():
        if label:
            edges = np.stack([starts[values == label], ends[values == label]], axis=1).ravel()
            runs = np.diff(edges, prepend=0, append=down.size)
            counts = _string_of_runs(runs if runs[-1] else runs[:-1])
            encoded[label] = {"size": list(ids.shape), "counts": counts}
    return encoded


def _string_of_runs(runs: np.ndarray) -> str:
    """Compress run lengths, int64, background first."""
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    shifts = 5 * np.arange(LONGEST_NUMBER)
    rest = numbers[:, None] >> (shifts + 4)  # 0 or -1 where the bits so far say it all
    more = (rest != 0) & (rest != -1)
    characters = ((numbers[:, None] >> shifts) & 31) + 32 * more + 48
    written = np.insert(more[:, :-1], 0, True, axis=1)
    return characters[written].astype(np.uint8).tobytes().decode("ascii")
