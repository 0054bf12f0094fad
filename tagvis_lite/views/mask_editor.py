"""The mask editor: move, shrink or grow a mask, watch J, F and the boundaries that match.

`changed` makes the mask, `score_table` scores it in every state that a reader can reach, by the
package's own J and F; `MaskEditor` shows one state, and needs no kernel to go to the next.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from tagvis_lite.evaluation.boundary import on_boundary
from tagvis_lite.evaluation.mask_scores import mask_scores, near
from tagvis_lite.views.overlay import COLOURS
from tagvis_lite.views.picture import picture
from tagvis_lite.views.view import View, script

NOTHING, BOTH, TOO_MUCH, MISSED, NEAR = range(5)
"""Kinds of pixels. `BOTH`: in both masks, or boundary that matches. `NEAR`: in the disk around the
object's boundary."""
KIND_COLOURS = [COLOURS[0], COLOURS[1], COLOURS[2], "#dddddd"]
BEFORE_RADII = 5
"""Columns of `score_table` before those of each radius: J, intersection, union, boundary pixels of
the object and of the mask. A radius has three: F, matched pixels of the object and of the mask."""


@dataclass(frozen=True)
class Change:
    """What is done to a mask: grown by a disk of radius `grow` (shrunk, if negative), then moved.

    Attributes:
        right, down: pixels; negative for left and up.
        grow: pixels.
        radius: within which boundaries match, in pixels.
    """

    right: int = 0
    down: int = 0
    grow: int = 0
    radius: int = 1

    def __str__(self) -> str:
        words = {
            "right": self.right,
            "left": -self.right,
            "down": self.down,
            "up": -self.down,
            "grown": self.grow,
            "shrunk": -self.grow,
        }
        said = [f"{pixels} {word}" for word, pixels in words.items() if pixels > 0]
        return ", ".join(said) or "as it was"


def changed(mask: np.ndarray, change: Change) -> np.ndarray:
    """The mask grown or shrunk and moved; what leaves the picture is cut off.

    The picture's edge is no boundary: what touches it does not shrink from there.

    Args:
        mask: bool, H x W.
        change: what is done to it.

    Returns:
        bool, H x W.
    """
    size = 2 * abs(change.grow) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    work = cv2.dilate if change.grow > 0 else cv2.erode
    sized = work(mask.astype(np.uint8), disk).astype(bool) if change.grow else mask
    moved = np.zeros_like(mask)
    (to_y, from_y), (to_x, from_x) = (
        (slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by)))
        for by, size in zip((change.down, change.right), mask.shape, strict=True)
    )
    moved[to_y, to_x] = sized[from_y, from_x]
    return moved


def score_table(
    truth: np.ndarray,
    mask: np.ndarray,
    *,
    furthest: int,
    most: int,
    radii: Sequence[int],
) -> np.ndarray:
    """J and F, and the pixels they count, of a mask in every state that a reader can reach.

    Args:
        truth: bool, H x W, the object.
        mask: bool, H x W.
        furthest: the mask is moved by -furthest..furthest pixels down and right.
        most: it is grown by -most..most pixels.
        radii: R radii of the disk within which boundaries match.

    Returns:
        float32, 2 most + 1 x 2 furthest + 1 (down) x 2 furthest + 1 (right) x 5 + 3R; what the
        columns are says `BEFORE_RADII`.
    """
    moves, grows = range(-furthest, furthest + 1), range(-most, most + 1)
    table = np.empty((len(grows), len(moves), len(moves), BEFORE_RADII + 3 * len(radii)))
    for g, y, x in np.ndindex(table.shape[:3]):
        state = changed(mask, Change(moves[x], moves[y], grows[g]))
        s = mask_scores(truth, state, radii)
        table[g, y, x, :BEFORE_RADII] = (
            s.J,
            s.intersection,
            s.union,
            s.object_edges,
            s.mask_edges,
        )
        by_radius = np.stack([s.F, s.object_matched, s.mask_matched], axis=1)
        table[g, y, x, BEFORE_RADII:] = by_radius.ravel()
    return table.astype(np.float32)


