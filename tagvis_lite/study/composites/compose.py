"""Composites: real objects, cut out of one sequence with their masks and pasted over another.

DAVIS 2016 and most training sequences have one object each. A composite has several, of real
pixels, with exact ids: each pasted object follows a path of its own over a background sequence that
keeps its own objects, and who hides whom is known. A composite is no real video: light, shadows and
depth do not fit, and results on composites say nothing about a benchmark.

    Recipe       a composite as a few numbers (recipes.py draws them at random)
    composite    recipe -> Video, a pure function; pixels are computed when they are asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tagvis_lite.data.davis import OBJECT
from tagvis_lite.video import BACKGROUND, VOID, Video

EDGE = 0.8
"""Standard deviation of the blur of an object's edge, in pixels of the composite."""
REACH = 4
"""Pixels from an object's mask beyond which `EDGE` leaves nothing to see."""
FAINT = 1 / 64
"""Opacity below which nothing is painted."""


@dataclass(frozen=True)
class CutOut:
    """An object of a source while it is whole: it is there and touches no side of the frame.

    Attributes:
        source: name of the sequence.
        instance: its id there.
        first: first frame.
        number: frames from there on.
        centre: x and y of its bounding box, mean over those frames, in pixels of the source.
        extent: square root of the area of its bounding box, likewise.
    """

    source: str
    instance: int
    first: int
    number: int
    centre: tuple[float, float]
    extent: float


@dataclass(frozen=True)
class Paste:
    """A cut-out on its way over the background.

    Attributes:
        cut: what is pasted. Its frames are shown back and forth.
        start: frames of `cut` that are skipped at the beginning.
        scale: pixels of the composite per pixel of the source.
        mirror: left and right are swapped.
        anchor, amplitude, frequency, phase: x and y of the path of its centre at time t,
            anchor + amplitude sin(frequency t + phase), in shares of width and height.
    """

    cut: CutOut
    start: int
    scale: float
    mirror: bool
    anchor: tuple[float, float]
    amplitude: tuple[float, float]
    frequency: tuple[float, float]
    phase: tuple[float, float]

    def position(self, t: int) -> np.ndarray:
        """Shares of width and height, float64, 2."""
        turn = np.multiply(self.frequency, t) + self.phase
        return np.asarray(self.anchor) + np.multiply(self.amplitude, np.sin(turn))


