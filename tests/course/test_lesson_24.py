"""Lesson 24: its check tells the likely mistakes apart, its tables are those of the report."""

from collections.abc import Sequence

import nbformat
import numpy as np
import pytest
from scipy import stats

from tagvis_lite.course.build import NOTEBOOKS
from tagvis_lite.course.checks.lesson_24 import (
    Answer,
    check_difference_interval,
    check_two_seeds,
)
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.runs import shipped
from tagvis_lite.study.ablation import READINGS, TABLE_3
from tagvis_lite.study.report_tables import ABLATION, table_1, table_2, table_3, toy_scores
from tagvis_lite.study.statistics import welch_interval

Values = Sequence[float]


def with_half_width(half: float, a: Values, b: Values) -> tuple[float, float]:
    return float(np.mean(a) - np.mean(b)), half


def errors(a: Values, b: Values) -> float:
    return float(np.hypot(stats.sem(a), stats.sem(b)))


def no_ddof(a: Values, b: Values) -> tuple[float, float]:
    shares = [np.var(side) / len(side) for side in (a, b)]
    freedom = sum(shares) ** 2 / sum(
        s**2 / (len(side) - 1) for s, side in zip(shares, (a, b), strict=True)
    )
    return with_half_width(stats.t.ppf(0.975, freedom) * sum(shares) ** 0.5, a, b)


def added(a: Values, b: Values) -> tuple[float, float]:
    halves = [stats.t.ppf(0.975, len(side) - 1) * stats.sem(side) for side in (a, b)]
    return with_half_width(sum(halves), a, b)


def equal_variances(a: Values, b: Values) -> tuple[float, float]:
    return with_half_width(stats.t.ppf(0.975, len(a) + len(b) - 2) * errors(a, b), a, b)


def ends(a: Values, b: Values) -> tuple[float, float]:
    middle, half = welch_interval(a, b)
    return middle - half, middle + half


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, b: welch_interval(b, a), "sign is turned around"),
        (ends, "these are the two ends"),
        (lambda a, b: with_half_width(1.96 * errors(a, b), a, b), "Student's t"),
        (lambda a, b: with_half_width(2 * welch_interval(a, b)[1], a, b), "whole width"),
        (added, "half widths do not add up"),
        (equal_variances, "Welch's are fewer"),
        (no_ddof, "ddof=1"),
        (lambda a, b: with_half_width(9.0, a, b), "half the width for"),
        (lambda a, b: welch_interval(a, b)[0], "return two numbers"),
        (lambda a, b: (a[0] - b[0], 1.0), "difference of the means"),
    ],
)
def test_likely_mistakes_are_named(answer: Answer, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_difference_interval(answer)


def test_the_right_interval_passes() -> None:
    check_difference_interval(welch_interval)


def test_the_committed_lesson_shows_the_tables_of_today() -> None:
    notebook = nbformat.read(NOTEBOOKS / "24_report.ipynb", as_version=4)
    shown = "\n".join(
        output.data["text/markdown"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    )
    runs = shipped(ABLATION)
    ours = (toy_scores(), table_3(TABLE_3, runs), table_3(READINGS, runs))
    for table in (table_1(), table_2(), *ours):
        assert markdown_table(table) in shown, (
            "runs were added: python -m tagvis_lite.study.report, then "
            "python -m tagvis_lite.course.build --only 24 --force"
        )


@pytest.mark.parametrize(
    ("half", "message"),
    [(12.7, "twice as far apart"), (0.98, "many values"), (8.98, "root of 2"), (2.0, "one half")],
)
def test_wrong_widths_are_named(half: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_two_seeds(lambda: half)
