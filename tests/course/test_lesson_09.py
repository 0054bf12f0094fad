"""Lesson 09: its checks tell the likely mistakes apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_09 import (
    check_equal_pose,
    check_jump,
    check_number_found,
)

Gap = Callable[[float], float]


@pytest.mark.parametrize(
    ("number", "message"),
    [(2, "one heap"), (0, "semantic"), (3, "two are there"), (None, "return")],
)
def test_wrong_numbers_are_explained(number: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_number_found(lambda: number)


def test_one_is_found() -> None:
    check_number_found(lambda: 1)


def halve(gap: Gap, low: float, high: float, steps: int = 20, falling: bool = False) -> float:
    at_low = 1 if falling else gap(low)
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) * at_low > 0 else (low, middle)
    return (low + high) / 2


def on_a_grid(gap: Gap, low: float, high: float) -> float:
    angles = np.linspace(low, high, 1000)
    return float(angles[np.argmin([abs(gap(a)) for a in angles])])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda g, a, b: halve(g, a, b, falling=True), "it may be either|is zero at"),
        (on_a_grid, "1000 calls"),
        (lambda g, a, b: halve(g, a, b, steps=3), "halve until"),
        (lambda g, a, b: a, "an end of the interval"),
        (lambda g, a, b: abs(g(halve(g, a, b))) + 1e-9, "not the gap"),
        (lambda g, a, b: None, "return an angle"),
    ],
)
def test_wrong_searches_are_explained(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_equal_pose(answer)


def test_halving_passes() -> None:
    check_equal_pose(halve)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x1, y1, x2, y2: 3.0, "the sign must change"),
        (lambda x1, y1, x2, y2: 9 * (y1 - y2), "too small"),
        (lambda x1, y1, x2, y2: 3 * float(np.sign(y1 - y2)), "somebody must still be first"),
        (lambda x1, y1, x2, y2: 3.0 if y1 > y2 else -3.0, "the sign must change"),
    ],
)
def test_differences_that_are_small_or_no_swap_are_explained(
    answer: Callable[..., float], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_jump(answer)


def test_an_order_of_places_passes() -> None:
    check_jump(lambda x1, y1, x2, y2: 3.0 if (x1, y1) > (x2, y2) else -3.0)
