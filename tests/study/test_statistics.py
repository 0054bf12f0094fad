"""Intervals of means and differences, against SciPy's own tests and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tagvis_lite.study.statistics import (
    detectable_difference,
    dunnett_intervals,
    mean_interval,
    plus_minus,
    pooled_deviation,
    video_half_width,
    welch_interval,
)

scores = st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=2, max_size=8)


@given(scores)
def test_means_have_students_interval(values: list[float]) -> None:
    mean, half = mean_interval(values)
    if len(set(values)) > 1:
        low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        np.testing.assert_allclose([mean - half, mean + half], [low, high])


@given(scores, scores)
def test_differences_have_welchs_interval(values: list[float], others: list[float]) -> None:
    difference, half = welch_interval(values, others)
    a, b = (np.var(side, ddof=1) / len(side) for side in (values, others))
    if a + b > 0:
        freedom = (a + b) ** 2 / (a**2 / (len(values) - 1) + b**2 / (len(others) - 1))
        assert math.isclose(half, stats.t.ppf(0.975, freedom) * math.sqrt(a + b))
    assert math.isclose(difference, np.mean(values) - np.mean(others), abs_tol=1e-9)


def test_few_values_and_no_scatter() -> None:
    assert mean_interval([5.0]) == (5.0, math.inf)
    assert welch_interval([5.0], [3.0, 4.0]) == (1.5, math.inf)
    assert welch_interval([5.0, 5.0], [3.0, 3.0]) == (2.0, 0.0)
    assert dunnett_intervals([[5.0], [4.0]], [3.0]) == [(2.0, math.inf), (1.0, math.inf)]


def test_all_intervals_of_a_table_hold_nineteen_times_of_twenty() -> None:
    """Simulated: the factor of Dunnett's table, eleven rows of 4 seeds against 14 of one model."""
    rng = np.random.default_rng(0)
    rows, control = rng.normal(size=(11, 4)), rng.normal(size=14)
    (_, half), *_ = dunnett_intervals([list(row) for row in rows], list(control))
    squares = ((rows - rows.mean(1, keepdims=True)) ** 2).sum() + 13 * control.var(ddof=1)
    factor = half / np.sqrt(squares / 46 * (1 / 4 + 1 / 14))
    means = rng.normal(size=(40_000, 11)) / 2
    t = np.abs(means - rng.normal(size=(40_000, 1)) / np.sqrt(14)).max(1)
    t /= np.sqrt(rng.chisquare(46, 40_000) / 46 * (1 / 4 + 1 / 14))
    assert abs((t < factor).mean() - 0.95) < 0.004


def test_a_detectable_difference_is_found_four_times_of_five() -> None:
    """Simulated with eleven rows of 4 seeds, one of which differs, against 14 of the full model."""
    shift, rng, tables = detectable_difference(0.7, 11, 4, 14), np.random.default_rng(0), 4000
    assert shift == pytest.approx(1.5, abs=0.1)
    rows, control = rng.normal(size=(tables, 11, 4)), rng.normal(size=(tables, 14))
    squares = 3 * rows.var(axis=2, ddof=1).sum(axis=1) + 13 * control.var(axis=1, ddof=1)
    error = np.sqrt(squares / 46 * (1 / 4 + 1 / 14))
    example = [[0.0, 1.0, 2.0, 3.0]] * 11, list(range(14))
    half = dunnett_intervals(*example)[0][1]
    factor = half / (pooled_deviation([*example[0], example[1]]) * np.sqrt(1 / 4 + 1 / 14))
    t = (rows[:, 0].mean(1) + shift / 0.7 - control.mean(1)) / error
    assert (t > factor).mean() == pytest.approx(0.8, abs=0.02)


def test_few_videos_are_an_interval_of_their_own() -> None:
    rng = np.random.default_rng(1)
    pool = rng.normal(3, 10, 400)
    means = np.array([rng.choice(pool, 30).mean() for _ in range(4000)])
    half = video_half_width(list(pool), 30)
    assert (np.abs(means - pool.mean()) < half).mean() == pytest.approx(0.955, abs=0.015)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((27.04, 12.71), "27.0 ± 12.7"), ((-0.04, math.inf), "0.0"), ((26.96,), "27.0")],
)
def test_as_tables_show_them(numbers: tuple[float, ...], text: str) -> None:
    assert plus_minus(*numbers) == text
    assert plus_minus(3.0, 1.0, sign="+") == "+3.0 ± 1.0"
