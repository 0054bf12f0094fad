"""Boundaries of all objects of a frame at once: the counts behind DAVIS' contour accuracy F.

The definition takes one binary mask at a time: its boundary, that boundary grown by a disk, and
how much of the other mask's boundary lies inside. For G objects and P proposals that is G x P
dilations of whole frames. Here a pixel carries a bit for every label whose boundary passes
through it. Few pixels carry any, so a frame is a short list of pixels and words, and asking
which boundaries come within reach of a pixel is an OR of words, for all labels together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt

import cv2
import numpy as np

MAX_LABELS = 32
"""Bits in a word: objects, or proposals, that one frame can hold."""

BOUND_TH = 0.008
"""Reach of a match, as a share of the diagonal of the frame."""

_WINDOW = np.ones((2, 2), np.uint8)
_CHUNK = 4096
"""Words unpacked at a time: bounds memory where every pixel is a boundary, as in noise."""


@dataclass(frozen=True)
class BoundaryCounts:
    """Numbers of boundary pixels in one frame; int64.

    Attributes:
        objects: G, boundary pixels of each ground-truth object.
        proposals: P, boundary pixels of each proposal.
        objects_matched: P x G, those of the object within reach of the proposal's boundary.
        proposals_matched: P x G, those of the proposal within reach of the object's boundary.
    """

    objects: np.ndarray
    proposals: np.ndarray
    objects_matched: np.ndarray
    proposals_matched: np.ndarray


def boundary_reach(height: int, width: int) -> int:
    """Radius in pixels of the disk within which boundaries match: 8 at 854 x 480."""
    return ceil(BOUND_TH * np.linalg.norm((height, width)))


def on_boundary(ids: np.ndarray) -> np.ndarray:
    """Pixels on the boundary of any label of a uint8 H x W label map, or mask: bool, H x W."""
    # Morphology ignores what lies outside the frame. So does the definition.
    range_of_ids = cv2.morphologyEx(ids, cv2.MORPH_GRADIENT, _WINDOW, anchor=(0, 0))
    return range_of_ids.astype(bool)


class BoundaryCounter:
    """Counts boundary pixels, and those with a match, in frames of H x W.

    It keeps its working memory between frames: for frames this small, asking the system for
    fresh memory takes longer than the counting.
    """

    def __init__(self, height: int, width: int) -> None:
        self.reach = boundary_reach(height, width)
        size = (height + 4 * self.reach) * (width + 4 * self.reach)
        num_runs = (2 * self.reach + 1).bit_length()
        self._memory = np.empty((num_runs, size), np.uint32)

    def count(
        self, ground_truth: np.ndarray, result: np.ndarray, num_objects: int, num_proposals: int
    ) -> BoundaryCounts:
        """Count for all pairs of objects and proposals of one frame.

        Args:
            ground_truth: uint8, ids 0 (background) to `num_objects`, no void; a frame, or a box of
                it that has background around all labels where the frame does.
            result: of the same shape, uint8, ids 0 to `num_proposals`; no void either.
            num_objects: G, at most 32.
            num_proposals: P, at most 32.
        """
        object_pixels, objects = _boundaries(ground_truth, num_objects)
        proposal_pixels, proposals = _boundaries(result, num_proposals)
        near_objects = self._within_reach(object_pixels, objects, of=proposal_pixels)
        near_proposals = self._within_reach(proposal_pixels, proposals, of=object_pixels)
        on_object, objects_matched = _count_pairs(
            objects, near_proposals, num_objects, num_proposals
        )
        on_proposal, proposals_matched = _count_pairs(
            proposals, near_objects, num_proposals, num_objects
        )
        return BoundaryCounts(on_object, on_proposal, objects_matched.T, proposals_matched)

    def _within_reach(self, pixels: np.ndarray, words: np.ndarray, of: np.ndarray) -> np.ndarray:
        """The labels, packed, whose boundary (`pixels`, `words`) is in reach of each pixel `of`.

        A disk is a stack of horizontal runs. The OR over a run of w pixels is that of two runs of
        2^k <= w pixels that overlap, and all runs of 2^k come from those of 2^(k - 1).
        """
        within = np.zeros(of.shape[1], words.dtype)
        if not pixels.size or not of.size:
            return within
        # Pixels in reach of each other lie in both bounding boxes, grown by the reach.
        low = np.maximum(pixels.min(axis=1), of.min(axis=1))[:, None] - self.reach
        high = np.minimum(pixels.max(axis=1), of.max(axis=1))[:, None] + self.reach
        here, asked = (((p >= low) & (p <= high)).all(axis=0) for p in (pixels, of))
        height, width = (high - low + 1 + 2 * self.reach).ravel().clip(min=0)
        source, target = (
            (p[0] - low[0] + self.reach) * width + (p[1] - low[1] + self.reach)
            for p in (pixels[:, here], of[:, asked])
        )

        runs = [memory.view(words.dtype)[: height * width] for memory in self._memory]
        runs[0].fill(0)
        runs[0][source] = words[here]
        for k in range(len(runs) - 1):
            np.bitwise_or(runs[k][: -(1 << k)], runs[k][1 << k :], out=runs[k + 1][: -(1 << k)])
        found = np.zeros(len(target), words.dtype)
        for dy in range(-self.reach, self.reach + 1):
            half = isqrt(self.reach**2 - dy**2)
            k = (2 * half + 1).bit_length() - 1
            first = target + (dy * width - half)
            found |= runs[k][first]
            found |= runs[k][first + (2 * half + 1 - (1 << k))]
        within[asked] = found
        return within


def _boundaries(ids: np.ndarray, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """The n pixels on any boundary and, packed, the labels whose boundary it is.

    A label's boundary passes through a pixel if its mask differs between the pixel and the
    neighbour to the east, south or south-east (whichever of them the frame has). So all
    labels among the four pixels share that boundary, unless the four agree.

    Returns:
        pixels: 2 x n, rows and columns.
        words: n, unsigned; bit k - 1 is set where the boundary of label k passes.
    """
    height, width = ids.shape
    pixels = np.flatnonzero(on_boundary(ids))
    rows, columns = np.divmod(pixels, width)
    east = columns < width - 1
    south = (rows < height - 1) * width

    bit_of = np.zeros(256, np.min_scalar_type((1 << num_labels) - 1))
    bit_of[1 : num_labels + 1] = [1 << k for k in range(num_labels)]
    flat = ids.reshape(-1)
    words = bit_of[flat[pixels]]
    for neighbour in (east, south, south + east):
        words |= bit_of[flat[pixels + neighbour]]
    return np.stack([rows, columns]), words


def _count_pairs(
    on: np.ndarray, near: np.ndarray, num_on: int, num_near: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels with bit a in `on`, for each a; and with bit b in `near` too, for each a and b.

    Neighbouring pixels mostly carry the same two words: only distinct ones are taken apart.

    Returns:
        num_on and num_on x num_near, int64.
    """
    pairs = (on.astype(np.uint64) << np.uint64(MAX_LABELS)) | near
    distinct, counts = np.unique(pairs, return_counts=True)
    total, matched = np.zeros(num_on, np.int64), np.zeros((num_on, num_near), np.int64)
    for start in range(0, len(distinct), _CHUNK):
        words = distinct[start : start + _CHUNK, None]
        has_on = (words >> np.arange(MAX_LABELS, MAX_LABELS + num_on, dtype=np.uint64)) & 1
        has_near = (words >> np.arange(num_near, dtype=np.uint64)) & 1
        weighted = counts[start : start + _CHUNK, None] * has_on.astype(np.int64)
        total += weighted.sum(axis=0)
        matched += weighted.T @ has_near.astype(np.int64)
    return total, matched
