"""Lesson 18: is a difference between two rows more than chance?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scipy import stats

Difference = Callable[[Sequence[float], Sequence[float]], tuple[float, float]]


def check_paired_difference(answer: Difference) -> None:
    """Compare with scipy's paired t test on numbers whose pairs matter."""
    full, without = [40.0, 50.0, 60.0, 70.0], [38.0, 49.0, 57.0, 68.0]
    given = answer(full, without)
    assert isinstance(given, tuple) and len(given) == 2, (  # noqa: PT018
        f"return two numbers, the mean and half the width of its interval; got {given!r}"
    )
    mean, half = (float(value) for value in given)
    test = stats.ttest_rel(without, full)
    low, high = test.confidence_interval(0.95)
    expected = (high - low) / 2
    assert abs(mean - 2.0) > 1e-9, (
        "the sign is turned around: without minus full, a loss is negative"
    )
    assert abs(mean + 2.0) < 1e-9, f"the mean difference is -2, you return {mean:.3f}"
    assert half < 5, (
        f"half a width of {half:.1f} is that of unpaired scores: subtract seed by seed first, the "
        "seeds share their luck"
    )
    assert abs(half - 1.96 * expected / stats.t.ppf(0.975, 3)) > 1e-3, (
        "1.96 is for many seeds; with four, Student's t has 3.18"
    )
    assert abs(half - expected / 2) > 1e-3, "divide by the root of the number of seeds, not by it"
    assert abs(half - expected) < 1e-3, (
        f"scipy says {expected:.3f}, you return {half:.3f}. Is the standard deviation that of a "
        "sample (ddof=1)?"
    )
