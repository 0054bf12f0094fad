"""Lesson 13: its checks tell the likely mistakes apart."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_13 import check_bilinear, check_pattern, check_stamps


@pytest.mark.parametrize(
    ("kernels", "message"),
    [
        ([6], "every other multiple"),
        ([6, 9], "stamps that touch"),
        ([3, 4, 6, 9], "kernel 4"),
        ([3, 6], "three stamps"),
        ([8], "choose among"),
        (None, "return a list"),
    ],
)
def test_uneven_kernels_are_explained(kernels: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stamps(lambda: kernels)


def test_multiples_pass() -> None:
    check_stamps(lambda: [3, 6, 9])


def triangle(stride: int) -> Tensor:
    return 1 - (torch.arange(2 * stride) + 0.5 - stride).abs() / stride


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda s: torch.ones(2 * s), "sum to 1"),
        (lambda s: torch.full((2 * s,), 0.5), "stairs"),
        (lambda s: torch.arange(2.0 * s), "stripes"),
        (lambda s: torch.ones(s), "weights for stride"),
        (lambda s: None, "return the weights"),
    ],
)
def test_stamps_that_leave_a_pattern_are_explained(
    answer: Callable[..., Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_bilinear(answer)


def test_a_triangle_passes() -> None:
    check_bilinear(triangle)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 8, "1.00 times"),
        ([1.0, 2, 3, 4, 4, 3, 2, 1], "their sum that counts"),
        ([1.0, 0, 0, 0, 1, 0, 0, 0], "all positive"),
        ([1.0, 5.0], "eight weights"),
    ],
)
def test_weights_without_stripes_are_explained(weights: Sequence[float], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_pattern(lambda: weights)


def test_stripes_pass() -> None:
    check_pattern(lambda: [1.0, 1, 1, 3, 1, 1, 1, 3])
