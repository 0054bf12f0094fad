"""Lesson 13: the arithmetic of a transposed convolution."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

Size = Callable[[int, int, int, int], int]


def check_output_size(answer: Size) -> None:
    """Compare with the layer itself for several kernels, strides and paddings."""
    for size, kernel, stride, padding in [(14, 8, 4, 2), (56, 4, 2, 1), (7, 3, 2, 0), (5, 5, 3, 2)]:
        given = answer(size, kernel, stride, padding)
        layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding)
        expected = (size - 1) * layer.stride[0] - 2 * padding + kernel
        what = f"input {size}, kernel {kernel}, stride {stride}, padding {padding}"
        assert isinstance(given, int), f"a size is an integer, got {given!r}"
        assert given != size * stride or given == expected, (
            f"{what}: size times stride is right only if kernel = stride + 2 padding"
        )
        assert given != (size - 1) * stride + 2 * padding + kernel or padding == 0, (
            f"{what}: padding takes away here, on both sides: it undoes that of a convolution"
        )
        assert given != (size + 2 * padding - kernel) // stride + 1, (
            f"{what}: this is the size after a convolution, not after its transpose"
        )
        assert given == expected, f"{what}: {expected} pixels come out, you say {given}"
