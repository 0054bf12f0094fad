"""Lesson 06: its check tells the likely mistakes of eq. (5) apart."""

import pytest
from torch import Tensor

from tagvis_lite.course.checks.lesson_06 import Temper, check_temper


def hinges(h_nt: Tensor, margin: float) -> Tensor:
    return (margin - (h_nt[:, None] - h_nt).abs()).clamp(min=0)  # N x N x T


def right(h_nt: Tensor, margin: float) -> Tensor:
    return hinges(h_nt, margin).permute(2, 0, 1).triu(1).sum()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda h, g: 2 * right(h, g), "counted twice"),
        (lambda h, g: hinges(h, g).sum(), "every instance with itself"),
        (lambda h, g: hinges(h, g).permute(2, 0, 1).triu().sum(), "no pair with itself"),
        (lambda h, g: right(h.mean(dim=1, keepdim=True), g), "on clip means"),
        (lambda h, g: right(h, g) / 4, "not their mean"),
        (lambda h, g: hinges(h, g).sum((0, 1)), "a scalar"),
        (lambda h, g: float(right(h, g)), "scalar tensor"),
    ],
)
def test_likely_mistakes_are_named(answer: Temper, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_temper(answer)


def test_the_right_loss_passes() -> None:
    check_temper(right)
