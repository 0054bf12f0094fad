"""Lesson 24: the 95 % interval of the difference between two sets of seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

Answer = Callable[[Sequence[float], Sequence[float]], tuple[float, float]]
PAIRS = (
    ([26.0, 28.0, 29.0], [42.0, 44.0, 41.0, 45.0]),
    ([60.0, 70.0], [64.0, 65.0, 66.0, 65.0, 64.5]),
)
"""Made-up scores: two sets that scatter alike, and two that do not."""


def check_difference_interval(answer: Answer) -> None:
    """Compare with SciPy's t test for unequal variances."""
    for values, others in PAIRS:
        given = answer(values, others)
        assert np.shape(given) == (2,), (
            f"return two numbers, the difference and half the width; got {given!r}"
        )
        difference, half = map(float, given)
        test = stats.ttest_ind(values, others, equal_var=False)
        low, high = test.confidence_interval(0.95)
        assert not np.allclose(given, (low, high)), (
            "these are the two ends; return the difference and half the width between them"
        )
        expected = (high + low) / 2
        assert not np.isclose(difference, -expected), (
            "the sign is turned around: it is `values` minus `others`, below zero for a loss"
        )
        assert np.isclose(difference, expected), (
            f"the difference of the means of {values} and {others} is {expected:.3g}, "
            f"not {difference:.3g}"
        )
        _check_half_width(values, others, half, (high - low) / 2)


def _check_half_width(
    values: Sequence[float], others: Sequence[float], half: float, expected: float
) -> None:
    sides = (values, others)
    errors = np.array([stats.sem(side) for side in sides])
    shares = np.array([np.var(side) / len(side) for side in sides])
    freedom = sum(map(len, sides)) - 2
    each = sum(stats.t.ppf(0.975, len(s) - 1) * e for s, e in zip(sides, errors, strict=True))
    mistakes = {
        2 * expected: "this is the whole width; return half of it",
        each: "half widths do not add up: add the squares of the standard errors, then the root",
        1.96 * np.hypot(*errors): "1.96 is for very many seeds; a few need Student's t",
        stats.t.ppf(0.975, freedom) * np.hypot(*errors): (
            "n + m - 2 degrees of freedom hold only if both sets scatter alike; Welch's are fewer"
        ),
    }
    for wrong, message in mistakes.items():
        assert not np.isclose(half, wrong), message
    ratio = half / expected
    divided_by_n = np.sqrt(shares.sum()) / np.hypot(*errors)
    assert not (0.5 < ratio < 1 and abs(ratio - divided_by_n) < 0.25), (
        f"half the width is {half:.3g} where {expected:.3g} is right, which is what comes of "
        "dividing by n in the variance: the mean is of the same seeds, so divide by n - 1 (ddof=1)"
    )
    assert np.isclose(half, expected), (
        f"half the width for {values} and {others} is {expected:.3g}, not {half:.3g}"
    )


def check_two_seeds(answer: Callable[[], float]) -> None:
    """Half the interval of the mean of 70 and 71."""
    given = float(answer())
    assert abs(given - 12.7) > 0.1, "that is the interval of 26 and 28, twice as far apart"
    assert abs(given - 0.98) > 0.05, "1.96 is for many values; for two, Student's t is 12.7"
    assert abs(given - 8.98) > 0.1, "divide by the root of 2: the mean of two is meant"
    assert abs(given - 6.35) < 0.05, (
        f"not {given:.2f}: s is the root of one half, s over the root of 2 is one half, t is 12.7"
    )
