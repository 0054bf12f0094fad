"""Lesson 03: the gradient of L_spectra by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_spectra_gradient(answer: Callable[[Tensor], Tensor]) -> None:
    """Compare with autograd on the sum form of eq. (2) for one instance."""
    tags = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64, requires_grad=True)
    (tags.mean() - tags).square().sum().backward()
    expected, given = tags.grad, answer(tags.detach())
    assert expected is not None
    assert isinstance(given, Tensor), f"return a tensor, one value per pixel; got {type(given)}"
    assert given.shape == expected.shape, (
        f"one derivative per pixel: shape {tuple(expected.shape)}, not {tuple(given.shape)}"
    )
    assert not torch.allclose(given, -expected), (
        "the sign is turned around: the gradient points uphill, away from the mean"
    )
    assert not torch.allclose(2 * given, expected), "a square has a factor 2 in its derivative"
    assert not torch.allclose(len(tags) * given, expected), (
        "this is the gradient of the mean over pixels; eq. (2) has a sum"
    )
    assert torch.allclose(given, expected), (
        f"for tags 1, 2, 6 autograd says {expected.tolist()}, you say {given.tolist()}. "
        "Does your h_n move with its pixels? Its share cancels: sum_m (h_n - h'_m) = 0"
    )
