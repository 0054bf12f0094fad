"""Lesson 05: its check tells the likely mistakes apart."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_05 import (
    check_lowest_loss,
    check_pairwise_hinge,
    check_stuck,
)


def table(h: Tensor, margin: float) -> Tensor:
    return (margin - (h[:, None] - h).abs()).clamp(min=0)


def right(h: Tensor, margin: float) -> Tensor:
    return table(h, margin).triu(1).sum()


def signed(h: Tensor, margin: float) -> Tensor:
    return (margin - (h[:, None] - h)).clamp(min=0).triu(1).sum()


def unclamped(h: Tensor, margin: float) -> Tensor:
    return (margin - (h[:, None] - h).abs()).triu(1).sum()


def square_root(h: Tensor, margin: float) -> Tensor:
    distance = (h[:, None] - h).square().sqrt()
    return (margin - distance).clamp(min=0).triu(1).sum()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda h, margin: table(h, margin).sum(), "counts twice"),
        (lambda h, margin: table(h, margin).sum() - margin * len(h), "counts twice"),
        (lambda h, margin: table(h, margin).triu().sum(), "no pair: leave out the diagonal"),
        (unclamped, "is the max"),
        (lambda h, margin: right(h, margin) / 3, "a mean over pairs"),
        (lambda h, margin: right(h, margin) / 9, "you say"),
        (signed, "is the absolute value there"),
        (lambda h, margin: table(h, margin).square().triu(1).sum(), "square of the hinge"),
        (lambda h, margin: table(h, margin).triu(1).sum(0), "one number for all pairs"),
        (lambda h, margin: right(h, margin).item(), "return a tensor"),
        (square_root, "gradient is NaN"),
        (lambda h, margin: right(h, margin) + (len(h) == 1), "one instance has no pair"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[[Tensor, float], Tensor], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_pairwise_hinge(answer)


def test_the_right_hinge_passes() -> None:
    check_pairwise_hinge(right)


def test_a_loop_is_told_so() -> None:
    def loop(h: Tensor, margin: float) -> Tensor:
        total = torch.zeros(())
        for n in range(len(h)):
            for other in range(n + 1, len(h)):
                total = total + (margin - (h[n] - h[other]).abs()).clamp(min=0)
        return total

    with pytest.raises(AssertionError, match="there is a loop"):
        check_pairwise_hinge(loop)


@pytest.mark.parametrize(
    ("loss", "message"),
    [(0, "every pair costs"), (30, "cannot do that"), (45, "all six are equal"), (18, "add both")],
)
def test_a_wrong_lowest_loss_is_told_what_it_is(loss: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_lowest_loss(lambda: loss)


@pytest.mark.parametrize(
    ("h", "message"),
    [
        ([0.0, 0.0, 0.0], "no two may be equal"),
        ([0.0, 4.0, -4.0], "it costs nothing"),
        ([0.0, 1.0, 2.0], "pushed with 2"),
        ([0.0, 1.0], "at least three"),
    ],
)
def test_instances_that_are_not_stuck_are_told_why(h: list[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stuck(lambda: torch.tensor(h))
