"""Lesson 21: its checks tell the likely mistakes of an ablation and of an interval apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tagvis_lite.config import Config
from tagvis_lite.course.checks.lesson_21 import (
    Change,
    Difference,
    check_chance_finds,
    check_half_push,
    check_unpaired_difference,
)


def with_loss(config: Config, **fields: Any) -> Config:
    return replace(config, loss=replace(config.loss, **fields))


def half_push(config: Config) -> Config:
    return with_loss(config, specter=config.loss.specter / 2, temper=config.loss.temper / 2)


def in_place(config: Config) -> Config:
    config.loss.specter /= 2  # type: ignore[misc]
    return config


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (in_place, "cannot be changed in place"),
        (lambda c: half_push(c).loss, "whole Config, not LossConfig"),
        (lambda c: with_loss(c, specter=0.0), "leaves the term out"),
        (lambda c: with_loss(c, specter=2.0, temper=2.0), "halve the weight that"),
        (lambda c: with_loss(c, temper=c.loss.temper / 2), "one push is halved"),
        (lambda c: c, "you make 10 and 6"),
        (lambda c: with_loss(half_push(c), margin=1.5), "loss differs in other fields"),
        (lambda c: replace(half_push(c), train=replace(c.train, seed=7)), "train differs"),
    ],
)
def test_likely_mistakes_of_an_ablation_are_named(answer: Change, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_half_push(answer)


def test_the_right_ablation_passes() -> None:
    check_half_push(half_push)


def interval(
    full: Sequence[float], without: Sequence[float], factor: float | None = None, ddof: int = 1
) -> tuple[float, float]:
    n, m = len(full), len(without)
    squares = (n - 1) * np.var(full, ddof=ddof) + (m - 1) * np.var(without, ddof=ddof)
    error = np.sqrt(squares / (n + m - 2) * (1 / n + 1 / m))
    factor = stats.t.ppf(0.975, n + m - 2) if factor is None else factor
    return float(np.mean(without) - np.mean(full)), float(factor * error)


def welch(full: Sequence[float], without: Sequence[float]) -> tuple[float, float]:
    test = stats.ttest_ind(without, full, equal_var=False).confidence_interval(0.95)
    return interval(full, without)[0], float(test.high - test.low) / 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, b: interval(b, a), "sign is turned around"),
        (welch, "pool the two variances"),
        (lambda a, b: interval(a, b, 1.96), "1.96 is for many seeds"),
        (lambda a, b: interval(a, b, ddof=0), "ddof=1"),
        (lambda a, b: -2.0, "return two numbers"),
    ],
)
def test_wrong_intervals_are_named(answer: Difference, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_unpaired_difference(answer)


@pytest.mark.parametrize(
    ("chance", "message"),
    [(0.05, "one test"), (0.55, "too much"), (0.569, "finds anything"), (0.3, "all eleven")],
)
def test_wrong_chances_are_named(chance: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_chance_finds(lambda: chance)
