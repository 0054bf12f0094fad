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
    check_half_push,
    check_paired_difference,
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
