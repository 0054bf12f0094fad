"""Lesson 03: its checks tell the likely mistakes apart."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_03 import (
    check_bad_pixel,
    check_largest_step,
    check_spectra_gradient,
)


@pytest.mark.parametrize(
    ("step", "message"),
    [(0.5, "to and fro"), (2.0, "overshoots the mean by more"), (-1.0, "above 0")],
)
def test_a_wrong_step_size_is_shown_what_it_does(step: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_largest_step(lambda: step)


def right(tags: Tensor, ids: Tensor) -> Tensor:
    gradient = torch.zeros_like(tags)
    for n in (1, 2):
        gradient[ids == n] = tags[ids == n] - tags[ids == n].mean()
    return gradient


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda tags, ids: 2 * (tags - tags.mean()), "background"),
        (lambda tags, ids: 2 * right(tags, ids), "divide by N"),
        (lambda tags, ids: right(tags, ids) * 2 / 3, "background is none"),
        (lambda tags, ids: right(tags, ids) / 2, "a factor 2"),
        (lambda tags, ids: -right(tags, ids), "sign is turned around"),
        (lambda tags, ids: 2 * (tags - tags[ids > 0].mean()) * (ids > 0), "its own instance"),
        (lambda tags, ids: right(tags, ids).sum(), "one derivative per pixel"),
        (lambda tags, ids: right(tags, ids).tolist(), "return a tensor"),
    ],
)
def test_wrong_gradients_are_named(
    answer: Callable[[Tensor, Tensor], Tensor], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_spectra_gradient(answer)


@pytest.mark.parametrize(
    ("tag", "message"),
    [(1.5, "all meet at their mean"), (18.0, "over 13 pixels"), (-19.5, "up"), (39.0, "at 3.00")],
)
def test_a_wrong_bad_pixel_is_told_where_the_mean_goes(tag: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_bad_pixel(lambda: tag)
