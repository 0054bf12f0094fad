"""Lesson 13: even counts of stamps, a stamp that leaves no pattern, and one that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose1d


def written(weights: Tensor, stride: int, signal: Tensor) -> Tensor:
    """A deconvolution of one dimension, padding stride / 2, away from the border."""
    out = conv_transpose1d(
        signal.view(1, 1, -1), weights.view(1, 1, -1), stride=stride, padding=stride // 2
    )
    return out.flatten()[2 * stride : -2 * stride]


def check_stamps(answer: Callable[[], Sequence[int]]) -> None:
    """Multiples of the stride."""
    given = answer()
    assert given is not None, "return a list of kernels"
    kernels = set(given)
    assert kernels <= {3, 4, 5, 6, 7, 9}, f"choose among 3, 4, 5, 6, 7 and 9, not {sorted(kernels)}"
    assert kernels != {6}, "twice the stride is one of them; so is every other multiple"
    assert 3 in kernels, "stamps that touch and do not overlap: one for every pixel"
    for kernel in (4, 5, 7):
        assert kernel not in kernels, (
            f"kernel {kernel}: the last {kernel % 3} pixels of a stamp get one more than the others"
        )
    assert kernels == {3, 6, 9}, "three stamps for every pixel are an even number of them, too"


def check_bilinear(answer: Callable[[int], Tensor]) -> None:
    """A constant stays constant, a ramp stays straight, for strides 2 and 4."""
    for stride in (2, 4):
        given = answer(stride)
        assert given is not None, "return the weights"
        weights = torch.as_tensor(given, dtype=torch.float64).flatten()
        assert len(weights) == 2 * stride, f"{2 * stride} weights for stride {stride}"
        flat = written(weights, stride, torch.ones(9, dtype=torch.float64))
        assert flat.std() < 1e-6, (
            f"stride {stride}: a constant turns into stripes, {flat[:stride].tolist()}: "
            "weights a stride apart must have the same sum"
        )
        assert abs(flat.mean() - 1) < 1e-6, (
            f"stride {stride}: 1 turns into {flat.mean():.3g}: weights a stride apart sum to 1"
        )
        steps = written(weights, stride, torch.arange(9, dtype=torch.float64)).diff()
        assert steps.std() < 1e-6, (
            f"stride {stride}: a ramp turns into stairs, steps of {steps[:stride].tolist()}: the "
            "nearer a pixel is to the middle of a stamp, the more that stamp counts; the middle "
            "lies between two pixels"
        )


def check_pattern(answer: Callable[[], Sequence[float]]) -> None:
    """Positive weights whose sums a stride apart differ by a factor of two."""
    given = answer()
    assert given is not None, "return the weights"
    weights = torch.as_tensor(given, dtype=torch.float64).flatten()
    assert len(weights) == 8, f"eight weights, not {len(weights)}"
    assert (weights > 0).all(), "all positive: a missing stamp would be an uneven count"
    stripes = written(weights, 4, torch.ones(9, dtype=torch.float64))
    ratio = (stripes.max() / stripes.min()).item()
    assert ratio >= 2, (
        f"the brightest is {ratio:.2f} times the darkest: pixel k gets weight k and weight k + 4, "
        "and it is their sum that counts"
    )
