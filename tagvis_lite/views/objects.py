"""Objects on pictures: which found instance is which object, their outlines and their numbers.

A network numbers instances as it finds them. `matched` gives each the number, and so the colour,
of the object it covers, and a grey one to what covers none; `draw_objects` outlines and numbers
them on any map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from scipy.optimize import linear_sum_assignment

from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views.overlay import UNMATCHED, instance_colours

ENOUGH = 0.3
"""Intersection over union, over the clip, from which a found instance is taken for an object."""


def matching(ids: np.ndarray, like: np.ndarray, enough: float = ENOUGH) -> dict[int, int]:
    """Which instance of `ids` is which of `like`: one to one, the largest sum of overlaps.

    Args:
        ids: uint8, T x h x w or h x w.
        like: uint8, of as many frames, of any size: ground truth, or an earlier result. Pixels that
            are void there count nowhere.
        enough: least intersection over union, over all frames, of a pair.

    Returns:
        Number in `like` of each matched number of `ids`.
    """
    ids, like = np.asarray(ids), resized(like, np.shape(ids)[-2:])
    known = like != VOID
    ours, theirs = (np.setdiff1d(m[known], [BACKGROUND, VOID]).tolist() for m in (ids, like))
    areas = np.bincount(ids[known], minlength=256), np.bincount(like[known], minlength=256)
    pairs = np.bincount(256 * ids[known].astype(int) + like[known], minlength=65536)
    shared = pairs.reshape(256, 256)[np.ix_(ours, theirs)]
    union = areas[0][ours][:, None] + areas[1][theirs][None] - shared
    overlap = shared / union if shared.size else shared
    overlap = np.where(overlap >= enough, overlap, 0)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {ours[i]: theirs[j] for i, j in zip(rows, columns, strict=True) if overlap[i, j] > 0}


def numbers_like(
    ids: np.ndarray, like: np.ndarray, others: Sequence[int] = UNMATCHED
) -> dict[int, int]:
    """A number for every instance of `ids`: its match's in `like`, else the next of `others`.

    `others` are the numbers drawn grey; for numbers that only stay the same while a slider moves,
    give `range(1, 255)`, of which those in `like` are left out. Arguments else as `matching`.
    """
    pairs = matching(ids, like)
    used = {*pairs.values(), *np.unique(like).tolist()}
    free = iter([n for n in others if n not in used])
    numbers = np.setdiff1d(ids, [BACKGROUND, VOID]).tolist()
    return {n: pairs[n] if n in pairs else next(free, others[-1]) for n in numbers}


def renumbered(ids: np.ndarray, numbers: dict[int, int]) -> np.ndarray:
    """The label map with each number replaced; those that are not in `numbers` stay."""
    table = np.arange(256, dtype=np.uint8)
    table[list(numbers)] = list(numbers.values())
    return table[ids]


def matched(ids: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Instances under the numbers, and so in the colours, of the objects they match; else grey.

    Args:
        ids: uint8, T x h x w or h x w, as found.
        like: uint8, of as many frames, of any size: usually the ground truth.

    Example:
        >>> found, truth = np.uint8([[1, 1, 0, 2]]), np.uint8([[3, 3, 0, 0]])
        >>> matched(found, truth)[0, :2]
        array([3, 3], dtype=uint8)
    """
    return renumbered(ids, numbers_like(ids, like))


def resized(ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Masks or label maps, ... x H x W, at another size, by nearest pixel."""
    rows = (np.arange(shape[0]) + 0.5) * ids.shape[-2] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * ids.shape[-1] / shape[1]
    return ids[..., rows.astype(int)[:, None], columns.astype(int)]


def number_places(ids: np.ndarray) -> dict[int, tuple[int, int]]:
    """Row and column in each instance, H x W, that are furthest from its outline."""
    places = {}
    for n in np.setdiff1d(ids, [BACKGROUND, VOID]).tolist():
        inside = np.pad(ids == n, 1).astype(np.uint8)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        places[n] = (int(row), int(column))
    return places


def name_of(n: int) -> str:
    """What is printed on an instance: its number, or '?' where it matches no object."""
    return "?" if n in UNMATCHED else str(n)


def colour_of(n: int) -> str:
    """Colour of an instance as a hex string, the same in every view and plot."""
    red, green, blue = instance_colours()[n]
    return f"#{red:02x}{green:02x}{blue:02x}"


def draw_objects(
    axis: Axes,
    ids: np.ndarray,
    shape: tuple[int, int] | None = None,
    *,
    numbers: bool = True,
    width: float = 1.6,
) -> None:
    """Outline the objects of one frame on a picture or map that is on the axis, and number them.

    Outlines are in the colour of their object between dark edges, so they show on any map and do
    not rest on colour alone.

    Args:
        axis: holds a picture drawn by `imshow` with its own extent.
        ids: uint8, H x W.
        shape: height and width of that picture, where it is of another size than `ids`.
        numbers: print the number of each object on it.
        width: of the outlines, in points.
    """
    height, across = shape or ids.shape
    scale = np.array([height / ids.shape[0], across / ids.shape[1]])
    limits = axis.get_xlim(), axis.get_ylim()
    for n, place in number_places(ids).items():
        inside = np.pad(ids == n, 1).astype(float)
        y, x = (
            (np.arange(-1, side + 1) + 0.5) * unit - 0.5
            for side, unit in zip(ids.shape, scale, strict=True)
        )
        line = axis.contour(x, y, inside, [0.5], colors=[colour_of(n)], linewidths=width)
        line.set_path_effects([withStroke(linewidth=width + 1.6, foreground="#111111")])
        if numbers:
            row, column = (np.array(place) + 0.5) * scale - 0.5
            edge = withStroke(linewidth=2.2, foreground="#111111")
            style: Any = {"ha": "center", "va": "center", "fontsize": 8, "fontweight": "bold"}
            axis.text(column, row, name_of(n), color="white", path_effects=[edge], **style)
    axis.set(xlim=limits[0], ylim=limits[1])
