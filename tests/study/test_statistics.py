"""Intervals of means and differences, against SciPy's own tests and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tagvis_lite.study.statistics import (
    dunnett_intervals,
    mean_interval,
    plus_minus,
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


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((27.04, 12.71), "27.0 ± 12.7"), ((-0.04, math.inf), "0.0"), ((26.96,), "27.0")],
)
def test_as_tables_show_them(numbers: tuple[float, ...], text: str) -> None:
    assert plus_minus(*numbers) == text
    assert plus_minus(3.0, 1.0, sign="+") == "+3.0 ± 1.0"
