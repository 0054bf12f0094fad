"""Lesson 02: its checks tell the likely mistakes apart."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_02 import check_ends, check_push, check_stuck


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((0, 3, 10), "both of a pair move"),
        ((-1, 2, 13), "nobody pushes it"),
        ((-3, 3, 10), "exactly 3 apart|where it was"),
        ((-2, 1.5, 10), "middle of the pair"),
        ((2, -1, 10), "exactly 3 apart|keep their order"),
        ((-1, 2), "three numbers"),
    ],
)
def test_wrong_ends_are_explained(answer: Sequence[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_ends(lambda: answer)


def test_the_right_ends_pass() -> None:
    check_ends(lambda: (-1.0, 2.0, 10.0))


def push(h: Tensor, margin: float) -> Tensor:
    n, other = torch.triu_indices(len(h), len(h), 1)
    distance = (h[n] - h[other]).square().sum(-1).clamp(min=1e-12).sqrt()
    return (margin - distance).clamp(min=0).mean()


def summed(h: Tensor, margin: float) -> Tensor:
    return push(h, margin) * len(h) * (len(h) - 1) / 2


def with_itself(h: Tensor, margin: float) -> Tensor:
    return (margin - torch.cdist(h, h)).clamp(min=0).mean()


def city(h: Tensor, margin: float) -> Tensor:
    n, other = torch.triu_indices(len(h), len(h), 1)
    return (margin - (h[n] - h[other]).abs().sum(-1)).clamp(min=0).mean()


def bare_root(h: Tensor, margin: float) -> Tensor:
    n, other = torch.triu_indices(len(h), len(h), 1)
    return (margin - (h[n] - h[other]).square().sum(-1).sqrt()).clamp(min=0).mean()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (summed, "divide by their number"),
        (with_itself, "leave the diagonal out"),
        (city, "Euclidean"),
        (bare_root, "NaN"),
        (lambda h, margin: push(h, margin) + 1, "count as pairs"),
        (lambda h, margin: push(h, margin).item(), "return a tensor"),
        (lambda h, margin: h, "one number"),
    ],
)
def test_wrong_pushes_are_explained(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_push(answer)


def test_the_right_push_passes() -> None:
    check_push(push)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([0, 0, 0], "not all equal"),
        ([0, 4, 8], "nothing is left"),
        ([0, 0.01, 5], "they end at"),
        ([0, 0], "three numbers"),
    ],
)
def test_starts_that_part_are_shown(answer: Sequence[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stuck(lambda: answer)


def test_two_on_one_spot_are_stuck() -> None:
    check_stuck(lambda: [0.0, 0.0, 5.0])