@dataclass(frozen=True)
class Recipe:
    """All there is to know about a composite, but for the pixels of its sources.

    Attributes:
        name: of the video.
        background: name of the sequence below. Its frames from 0 on are shown back and forth.
        num_frames: T.
        size: H x W.
        own: ids of the background's own objects that the composite keeps.
        pastes: what is pasted, by the id it gets.
        order: all ids from back to front.
    """

    name: str
    background: str
    num_frames: int
    size: tuple[int, int]
    own: tuple[int, ...]
    pastes: Mapping[int, Paste]
    order: tuple[int, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recipe:
        """Undo what `dataclasses.asdict` and json did."""
        pastes = {
            int(instance): Paste(**{**_tuples(paste), "cut": CutOut(**_tuples(paste["cut"]))})
            for instance, paste in data["pastes"].items()
        }
        return cls(**{**_tuples(data), "pastes": pastes})


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


# ---------------------------------------------------------------- recipe -> video


def composite(recipe: Recipe, sources: Mapping[str, Video]) -> Video:
    """The video of a recipe. Every frame and label map is computed when it is asked for.

    A pixel has the id of the front-most object whose mask, brought to the composite's resolution,
    holds it: exactly where that object's opacity is 1/2 or more. Outside its mask opacity falls to
    0 over two pixels; ids have hard edges, pictures soft ones. Pixels that nothing was pasted on
    or beside are those of the background, byte for byte (if it has the composite's size), void
    (255) included.

    Args:
        recipe: what to paste where.
        sources: every sequence it names, with label maps.

    Returns:
        A video whose instances are all of category 1, `tagvis_lite.data.davis.OBJECT`.

    Raises:
        ValueError: a source that is not there or has no label maps.
    """
    needed = {recipe.background} | {paste.cut.source for paste in recipe.pastes.values()}
    for name in sorted(needed):
        if name not in sources or sources[name].ids is None:
            raise ValueError(
                f"composite {recipe.name!r}: no sequence {name!r} with label maps among its sources"
            )
    return Video(
        name=recipe.name,
        frames=CompositeFrames(recipe, sources),
        ids=CompositeIds(recipe, sources),
        categories=dict.fromkeys(recipe.order, OBJECT),
    )


@dataclass(frozen=True)
class _Rendered:
    """What the two sequences of a composite share."""

    recipe: Recipe
    sources: Mapping[str, Video]

    def __len__(self) -> int:
        return self.recipe.num_frames


class CompositeIds(_Rendered):
    """Label maps of a recipe, uint8 H x W."""

    def __getitem__(self, t: int, /) -> np.ndarray:
        t = range(len(self))[t]
        own = background_ids(self.recipe, self.sources, t)
        ids = own.copy()
        for instance in self.recipe.order:
            if instance in self.recipe.pastes:
                paste = self.recipe.pastes[instance]
                mask = read_cut_out_mask(paste, self.sources, t)
                window, part = placed(paste, mask, t, self.recipe.size)
                ids[window][mask[part]] = instance
            else:
                ids[own == instance] = instance
        return ids


class CompositeFrames(_Rendered):
    """Frames of a recipe, uint8 H x W x 3, RGB."""

    def __getitem__(self, t: int, /) -> np.ndarray:
        t = range(len(self))[t]
        background = self._background(t)
        own = background_ids(self.recipe, self.sources, t)
        frame = background.astype(np.float32)
        painted = np.zeros(frame.shape[:2], bool)
        for instance in self.recipe.order:
            if instance in self.recipe.pastes:
                paste = self.recipe.pastes[instance]
                picture, mask = read_cut_out(paste, self.sources, t)
                colour, opacity = soften(picture, mask)
                window, part = placed(paste, mask, t, self.recipe.size)
                colour, opacity = colour[part], opacity[part]
            else:  # before what was pasted so far, and only there
                mask = own == instance
                window = bounding_window(mask, margin=REACH)
                if not painted[window].any():
                    continue
                colour, opacity = soften(background[window], mask[window])
                opacity = opacity * painted[window]
            below = frame[window]
            below += opacity[..., None] * (colour - below)
            painted[window] |= opacity > 0
        return np.rint(frame).astype(np.uint8)

    def _background(self, t: int) -> np.ndarray:
        source = self.sources[self.recipe.background]
        frame = source.read_frames([back_and_forth(t, len(source))])[0]
        return cover(frame, self.recipe.size, exact=False)


def background_ids(recipe: Recipe, sources: Mapping[str, Video], t: int) -> np.ndarray:
    """The background's own label map at time t, at the composite's size: uint8 H x W."""
    source = sources[recipe.background]
    ids = source.read_ids([back_and_forth(t, len(source))])[0]
    ids = cover(ids, recipe.size, exact=True)
    known = np.isin(ids, (*recipe.own, VOID))
    return np.where(known, ids, np.uint8(BACKGROUND))


def read_cut_out_mask(paste: Paste, sources: Mapping[str, Video], t: int) -> np.ndarray:
    """Mask of a pasted object at its size in the composite, with the frame it was cut from: bool.

    A pixel is in it if half of the source pixels under it are.
    """
    ids = sources[paste.cut.source].read_ids([_source_frame(paste, t)])[0]
    share = _resize((ids == paste.cut.instance).astype(np.float32), paste.scale)
    return _mirror(share >= 0.5, paste)


def read_cut_out(
    paste: Paste, sources: Mapping[str, Video], t: int
) -> tuple[np.ndarray, np.ndarray]:
    """Picture, float32 h x w x 3, and mask, bool h x w, of a pasted object at its size.

    Pixels outside the object take no part when the picture is resized.
    """
    source, index = sources[paste.cut.source], _source_frame(paste, t)
    inside = source.read_ids([index])[0] == paste.cut.instance
    share = _resize(inside.astype(np.float32), paste.scale)
    window = bounding_window(inside, margin=0)
    alone = np.zeros((*inside.shape, 3), np.float32)
    alone[window] = source.read_frames([index])[0][window] * inside[window][..., None]
    picture = _resize(alone, paste.scale)
    picture /= np.maximum(share, 1e-6)[..., None]
    return _mirror(picture, paste), _mirror(share >= 0.5, paste)


def soften(picture: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give an object a soft edge.

    Outside the mask, where it is a little visible, it has the colours of its edge: those of the
    sequence it was cut from would be a halo.

    Args:
        picture: H x W x 3, of which only the pixels in the mask are used.
        mask: bool H x W.

    Returns:
        colour, float32 H x W x 3, and opacity, float32 H x W: 1/2 or more in the mask, less
        outside, and 0 beyond about two pixels.
    """
    colour, opacity = np.zeros(picture.shape, np.float32), np.zeros(mask.shape, np.float32)
    window = bounding_window(mask, margin=REACH)
    mask = mask[window].astype(np.float32)
    if not mask.any():
        return colour, opacity
    inside = picture[window].astype(np.float32) * mask[..., None]
    blurred = cv2.GaussianBlur(mask, (0, 0), EDGE)
    spread = cv2.GaussianBlur(inside, (0, 0), EDGE) / np.maximum(blurred, 1e-6)[..., None]
    colour[window] = np.where(mask[..., None] > 0, inside, spread)
    opacity[window] = np.where(mask > 0, np.maximum(blurred, 0.5), np.minimum(blurred, 0.49))
    opacity[opacity < FAINT] = 0
    return colour, opacity


def placed(
    paste: Paste, mask: np.ndarray, t: int, size: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where in the composite a resized source frame lies at time t, and which part of it that is.

    Returns:
        Rows and columns of the composite, and as many of the resized frame; both may be empty.
    """
    height, width = mask.shape
    x, y = (paste.scale * c for c in paste.cut.centre)
    centre = np.array([width - x if paste.mirror else x, y])
    left, top = np.rint(paste.position(t) * size[::-1] - centre).astype(int).tolist()
    there: list[slice] = []
    here: list[slice] = []
    for offset, length, room in ((top, height, size[0]), (left, width, size[1])):
        first, last = max(0, offset), max(0, min(room, offset + length))
        first = min(first, last)
        there.append(slice(first, last))
        here.append(slice(first - offset, last - offset) if last > first else slice(0, 0))
    return (there[0], there[1]), (here[0], here[1])


def back_and_forth(t: int, number: int) -> int:
    """Frame at time t of `number` frames that are shown 0, 1, ..., n - 1, n - 2, ..., 0, 1, ..."""
    if number == 1:
        return 0
    k = t % (2 * (number - 1))
    return min(k, 2 * (number - 1) - k)


def cover(image: np.ndarray, size: tuple[int, int], *, exact: bool) -> np.ndarray:
    """Resize to fill `size` (H x W) and cut off what stands out, evenly; labels by `exact`."""
    scale = max(size[0] / image.shape[0], size[1] / image.shape[1])
    if image.shape[:2] == size:
        return image
    height, width = (
        max(s, round(scale * side)) for s, side in zip(size, image.shape, strict=False)
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT if exact else how
    )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return resized[top : top + size[0], left : left + size[1]]


def _source_frame(paste: Paste, t: int) -> int:
    return paste.cut.first + back_and_forth(paste.start + t, paste.cut.number)


def _resize(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = (max(1, round(scale * side)) for side in image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


def _mirror(image: np.ndarray, paste: Paste) -> np.ndarray:
    return image[:, ::-1] if paste.mirror else image


def bounding_window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Rows and columns of a mask's bounding box, and `margin` pixels more on each side."""
    slices = []
    for axis in (1, 0):
        there = np.flatnonzero(mask.any(axis=axis))
        first, last = (there[0], there[-1]) if len(there) else (0, 0)
        slices.append(slice(max(0, int(first) - margin), int(last) + 1 + margin))
    return slices[0], slices[1]
