"""Lesson 18: its check tells the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_18 import (
    check_bridge,
    check_closest,
    check_cluster_by_gaps,
)


def right(tags: np.ndarray, gap: float) -> np.ndarray:
    order = np.argsort(tags)
    ids = np.empty(len(tags), int)
    ids[order] = 1 + np.concatenate([[0], np.cumsum(np.diff(tags[order]) > gap)])
    return ids


def from_the_first(tags: np.ndarray, gap: float) -> np.ndarray:
    ids, first, n = np.empty(len(tags), int), -np.inf, 0
    for k in np.argsort(tags):
        if tags[k] - first > gap:
            first, n = tags[k], n + 1
        ids[k] = n
    return ids


def with_equal(tags: np.ndarray, gap: float) -> np.ndarray:
    return right(tags, np.nextafter(gap, 0))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda tags, gap: np.sort(right(tags, gap)), "in the order of the input"),
        (lambda tags, gap: right(tags, gap) - 1, "count from 1"),
        (
            lambda tags, gap: 1 + np.cumsum(np.abs(np.diff(tags, prepend=tags[0])) > gap),
            "sort the tags first",
        ),
        (from_the_first, "the first of its instance"),
        (with_equal, "exactly `gap`"),
        (lambda tags, gap: np.diff(np.sort(tags)) > gap, "one value less"),
        (lambda tags, gap: np.ones(len(tags), int), "you say"),
        (lambda tags, gap: right(tags, gap).tolist(), "return an array"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_cluster_by_gaps(answer)


def test_the_right_clustering_passes() -> None:
    check_cluster_by_gaps(right)


@pytest.mark.parametrize(
    ("distance", "message"),
    [(0.2, "still one hill"), (0.4, "still two maxima"), (0.8, "still two")],
)
def test_a_wrong_distance_is_shown_the_density(distance: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_closest(lambda: distance)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([0.5, 1.0, 2.0, 2.5], "a gap of 1.00"),
        ([0.2 * k for k in range(1, 15)], "at most twelve"),
        ([0.5, 1.0, 1.5, 2.0, 2.5], "a small heap of its own"),
        ([1.5] * 6, "a gap of 1.50"),
    ],
)
def test_a_bridge_that_does_not_hold_is_told_why(tags: list[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_bridge(lambda: tags)
