"""Lesson 05: the pairwise hinge of L_specter without a loop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_pairwise_hinge(answer: Callable[[Tensor, float], Tensor]) -> None:
    """Compare with numbers made by hand, then look at the gradient where all means are equal."""
    # Pairs at distances 0.5, 4.5 and 5, in an order where the signed differences have both signs.
    h = torch.tensor([1.0, 0.5, 5.5])
    given = answer(h, 3.0)
    assert isinstance(given, Tensor), f"return a tensor; got {type(given)}"
    assert given.ndim == 0, f"one number for all pairs, not shape {tuple(given.shape)}"
    value = given.item()
    assert value not in (5.0, 14.0), (
        "every pair counts twice, as (n, n') and as (n', n): keep n < n' only"
    )
    assert value != 11.5, "an instance with itself is no pair: leave out the diagonal, N times G"
    assert value != 6.25, "this is the square of the hinge; eq. (3) has the hinge itself"
    assert value >= 0, "pairs farther apart than the margin must cost 0: is the max(0, ...) there?"
    assert abs(value - 2.5 / 3) > 1e-5, "this is a mean over pairs; eq. (3) has a sum"
    turned = answer(h.flip(0), 3.0).item()
    assert abs(value - turned) < 1e-5, (
        f"numbering the instances the other way round gives {turned:g} instead of {value:g}: "
        "is the absolute value there?"
    )
    assert abs(value - 2.5) < 1e-5, (
        f"means 1, 0.5 and 5.5 with margin 3 cost 2.5 (one pair, 0.5 apart), you say {value:g}"
    )
    equal = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(answer(equal, 3.0), equal)
    assert gradient.isfinite().all(), (
        "the value is right, but its gradient is NaN where means are equal: the square root of a "
        "square has no slope at 0; use abs"
    )
    assert answer(torch.tensor([7.0]), 3.0).item() == 0, "one instance has no pair: the loss is 0"
