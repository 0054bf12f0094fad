"""How far to believe an instance: the share of such instances that were right (D27).

Weights trained on one kind of video say nothing about another, and the score of an instance does
not know that. Three signs that need no truth do, in part: a heap of tags that stands apart from the
next, pixels that are surely foreground, and the same mask where the clip is seen in a mirror. A
logistic regression, fitted on videos with truth, turns them into a probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from tagvis_lite.instances.cluster import Instances, Prepared
from tagvis_lite.video import BACKGROUND

SIGNS = ("valley depth", "foreground probability", "stability in a mirror")
"""What `evidence` measures, each from 0 to 1."""
ENOUGH = 0.5
"""Intersection over union with an object, over a whole clip, from which an instance is right; and
the trust below which it is drawn hatched."""
PIXELS = 2048
"""Tags that a density is estimated from."""


def evidence(
    prepared: Prepared, instances: Instances, mirror_ids: np.ndarray, bandwidth: float
) -> dict[int, np.ndarray]:
    """The `SIGNS` of each instance of a clip.

    Valley depth is how much lower than at its mode the density of tags is on the way to another
    mode, where that is least: 0 is a plain, 1 a gap. The probability is the mean over its pixels.
    Stability is the largest intersection over union with an instance of the clip in a mirror.

    Args:
        prepared: the prediction.
        instances: what the clustering made of it.
        mirror_ids: uint8, T x h x w: instances of the mirrored clip, turned back.
        bandwidth: of the clustering.

    Returns:
        float64, 3, for each instance.
    """
    ids = instances.ids
    shown = ids != BACKGROUND
    depths = _valley_depths(
        np.array([instances.modes[n] for n in instances.modes], dtype=np.float64),
        prepared.tags[shown],
        bandwidth,
    )
    pairs = np.bincount(256 * ids.ravel().astype(np.int64) + mirror_ids.ravel(), minlength=65536)
    common = pairs.reshape(256, 256)
    union = common.sum(1, keepdims=True) + common.sum(0, keepdims=True) - common
    stability = (common / np.maximum(union, 1))[:, 1:].max(1)
    sums = np.bincount(ids.ravel(), prepared.foreground.ravel(), minlength=256)
    probability = sums / np.maximum(common.sum(1), 1)
    return {
        n: np.array([depth, probability[n], stability[n]])
        for n, depth in zip(instances.modes, depths, strict=True)
    }


def _valley_depths(modes: np.ndarray, tags: np.ndarray, bandwidth: float) -> np.ndarray:
    """For each of N modes: 1 - the highest of its valleys towards the others, over its density."""
    modes = modes.reshape(len(modes), -1)
    tags = tags.reshape(len(tags), -1)[:: max(1, len(tags) // PIXELS)]
    way = np.linspace(0, 1, 17)[:, None, None, None]
    points = (1 - way) * modes[:, None] + way * modes[None]  # 17 x N x N x K
    sigma = bandwidth / np.sqrt(8 * np.log(2))
    density = np.zeros(points.shape[:3])
    for k in range(len(way)):
        distance = np.square(points[k][:, :, None] - tags).sum(-1)
        density[k] = np.exp(-distance / (2 * sigma**2)).sum(-1)
    valleys = density.min(0) / density[0]
    np.fill_diagonal(valleys, 0)
    return 1 - valleys.max(1)


def trust(signs: np.ndarray, weights: Sequence[float]) -> float:
    """Estimated probability that an instance covers an object.

    Args:
        signs: of one instance, as `evidence` gives them.
        weights: `inference.trust` of the config: a constant, and the weight of each sign.
    """
    return float(expit(weights[0] + np.dot(weights[1:], signs)))


def fit_trust(signs: np.ndarray, right: np.ndarray) -> tuple[float, float, float, float]:
    """Weights of the logistic regression, with a slight pull to 0 of all but the constant.

    Args:
        signs: n x 3, of instances in videos with truth.
        right: bool, n: intersection over union with an object of at least `ENOUGH`.
    """
    x = np.column_stack([np.ones(len(signs)), signs])

    def loss(weights: np.ndarray) -> float:
        z = x @ weights
        return float(np.logaddexp(0, np.where(right, -z, z)).sum() + 0.5 * (weights[1:] ** 2).sum())

    constant, *others = minimize(loss, np.zeros(4)).x.tolist()
    return (constant, *others)


def is_right(ids: np.ndarray, truth: np.ndarray) -> Mapping[int, bool]:
    """Whether each instance covers an object: its best overlap over all frames is `ENOUGH`.

    Args:
        ids: uint8, T x H x W, as found.
        truth: uint8, T x H x W.
    """
    found, there = np.setdiff1d(ids, BACKGROUND), np.setdiff1d(truth, BACKGROUND)
    overlap = {
        n: [
            (np.logical_and(ids == n, truth == m).sum() / np.logical_or(ids == n, truth == m).sum())
            for m in there
        ]
        for n in found.tolist()
    }
    return {n: max(values, default=0) >= ENOUGH for n, values in overlap.items()}
