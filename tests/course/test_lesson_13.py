"""Lesson 13: its check tells the likely mistakes of deconvolution arithmetic apart."""

import pytest
import torch
from torch import nn

from tagvis_lite.course.checks.lesson_13 import Size, check_output_size


def right(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size - 1) * stride - 2 * padding + kernel


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n, k, s, p: n * s, "size times stride is right only if"),
        (lambda n, k, s, p: (n - 1) * s + 2 * p + k, "padding takes away"),
        (lambda n, k, s, p: (n + 2 * p - k) // s + 1, "after a convolution"),
        (lambda n, k, s, p: right(n, k, s, p) + 1, "pixels come out"),
        (lambda n, k, s, p: float(right(n, k, s, p)), "a size is an integer"),
    ],
)
def test_likely_mistakes_are_named(answer: Size, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_output_size(answer)


def test_the_right_size_is_that_of_the_layer() -> None:
    check_output_size(right)
    layer = nn.ConvTranspose1d(1, 1, 8, 4, 2)
    assert layer(torch.zeros(1, 1, 14)).shape[-1] == right(14, 8, 4, 2) == 56
