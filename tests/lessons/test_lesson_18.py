"""Lesson 18: its check tells the likely mistakes of an interval apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from tagvis_lite.lessons.checks.lesson_18 import Difference, check_paired_difference


def interval(
    full: Sequence[float], without: Sequence[float], factor: float | None = None, ddof: int = 1
) -> tuple[float, float]:
    d = np.subtract(without, full)
    factor = stats.t.ppf(0.975, len(d) - 1) if factor is None else factor
    return float(d.mean()), float(factor * d.std(ddof=ddof) / np.sqrt(len(d)))


def unpaired(full: Sequence[float], without: Sequence[float]) -> tuple[float, float]:
    low, high = stats.ttest_ind(without, full).confidence_interval(0.95)
    return -2.0, float(high - low) / 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, b: interval(b, a), "sign is turned around"),
        (unpaired, "subtract seed by seed"),
        (lambda a, b: interval(a, b, 1.96), "1.96 is for many seeds"),
        (lambda a, b: (-2.0, interval(a, b)[1] / 2), "divide by the root"),
        (lambda a, b: interval(a, b, ddof=0), "ddof=1"),
        (lambda a, b: -2.0, "return two numbers"),
    ],
)
def test_likely_mistakes_are_named(answer: Difference, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_paired_difference(answer)


def test_the_right_interval_passes() -> None:
    check_paired_difference(interval)
