"""AP and AR of YouTube-VIS from IoUs: matching, ranking and averaging as in COCO.

Per category, the detections of all videos are ranked by score and matched greedily to the objects
of their own video, at ten IoU thresholds; the precision-recall curve is read off at 101 recalls.
Order of summation included, the numbers are those of the official scorer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = np.array([(0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10)])
"""Least and largest mean area of all, small, medium and large tracks, in pixels, both included."""
MAX_DETECTIONS = (1, 10, 100)
"""Detections that count in each video and category, best first: for AR1, AR10, and all else."""


@dataclass(frozen=True)
class YoutubeVISScores:
    """AP and AR, from 0 to 1; NaN where there is no ground truth (the official tool prints -1).

    Attributes:
        AP: mean over thresholds, recalls and those categories that have ground truth.
        AP50: at IoU 0.5.
        AP75: at IoU 0.75.
        AP_small: of tracks whose mean area is at most 128^2 pixels; others are ignored.
        AP_medium: from 128^2 to 256^2.
        AP_large: from 256^2.
        AR1: largest recall with one detection per video and category.
        AR10: with ten.
        AR100: with a hundred.
        categories: name of each category id.
        per_category: the same scores of each category id alone, in ascending order.
        precision: 10 IoUs x 101 recalls x categories in ascending order; -1 where a category has
            no ground truth.
    """

    AP: float
    AP50: float
    AP75: float
    AP_small: float
    AP_medium: float
    AP_large: float
    AR1: float
    AR10: float
    AR100: float
    categories: Mapping[int, str] = field(default_factory=dict)
    per_category: Mapping[int, YoutubeVISScores] = field(default_factory=dict)
    precision: np.ndarray = field(
        default_factory=lambda: np.empty((10, 101, 0)), repr=False, compare=False
    )

    def values(self) -> dict[str, float]:
        """The nine numbers by name."""
        names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100")
        return {name: getattr(self, name) for name in names}

    def curves(self) -> list[tuple[str, np.ndarray]]:
        """Precision, 10 IoUs x 101 recalls, of each category with ground truth; then their mean."""
        present = [k for k in range(self.precision.shape[2]) if self.precision[0, 0, k] > -1]
        ids = sorted(self.categories)
        named = [(self.categories[ids[k]], self.precision[..., k]) for k in present]
        return [*named, ("all", self.precision[..., present].mean(axis=2))] if named else []

    def table(self) -> list[dict[str, str | float]]:
        """A row for each category with ground truth, then one for all; '-' where there is none."""
        scored = [
            (self.categories.get(category, str(category)), scores)
            for category, scores in self.per_category.items()
            if not math.isnan(scores.AP)
        ]
        rows: list[dict[str, str | float]] = []
        for name, scores in [*scored, ("all", self)]:
            shown = {k: "-" if math.isnan(value) else value for k, value in scores.values().items()}
            rows.append({"Category": name, **shown})
        return rows


@dataclass(frozen=True)
class Group:
    """G objects and D detections of one category in one video, detections best first.

    Attributes:
        ious: D x G.
        object_areas: G, mean over the frames where the object is seen, in pixels.
        crowd: G, bool: ignored, and matched by any number of detections.
        areas: D, as of the objects.
        scores: D.
    """

    ious: np.ndarray
    object_areas: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray
    scores: np.ndarray


def score_groups(
    groups: Mapping[int, Sequence[Group]], names: Mapping[int, str]
) -> YoutubeVISScores:
    """Scores of the groups of each category, videos in order."""
    ids = sorted(groups)
    precision = np.full((len(IOU_THRESHOLDS), len(RECALLS), len(ids), len(AREAS)), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), len(ids), len(MAX_DETECTIONS)), -1.0)
    for k, category in enumerate(ids):
        if groups[category]:
            _score_category(groups[category], precision[:, :, k], recall[:, k])
    per_category = {
        category: _summary(
            precision[:, :, k : k + 1], recall[:, k : k + 1], {category: names[category]}
        )
        for k, category in enumerate(ids)
    }
    return _summary(precision, recall, names, per_category)


def _summary(
    precision: np.ndarray,
    recall: np.ndarray,
    names: Mapping[int, str],
    per_category: Mapping[int, YoutubeVISScores] | None = None,
) -> YoutubeVISScores:
    """Means of precision (T x R x K x A) and recall (T x K x M) over what is not -1."""

    def mean(values: np.ndarray) -> float:
        present = values[values > -1]
        return float(present.sum() / len(present)) if len(present) else math.nan

    return YoutubeVISScores(
        AP=mean(precision[..., 0]),
        AP50=mean(precision[0, ..., 0]),
        AP75=mean(precision[5, ..., 0]),
        AP_small=mean(precision[..., 1]),
        AP_medium=mean(precision[..., 2]),
        AP_large=mean(precision[..., 3]),
        AR1=mean(recall[..., 0]),
        AR10=mean(recall[..., 1]),
        AR100=mean(recall[..., 2]),
        categories=dict(names),
        per_category=per_category or {},
        precision=precision[..., 0],
    )


def _score_category(groups: Sequence[Group], precision: np.ndarray, recall: np.ndarray) -> None:
    """Fill precision (threshold x recall x area) and recall (threshold x detections)."""
    all_matched, all_ignored, objects_ignored = zip(*map(_match, groups), strict=True)
    ignored = np.concatenate(objects_ignored, axis=1)
    scores = np.concatenate([group.scores for group in groups])
    rank = np.concatenate([np.arange(len(group.scores)) for group in groups])
    matched = np.concatenate(all_matched, axis=2)
    counted = ~np.concatenate(all_ignored, axis=2)
    order = np.argsort(-scores, kind="stable")
    for a, num_objects in enumerate((~ignored).sum(axis=1)):
        if num_objects == 0:
            continue
        hit = matched[a] & counted[a]
        if a == 0:
            for m, limit in enumerate(MAX_DETECTIONS):
                recall[:, m] = hit[:, rank < limit].sum(axis=1) / num_objects
        true = np.cumsum(hit[:, order], axis=1).astype(float)
        false = np.cumsum((~matched[a] & counted[a])[:, order], axis=1).astype(float)
        at = true / (false + true + np.spacing(1))
        best_from = np.zeros((len(at), at.shape[1] + 1))  # 0 where a recall is never reached
        best_from[:, :-1] = np.maximum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
        for t, recalled in enumerate(true / num_objects):
            precision[t, :, a] = best_from[t, recalled.searchsorted(RECALLS)]


def _match(group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each detection, best score first, the free object of highest IoU.

    Objects that are not ignored come first, however high the IoU with an ignored one is; of equal
    IoUs the last object wins. Detections that match nothing are ignored if their own area is out
    of range.

    Returns:
        Which detections are matched, and which ignored, for each range of areas A and threshold T:
        bool, A x T x D; which objects are ignored: A x G.
    """
    low, high = AREAS[:, :1], AREAS[:, 1:]
    out_of_range = (group.object_areas < low) | (group.object_areas > high)
    object_ignored = out_of_range | group.crowd
    shape = (len(AREAS), len(IOU_THRESHOLDS), len(group.scores))
    matched = np.zeros(shape, bool)
    ignored = np.zeros(shape, bool)
    free = np.ones((*shape[:2], len(group.crowd)), bool)
    for d, ious in enumerate(group.ious):
        if not (ious >= IOU_THRESHOLDS[0]).any():
            continue
        reaches = (ious >= IOU_THRESHOLDS[:, None]) & (free | group.crowd)
        for candidates in (
            reaches & ~object_ignored[:, None],
            reaches & object_ignored[:, None],
        ):
            last_first = np.where(candidates, ious, -1.0)[..., ::-1]
            best = len(ious) - 1 - last_first.argmax(axis=-1)
            a, t = np.nonzero(candidates.any(axis=-1) & ~matched[..., d])
            g = best[a, t]
            free[a, t, g] = False
            matched[a, t, d] = True
            ignored[a, t, d] = object_ignored[a, g]
    too_small_or_large = (group.areas < low) | (group.areas > high)
    ignored |= ~matched & too_small_or_large[:, None]
    return matched, ignored, object_ignored
