"""YouTube-VIS AP and AR: one pair of tracks, one frame, one threshold at a time.

Masks go through `pycocotools.mask`, tracks through plain loops. `ground_truth` and `results` are
the json of the benchmark, read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = {
    "all": (0, 10**10),
    "small": (0, 128**2),
    "medium": (128**2, 256**2),
    "large": (256**2, 10**10),
}


def compressed(segmentation: Any) -> Any:
    """A mask as a compressed RLE, or None."""
    if segmentation is None or isinstance(segmentation["counts"], str):
        return segmentation
    height, width = segmentation["size"]
    return coco_mask.frPyObjects(segmentation, height, width)


def track_iou(masks: Sequence[Any], others: Sequence[Any]) -> float:
    """Sum over frames of intersections over sum over frames of unions, of two tracks."""
    intersection = union = 0
    for mask, other in zip(masks, others, strict=True):
        if mask is not None and other is not None:
            intersection += int(coco_mask.area(coco_mask.merge([mask, other], True)))
            union += int(coco_mask.area(coco_mask.merge([mask, other], False)))
        elif mask is not None:
            union += int(coco_mask.area(mask))
        elif other is not None:
            union += int(coco_mask.area(other))
    return intersection / union if union else 0.0


def mean_area(areas: Sequence[int | None]) -> float:
    """Mean area, in pixels, over the frames that a track is in."""
    seen = [area for area in areas if area]
    return sum(seen) / len(seen) if seen else 0.0


def load(ground_truth: dict[str, Any], results: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Objects and detections of each video and category, with compressed masks and mean areas."""
    objects: dict[Any, list[Any]] = {}
    detections: dict[Any, list[Any]] = {}
    for source, into in ((ground_truth["annotations"], objects), (results, detections)):
        for entry in source:
            masks = [compressed(segmentation) for segmentation in entry["segmentations"]]
            areas = entry.get("areas") or [m and int(coco_mask.area(m)) for m in masks]
            into.setdefault((entry["video_id"], entry["category_id"]), []).append(
                {
                    "masks": masks,
                    "area": mean_area(areas),
                    "crowd": bool(entry.get("iscrowd", 0)),
                    "score": entry.get("score"),
                }
            )
    for key, found in detections.items():
        detections[key] = sorted(found, key=lambda detection: -detection["score"])[:100]
    return objects, detections


def all_ious(objects: Any, detections: Any) -> Any:
    """IoU of each detection with each object of its video and category."""
    return {
        key: [[track_iou(d["masks"], g["masks"]) for g in objects.get(key, [])] for d in found]
        for key, found in detections.items()
    }


def match(
    objects: list[Any], detections: list[Any], ious: list[Any], area: str, threshold: float
) -> tuple[list[tuple[float, int, bool]], int]:
    """(score, rank, is hit) of each detection that counts, and how many objects count."""
    low, high = AREAS[area]
    ignored = [g["crowd"] or not low <= g["area"] <= high for g in objects]
    taken = [False] * len(objects)
    outcomes = []
    for rank, detection in enumerate(detections):
        chosen = None
        for want_ignored in (False, True):
            for g, obj in enumerate(objects):
                if ignored[g] != want_ignored or (taken[g] and not obj["crowd"]):
                    continue
                if ious[rank][g] < threshold:
                    continue
                if chosen is None or ious[rank][g] >= ious[rank][chosen]:
                    chosen = g
            if chosen is not None:
                break
        if chosen is not None:
            taken[chosen] = True
            if not ignored[chosen]:
                outcomes.append((detection["score"], rank, True))
        elif low <= detection["area"] <= high:
            outcomes.append((detection["score"], rank, False))
    return outcomes, ignored.count(False)


def precision_curve(outcomes: list[tuple[float, int, bool]], num_objects: int) -> list[float]:
    """Best precision at each of 101 recalls or beyond, 0 where the recall is not reached."""
    points = []
    hits = misses = 0
    for _, _, is_hit in sorted(outcomes, key=lambda outcome: -outcome[0]):
        hits += is_hit
        misses += not is_hit
        points.append((hits / num_objects, hits / (hits + misses + np.spacing(1))))
    return [max((p for reached, p in points if reached >= r), default=0.0) for r in RECALLS]


def evaluate(
    ground_truth: dict[str, Any],
    results: list[dict[str, Any]],
    categories: Sequence[int] | None = None,
) -> dict[str, float]:
    """The nine numbers, NaN where no object counts."""
    objects, detections = load(ground_truth, results)
    ious = all_ious(objects, detections)
    videos = sorted(video["id"] for video in ground_truth["videos"])
    if categories is None:
        categories = sorted(category["id"] for category in ground_truth["categories"])
    curves: dict[str, list[Any]] = {area: [] for area in AREAS}
    recalls: dict[int, list[float]] = {1: [], 10: [], 100: []}
    for t, threshold in enumerate(THRESHOLDS):
        for area, of_area in curves.items():
            by_category = []
            for category in categories:
                outcomes, num_objects = [], 0
                for video in videos:
                    key = (video, category)
                    found, number = match(
                        objects.get(key, []),
                        detections.get(key, []),
                        ious.get(key, []),
                        area,
                        threshold,
                    )
                    outcomes += found
                    num_objects += number
                if num_objects == 0:
                    continue
                by_category.append(precision_curve(outcomes, num_objects))
                if area == "all":
                    for limit, of_limit in recalls.items():
                        hits = sum(is_hit for _, rank, is_hit in outcomes if rank < limit)
                        of_limit.append(hits / num_objects)
            of_area.append((t, np.array(by_category)))

    def mean(area: str, only: int | None = None) -> float:
        values = [c.T.ravel() for t, c in curves[area] if c.size and only in (None, t)]
        return float(np.mean(np.concatenate(values))) if values else math.nan

    return {
        "AP": mean("all"),
        "AP50": mean("all", 0),
        "AP75": mean("all", 5),
        "AP_small": mean("small"),
        "AP_medium": mean("medium"),
        "AP_large": mean("large"),
        **{
            f"AR{limit}": float(np.mean(values)) if values else math.nan
            for limit, values in recalls.items()
        },
    }
