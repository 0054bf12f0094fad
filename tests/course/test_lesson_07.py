"""Lesson 07: its checks tell the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_07 import (
    check_crossing_loss,
    check_drift,
    check_stay_crossed,
)


@pytest.mark.parametrize(
    ("loss", "message"),
    [(5.25, "both pull"), (10.5, "L_temper is 0"), (3, "at their clip means"), (7, "one by one")],
)
def test_a_wrong_loss_is_told_what_it_forgets(loss: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_crossing_loss(lambda: loss)


def drifts(tags: Tensor, ids: Tensor, instances: tuple[int, ...], correction: int = 0) -> Tensor:
    found = []
    for n in instances:
        own = [t[i == n].mean() for t, i in zip(tags, ids, strict=True) if (i == n).any()]
        found.append(torch.stack(own).std(correction=correction))
    return torch.stack(found)


def forgets_absence(tags: Tensor, ids: Tensor) -> Tensor:
    h_nt = [[t[i == n].mean() for t, i in zip(tags, ids, strict=True)] for n in (1, 2)]
    return torch.tensor(h_nt).std(dim=1, correction=0).max()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (forgets_absence, "NaN: instance 2 is absent"),
        (lambda tags, ids: drifts(tags, ids, (0, 1, 2)).max(), "take no part"),
        (lambda tags, ids: drifts(tags, ids, (1,)).max(), "this is instance 1"),
        (lambda tags, ids: drifts(tags, ids, (1, 2)).mean(), "not the mean over instances"),
        (lambda tags, ids: drifts(tags, ids, (1, 2), correction=1).max(), "not T - 1"),
        (lambda tags, ids: drifts(tags, ids, (1, 2)), "one number"),
        (lambda tags, ids: tags[ids == 1].std(correction=0), "the spread of the frame means"),
    ],
)
def test_wrong_measures_are_named(answer: Callable[[Tensor, Tensor], Tensor], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_drift(answer)


ONE = dict.fromkeys(("spectra", "specter", "tempra", "temper"), 1.0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (ONE, "they end well"),
        ({**ONE, "spectra": 0.0}, "leaves one out"),
        ({**ONE, "temper": 100.0}, "no weight above 10"),
        ({"temper": 8.0}, "four weights"),
    ],
)
def test_weights_that_break_nothing_are_told_why(weights: dict[str, float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stay_crossed(lambda: weights)
