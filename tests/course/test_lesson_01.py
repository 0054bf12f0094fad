"""Lesson 01: its checks tell the likely mistakes apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_01 import check_lost, check_pieces, check_switches


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (3, "one connected piece"),
        (4, "void"),
        (1, "dog"),
        (0, "one piece of cats"),
        (None, "return"),
    ],
)
def test_wrong_counts_are_explained(number: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_pieces(lambda: number)


def test_two_pieces_are_seen() -> None:
    check_pieces(lambda: 2)


def switches(
    truth: np.ndarray,
    result: np.ndarray,
    *,
    across: bool = True,
    skip: bool = True,
    leave_out: tuple[int, ...] = (0, 255),
) -> int:
    count = 0
    for n in set(np.unique(truth).tolist()) - set(leave_out):
        before = 0
        for labels, given in zip(truth, result, strict=True):
            if (labels == n).any():
                now = int(np.bincount(given[labels == n]).argmax())
                count += before not in (0, now) and (now != 0 or not skip)
                before = (now or before) if skip else now or -1
            elif not across:
                before = 0
    return count


def by_pixel(truth: np.ndarray, result: np.ndarray) -> int:
    same = (truth[1:] == truth[:-1]) & (truth[1:] > 0) & (truth[1:] < 255)
    return int((same & (result[1:] != result[:-1])).sum())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda t, r: int((t != r).any()), "need not be the truth's"),
        (lambda t, r: switches(t, r, across=False), "across the gap"),
        (lambda t, r: switches(t, r, skip=False), "skip it"),
        (by_pixel, "across the gap|most of an object's pixels"),
        (lambda t, r: switches(t, r, leave_out=(0,)), "void is no object"),
        (lambda t, r: switches(t, r, leave_out=(255,)), "background is no object"),
        (lambda t, r: min(1, switches(t, r)), "twice each"),
        (lambda t, r: None, "return a number"),
    ],
)
def test_wrong_counts_of_switches_are_explained(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_switches(answer)


def test_the_right_count_passes() -> None:
    check_switches(switches)


def masks(shift: int, side: int = 4, frames: int = 6) -> np.ndarray:
    drawn = np.zeros((frames, 16, 16), bool)
    for t in range(frames):
        x = (shift * t) % (17 - side)
        drawn[t, :side, x : x + side] = True
    return drawn


def away(t: int) -> np.ndarray:
    drawn = masks(6)
    drawn[t] = False
    return drawn


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (masks(1), "still overlaps"),
        (away(3), "in sight in every frame"),
        (masks(6, side=2), "at least 9"),
        (masks(6) | masks(6)[:, ::-1], "one connected piece"),
        (masks(6, frames=5), "6 frames"),
    ],
)
def test_objects_that_do_not_fit_are_explained(drawn: np.ndarray, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_lost(lambda: drawn)


def test_a_fast_object_is_lost() -> None:
    check_lost(lambda: masks(6))
