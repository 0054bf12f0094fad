"""One mask against one object in one frame, for disks of several radii at once.

What a result scores is `davis_sequence`. Here are the same numbers with all the counts behind them,
to show what J and F count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tagvis_lite.evaluation.boundary import on_boundary
from tagvis_lite.evaluation.davis_sequence import contour_accuracy, region_similarity


@dataclass(frozen=True)
class MaskScores:
    """Pixels behind J and F of a mask and an object; R radii.

    Attributes:
        intersection, union: of both masks.
        object_edges, mask_edges: pixels of each boundary.
        object_matched: R, those of the object within reach of the mask's boundary.
        mask_matched: R, those of the mask within reach of the object's boundary.
    """

    intersection: int
    union: int
    object_edges: int
    mask_edges: int
    object_matched: np.ndarray
    mask_matched: np.ndarray

    @property
    def J(self) -> float:
        """Region similarity."""
        return float(region_similarity(np.array(self.intersection), np.array(self.union)))

    @property
    def F(self) -> np.ndarray:
        """Contour accuracy: R float64."""
        edges = np.array(self.mask_edges), np.array(self.object_edges)
        return contour_accuracy(*edges, self.mask_matched, self.object_matched)


def mask_scores(truth: np.ndarray, mask: np.ndarray, radii: Sequence[int]) -> MaskScores:
    """Count what J and F are made of. With the radius `boundary_reach` they are the benchmark's.

    Args:
        truth: bool, H x W, the object.
        mask: bool, H x W.
        radii: of the disk within which boundaries match, in pixels.
    """
    a, b = (on_boundary(x.astype(np.uint8)) for x in (truth, mask))
    return MaskScores(
        intersection=int((truth & mask).sum()),
        union=int((truth | mask).sum()),
        object_edges=int(a.sum()),
        mask_edges=int(b.sum()),
        object_matched=_matched(a, b, radii),
        mask_matched=_matched(b, a, radii),
    )


def near(edges: np.ndarray, radius: int) -> np.ndarray:
    """Pixels within the disk of this radius around any boundary pixel: bool, H x W."""
    return _distances(edges) <= radius + 1e-3  # between two distances on the grid


def _matched(edges: np.ndarray, others: np.ndarray, radii: Sequence[int]) -> np.ndarray:
    """How many of `edges` have one of `others` within each radius."""
    distances = np.sort(_distances(others)[edges])
    return np.searchsorted(distances, np.asarray(radii) + 1e-3, side="right")


def _distances(edges: np.ndarray) -> np.ndarray:
    """From each pixel to the nearest boundary pixel; infinite where there is none."""
    if not edges.any():
        return np.full(edges.shape, np.inf, np.float32)
    away = (~edges).astype(np.uint8)
    return cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
