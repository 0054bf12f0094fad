"""Lesson 19: its check tells the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_19 import (
    check_holes,
    check_nothing_at_all,
    check_object_similarity,
)

Masks = tuple[np.ndarray, np.ndarray]


def masks(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> Masks:
    return truth == g, (result == p) & (truth != 255)


def right(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = masks(truth, result, g, p)
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


def with_void(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = truth == g, result == p
    return float((a & b).sum() / max(1, (a | b).sum()))


def dice(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = masks(truth, result, g, p)
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def recall(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = masks(truth, result, g, p)
    return float((a & b).sum() / a.sum())


def foreground(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    known = truth != 255
    a, b = (truth > 0) & known, (result > 0) & known
    return float((a & b).sum() / (a | b).sum())


def without_empty(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = masks(truth, result, g, p)
    return float((a & b).sum() / (a | b).sum())


def divides_integers(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    a, b = masks(truth, result, g, p)
    return int((a & b).sum()) / int((a | b).sum())


def overwrites(truth: np.ndarray, result: np.ndarray, g: int, p: int) -> float:
    result[truth == 255] = 0
    return right(truth, result, g, p)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (overwrites, "arrays of the caller"),
        (with_void, "counts void as background"),
        (dice, "divides by the union"),
        (recall, "which is a recall"),
        (foreground, "foreground with foreground"),
        (without_empty, "they agree, so J is 1, not nan"),
        (divides_integers, "they agree, so J is 1, not nan"),
        (lambda *arguments: 1 - right(*arguments), "intersection 3, union 8"),
        (lambda *arguments: np.full((4, 5), right(*arguments)), "one number, not an array"),
        (lambda *arguments: None, "return a number"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_object_similarity(answer)


def test_the_right_similarity_passes() -> None:
    check_object_similarity(right)


@pytest.mark.parametrize(
    ("score", "message"),
    [(0, "agree"), (1, "nothing covers it"), (0.25, "both score 1"), (0.7, "0.5")],
)
def test_a_wrong_score_of_nothing_is_told_why(score: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_nothing_at_all(lambda: score)


def square(first: int, last: int) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[first:last, first:last] = True
    return mask


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ((square(2, 62), square(3, 61)), "still match"),
        ((square(20, 30), square(18, 33)), "too much area"),
        ((square(2, 62), square(2, 62) & ~square(24, 42)), "many small places"),
        ((square(2, 62)[:5], square(2, 62)[:5]), "64 x 64"),
    ],
)
def test_masks_that_break_nothing_are_told_why(
    masks: tuple[np.ndarray, np.ndarray], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_holes(lambda: masks)
