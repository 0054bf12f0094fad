"""Means over few seeds and how far to trust them: one rule for the report and the lessons.

A mean gets Student's t interval. A row of a table of ablations is compared with the full model by
Dunnett's test: the deviation is pooled over all rows, and the intervals of the table hold together,
so that in nineteen tables of twenty none of them misses. Welch's interval compares two sets of
seeds that stand alone.

    >>> mean, half = mean_interval([26.0, 28.0])
    >>> f"{mean:.1f} ± {half:.1f}"
    '27.0 ± 12.7'
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

LEVEL = 0.95

Interval = tuple[float, float]
"""A mean or a difference of means, and half the width of its 95 % interval."""


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's t interval of the mean; infinite from one value."""
    if len(values) < 2:
        return float(np.mean(values)), math.inf
    factor = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(np.mean(values)), float(factor * stats.sem(values))


def welch_interval(values: Sequence[float], others: Sequence[float]) -> Interval:
    """Mean of `values` minus mean of `others`, for two sets that may scatter unequally.

    Infinite where a set has one value; zero where neither scatters.
    """
    difference = float(np.mean(values) - np.mean(others))
    if min(len(values), len(others)) < 2:
        return difference, math.inf
    if len(set(values)) == len(set(others)) == 1:
        return difference, 0.0
    interval = stats.ttest_ind(values, others, equal_var=False).confidence_interval(LEVEL)
    return difference, float(interval.high - interval.low) / 2


def dunnett_intervals(rows: Sequence[Sequence[float]], control: Sequence[float]) -> list[Interval]:
    """Mean of each row minus mean of the control; all intervals hold at once, 95 times in 100.

    The scatter is pooled, so a row may have one value. With no two values in any row or in the
    control, nothing is known of the scatter, and the intervals are infinite.
    """
    differences = [float(np.mean(row) - np.mean(control)) for row in rows]
    if max(map(len, [*rows, control])) < 2:
        return [(difference, math.inf) for difference in differences]
    # SciPy integrates by quasi-random numbers; a fixed seed gives the same digits again.
    found = stats.dunnett(*rows, control=control, rng=np.random.default_rng(0))
    interval = found.confidence_interval(LEVEL)
    halves = (interval.high - interval.low) / 2
    return [(d, float(half)) for d, half in zip(differences, halves, strict=True)]


def pooled_deviation(groups: Sequence[Sequence[float]]) -> float:
    """Standard deviation within groups, as in Dunnett's test; NaN without two values in one."""
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum((len(group) - 1) * np.var(group, ddof=1) for group in groups if len(group) > 1)
    return math.sqrt(squares / freedom) if freedom else math.nan


def detectable_difference(
    deviation: float, rows: int, seeds: int, control: int, power: float = 0.8
) -> float:
    """Smallest true difference of a row that Dunnett's test of a table finds with this power.

    Args:
        deviation: of the scores of one row over its seeds.
        rows: number of them, without the control.
        seeds: of each row, at least 2.
        control: seeds of the full model.
        power: probability that the interval of the row leaves out zero.
    """
    example = list(range(seeds))  # the factor of the intervals depends on the sizes alone
    groups = [*[example] * rows, list(range(control))]
    (_, half), *_ = dunnett_intervals(groups[:-1], groups[-1])
    per_deviation = math.sqrt(1 / seeds + 1 / control)
    factor = half / (pooled_deviation(groups) * per_deviation)
    freedom = rows * (seeds - 1) + control - 1

    def missing(shift: float) -> float:
        return float(stats.nct.sf(factor, freedom, shift)) - power

    return deviation * per_deviation * float(optimize.brentq(missing, 0, 20))


def video_half_width(differences: Sequence[float], videos: int) -> float:
    """Half the 95 % interval of a mean difference that the choice of so many videos alone leaves.

    Args:
        differences: score of one network minus that of another on each of many videos.
        videos: that are to be scored.
    """
    factor = stats.t.ppf((1 + LEVEL) / 2, videos - 1)
    return float(factor * np.std(differences, ddof=1) / math.sqrt(videos))


def plus_minus(mean: float, half_width: float = math.inf, sign: str = "") -> str:
    """As a table shows it: '27.0 ± 12.7'; an infinite half width is left out.

    Args:
        mean: shown with one decimal.
        half_width: of its interval.
        sign: '+' shows the sign of a positive mean too.
    """
    text = f"{round(mean, 1) + 0.0:{sign}.1f}"  # + 0.0 turns -0.0 into 0.0
    return text if math.isinf(half_width) else f"{text} ± {half_width:.1f}"
