"""Equations (1) to (7) in the order of the paper, one loop for each sum, on one clip.

Where the paper is silent the choices are those of docs/decisions.md: a frame without the instance
has no h_nt and takes part in nothing (D12), background and void pixels belong to no instance (D13),
M' is all M pixels. `sum` is as printed; `mean` divides each sum over m, t or pairs by its number of
terms (D10).

>>> import numpy as np
>>> tags = np.array([[[0.0, 2.0, 5.0]]])   # T x h x w: one frame of one row
>>> ids = np.array([[[1, 1, 2]]])          # two pixels of instance 1, one of instance 2
>>> tagging_terms(tags, ids, margin=3.0)   # h_1 = 1 and h_2 = 5 are 4 apart: no push is left
{'spectra': 0.5, 'specter': 0.0, 'tempra': 0.0, 'temper': 0.0}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

VOID = 255


def instances(ids: np.ndarray, background_as_instance: bool = False) -> list[int]:
    """n = 1, ..., N: the ids that some pixel of the clip has."""
    found = []
    for n in range(0 if background_as_instance else 1, VOID):
        if (ids == n).any():
            found.append(n)
    return found


Tag = Any
"""A number, or a vector of K numbers."""


def distance(tag: Tag, other: Tag) -> float:
    """|tag - other|: the Euclidean distance of two tags."""
    return math.dist(np.atleast_1d(tag), np.atleast_1d(other))


def pixel_tags(tags: np.ndarray, ids: np.ndarray, n: int, t: int) -> list[Tag]:
    """h'_nm for the pixels m of instance n in frame t."""
    height, width = ids.shape[1:]
    found = []
    for y in range(height):
        for x in range(width):
            if ids[t, y, x] == n:
                found.append(tags[t, y, x])
    return found


def mean(values: Sequence[Tag]) -> Tag:
    """(1 / M) times the sum over m."""
    total: Tag = 0.0
    for value in values:
        total += value
    return total / len(values)


def mean_tag(tags: np.ndarray, ids: np.ndarray, n: int) -> Tag:
    """Eq. (1): h_n."""
    of_all_frames = []
    for t in range(len(ids)):
        of_all_frames += pixel_tags(tags, ids, n, t)
    return mean(of_all_frames)


def frame_mean_tags(tags: np.ndarray, ids: np.ndarray, n: int) -> dict[int, Tag]:
    """h_nt for each frame t that instance n is in."""
    means = {}
    for t in range(len(ids)):
        if (ids[t] == n).any():
            means[t] = mean(pixel_tags(tags, ids, n, t))
    return means


class Clip:
    """h_n and h_nt of all instances of one clip, and the four terms over them."""

    def __init__(self, tags: np.ndarray, ids: np.ndarray, background_as_instance: bool = False):
        self.tags, self.ids = tags, ids
        self.names = instances(ids, background_as_instance)
        self.h = {n: mean_tag(tags, ids, n) for n in self.names}
        self.h_t = {n: frame_mean_tags(tags, ids, n) for n in self.names}

    def spectra(self, reduction: str, h_n: str) -> float:
        """Eq. (2), L_spectra: every pixel is pulled to the mean tag of its instance."""
        total = 0.0
        for n in self.names:
            terms = []
            for t in self.h_t[n]:
                target = self.h[n] if h_n == "clip" else self.h_t[n][t]
                for tag in pixel_tags(self.tags, self.ids, n, t):
                    terms.append(distance(target, tag) ** 2)
            total += reduced(terms, reduction)
        return total / len(self.names) if self.names else 0.0

    def specter(self, reduction: str, margin: float) -> float:
        """Eq. (3), L_specter: mean tags of two instances are pushed a margin G apart."""
        terms = []
        for i in range(len(self.names) - 1):
            for j in range(i + 1, len(self.names)):
                n, other = self.names[i], self.names[j]
                terms.append(max(0.0, margin - distance(self.h[n], self.h[other])))
        return reduced(terms, reduction)

    def tempra(self, reduction: str) -> float:
        """Eq. (4), L_tempra: the mean tag of each frame is pulled to that of the clip."""
        total = 0.0
        for n in self.names:
            terms = []
            for t in self.h_t[n]:
                terms.append(distance(self.h[n], self.h_t[n][t]) ** 2)
            total += reduced(terms, reduction)
        return total / len(self.names) if self.names else 0.0

    def temper(self, reduction: str, margin: float) -> float:
        """Eq. (5), L_temper with N' = N: instances are pushed G apart in every frame."""
        terms = []
        for i in range(len(self.names) - 1):
            for j in range(i + 1, len(self.names)):
                n, other = self.names[i], self.names[j]
                for t in range(len(self.ids)):
                    if t in self.h_t[n] and t in self.h_t[other]:
                        apart = distance(self.h_t[n][t], self.h_t[other][t])
                        terms.append(max(0.0, margin - apart))
        return reduced(terms, reduction)


def reduced(terms: Sequence[float], reduction: str) -> float:
    """The sum of the terms as printed, or their mean; 0 without terms."""
    if reduction == "sum" or not terms:
        return float(sum(terms))
    return float(mean(terms))


def tagging_terms(
    tags: np.ndarray,
    ids: np.ndarray,
    *,
    reduction: str = "mean",
    h_n: str = "clip",
    margin: float = 3.0,
    background_as_instance: bool = False,
) -> dict[str, float]:
    """The four terms of eq. (6)."""
    clip = Clip(tags, ids, background_as_instance)
    return {
        "spectra": clip.spectra(reduction, h_n),
        "specter": clip.specter(reduction, margin),
        "tempra": clip.tempra(reduction),
        "temper": clip.temper(reduction, margin),
    }


def crossentropy(
    logits: np.ndarray, semantic: np.ndarray, class_weights: Sequence[float] | None = None
) -> float:
    """L_crossentropy of eq. (7): c x T x h x w logits, weighted mean over pixels not void."""
    total, weights = 0.0, 0.0
    for t, y, x in np.ndindex(semantic.shape):
        label = int(semantic[t, y, x])
        if label == VOID:
            continue
        scores = [float(score) for score in logits[:, t, y, x]]
        probability = math.exp(scores[label]) / sum(math.exp(score) for score in scores)
        weight = 1.0 if class_weights is None else class_weights[label]
        total -= weight * math.log(probability)
        weights += weight
    return total / weights if weights else 0.0