def area_kinds(truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What J counts: `BOTH` over all that is not `NOTHING`. uint8, H x W."""
    return np.select([truth & mask, mask, truth], [BOTH, TOO_MUCH, MISSED]).astype(np.uint8)


def boundary_kinds(truth: np.ndarray, mask: np.ndarray, radius: int) -> np.ndarray:
    """What F counts: pixels of both boundaries, matched or not. uint8, H x W.

    Where both boundaries pass through a pixel it is matched.
    """
    a, b = (on_boundary(x.astype(np.uint8)) for x in (truth, mask))
    near_a, near_b = near(a, radius), near(b, radius)
    matched = (a & near_b) | (b & near_a)
    return np.select([matched, b, a, near_a], [BOTH, TOO_MUCH, MISSED, NEAR]).astype(np.uint8)


def draw_changes(
    figure: Figure, truth: np.ndarray, mask: np.ndarray, changes: Sequence[Change], title: str
) -> None:
    """A column for each change: areas above, boundaries below, with J and F as their titles."""
    axes = figure.subplots(2, len(changes), squeeze=False)
    for change, (above, below) in zip(changes, axes.T, strict=True):
        state = changed(mask, change)
        scores = mask_scores(truth, state, [change.radius])
        _paint(above, area_kinds(truth, state))
        _paint(below, boundary_kinds(truth, state, change.radius))
        above.set_title(f"{change}: J {scores.J:.2f}", fontsize=9)
        below.set_title(f"radius {change.radius}: F {scores.F[0]:.2f}", fontsize=9)
    names = ["shared, or matched", "too much", "missed", "disk around the object's outline"]
    for name, colour in zip(names, KIND_COLOURS, strict=True):
        axes[0, 0].plot([], [], "s", color=colour, label=name)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(title)


class MaskEditor(View):
    """A mask over an object: move it, grow it, change the disk; J, F and what they count.

    Traits:
        truth: bytes, uint8 H x W, 1 in the object.
        sized: bytes, uint8 2 most + 1 x H x W, the mask grown by -most..most.
        size: H and W.
        table: bytes of `score_table`, float32, deflated.
        furthest, most, radii: what `table` holds.
        right, down, grow, radius: the state that is shown, as in `Change`.
        start: the same at first, to go back to.
        colours: of kinds of pixels, from `BOTH` on.
    """

    _esm = script("mask_editor.js")
    heavy = ("sized", "table")
    truth = traitlets.Bytes().tag(sync=True)
    sized = traitlets.Bytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    table = traitlets.Bytes().tag(sync=True)
    furthest = traitlets.Int().tag(sync=True)
    most = traitlets.Int().tag(sync=True)
    radii = traitlets.List(traitlets.Int()).tag(sync=True)
    right = traitlets.Int().tag(sync=True)
    down = traitlets.Int().tag(sync=True)
    grow = traitlets.Int().tag(sync=True)
    radius = traitlets.Int().tag(sync=True)
    start = traitlets.List(traitlets.Int()).tag(sync=True)
    colours = traitlets.List(KIND_COLOURS[:3]).tag(sync=True)

    def __init__(
        self,
        truth: np.ndarray,
        mask: np.ndarray | None = None,
        *,
        changes: Sequence[Change],
        furthest: int = 8,
        most: int = 2,
        radii: Sequence[int] = range(9),
        title: str,
        alt: str,
    ) -> None:
        """Show a mask over an object, at first with the first of `changes`.

        Args:
            truth: bool, H x W, the object. Leave room around it for the mask to move: what leaves
                the picture is cut off.
            mask: bool, H x W; the object itself when not given.
            changes: shown in the picture in its place, side by side.
            furthest: pixels that the mask can be moved in each direction.
            most: pixels that it can be grown or shrunk.
            radii: that can be chosen, in rising order.
            title: what the reader should take away from that picture.
            alt: text in its place.

        Raises:
            ValueError: masks that are not Boolean or of two sizes, an object without a pixel, no
                change, or one out of reach.
        """
        mask = truth if mask is None else mask
        _check(truth, mask, changes, furthest, most, radii)
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        draw_changes(figure, truth, mask, changes, title)
        table = score_table(truth, mask, furthest=furthest, most=most, radii=radii)
        sized = np.stack([changed(mask, Change(grow=g)) for g in range(-most, most + 1)])
        first = changes[0]
        super().__init__(
            picture(figure, alt),
            truth=truth.astype(np.uint8).tobytes(),
            sized=sized.astype(np.uint8).tobytes(),
            size=list(truth.shape),
            table=zlib.compress(table.tobytes(), level=9),
            furthest=furthest,
            most=most,
            radii=list(radii),
            right=first.right,
            down=first.down,
            grow=first.grow,
            radius=first.radius,
            start=[first.right, first.down, first.grow, first.radius],
        )


def _paint(axis: Axes, kinds: np.ndarray) -> None:
    colours = ListedColormap(["white", *KIND_COLOURS])
    axis.imshow(kinds, cmap=colours, vmin=0, vmax=len(KIND_COLOURS))
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="#999999")


def _check(
    truth: np.ndarray,
    mask: np.ndarray,
    changes: Sequence[Change],
    furthest: int,
    most: int,
    radii: Sequence[int],
) -> None:
    for name, array in (("truth", truth), ("mask", mask)):
        if array.dtype != bool or array.ndim != 2 or array.shape != truth.shape:
            raise ValueError(
                f"{name} is {array.dtype} {array.shape}: expected two Boolean masks of one size"
            )
    if not truth.any():
        raise ValueError("the object has no pixel: choose a frame in which it is seen")
    if furthest >= min(truth.shape):
        raise ValueError(f"furthest is {furthest}: keep it below the size {truth.shape}")
    if list(radii) != sorted(set(radii)) or not radii or radii[0] < 0:
        raise ValueError(f"radii are {list(radii)}: expected pixels, 0 or more, in rising order")
    for change in changes:
        far = max(abs(change.right), abs(change.down)) > furthest
        if far or abs(change.grow) > most or change.radius not in radii:
            raise ValueError(
                f"{change!r} is out of reach: furthest {furthest}, most {most}, radii {list(radii)}"
            )
    if not changes:
        raise ValueError("there is no change to show: the first of them is where the view starts")
