"""Lesson 20: its check tells the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_20 import (
    Track,
    check_late_swap,
    check_same_tracks,
    check_sequence_iou,
)


def pairs(a: Track, b: Track) -> list[tuple[np.ndarray, np.ndarray]]:
    nothing = np.zeros((5, 5), bool)
    return [
        (nothing if x is None else x, nothing if y is None else y)
        for x, y in zip(a, b, strict=True)
    ]


def right(a: Track, b: Track) -> float:
    shared = sum(int((x & y).sum()) for x, y in pairs(a, b))
    union = sum(int((x | y).sum()) for x, y in pairs(a, b))
    return shared / union if union else 0.0


def mean_of_frames(a: Track, b: Track) -> float:
    return float(np.mean([(x & y).sum() / (x | y).sum() for x, y in pairs(a, b)]))


def mean_of_frames_with_both(a: Track, b: Track) -> float:
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return float(np.mean([(x & y).sum() / (x | y).sum() for x, y in both]))


def without_missing_frames(a: Track, b: Track) -> float:
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return sum((x & y).sum() for x, y in both) / sum((x | y).sum() for x, y in both)


def sum_of_areas(a: Track, b: Track) -> float:
    both = pairs(a, b)
    return sum((x & y).sum() for x, y in both) / sum(x.sum() + y.sum() for x, y in both)


def without_empty(a: Track, b: Track) -> float:
    both = pairs(a, b)
    return sum(int((x & y).sum()) for x, y in both) / sum(int((x | y).sum()) for x, y in both)


def without_none(a: Any, b: Any) -> float:
    return float(np.mean([(x & y).sum() for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (mean_of_frames, "mean of the IoUs of the frames"),
        (mean_of_frames_with_both, "mean over the frames that show both"),
        (without_missing_frames, "leaves out frames"),
        (sum_of_areas, "it was counted twice"),
        (without_empty, "IoU 0 here, not nan"),
        (without_none, "None stands for an empty mask"),
        (lambda a, b: 1 - right(a, b), "shared 0"),
        (lambda a, b: np.full(4, right(a, b)), "one number for a pair"),
        (lambda a, b: None, "return a number"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_sequence_iou(answer)


def test_the_right_iou_passes() -> None:
    check_sequence_iou(right)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [(6, "both belong to the union"), (0, "above one half"), (10, "count"), (5, "add up")],
)
def test_a_wrong_count_of_thresholds_is_told_why(thresholds: int, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_late_swap(lambda: thresholds)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.9, 0.8, 0.2, 0.1], "stands first"),
        ([0.5, 0.1, 0.9, 0.2], "before one that hits nothing"),
        ([0.0, 0.0, 1.0, 1.0], "no two may be equal"),
        ([0.2, 0.1], "four scores"),
    ],
)
def test_scores_that_could_be_worse_are_told_so(scores: list[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_same_tracks(lambda: scores)
