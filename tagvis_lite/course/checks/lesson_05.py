"""Lesson 05: the pairwise hinge of L_specter, what it leaves, and where it does not push."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tagvis_lite.course.exercises import has_a_loop


def check_lowest_loss(answer: Callable[[], float]) -> None:
    """Six instances in [0, 1]: three at each end."""
    given = float(answer())
    assert given != 0, "in [0, 1] no pair is ever 3 apart, so every pair costs"
    assert given != 30, "15 pairs of cost 2 would all be 1 apart: six tags cannot do that on a line"
    assert given != 45, "this is where all six are equal: the highest, not the lowest"
    assert given != 18, "these are the pairs within the heaps, or those between them: add both"
    assert abs(given - 36) < 1e-6, (
        f"not {given:g}: count the pairs that share an end, which cost 3, and those that do not"
    )


def check_pairwise_hinge(answer: Callable[[Tensor, float], Tensor]) -> None:
    """Compare with numbers made by hand, then look at the gradient where all means are equal."""
    assert not has_a_loop(answer), "there is a loop: take the table of all differences at once"
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


def check_stuck(answer: Callable[[], Tensor]) -> None:
    """The slope of eq. (3) at the first mean."""
    h = torch.as_tensor(answer(), dtype=torch.float64)
    assert h.shape == (max(3, h.numel()),), "return at least three mean tags, one number each"
    assert len(h.unique()) == len(h), "no two may be equal: that case is in the text above"
    others = h[1:] - h[0]
    near = others[others.abs() < 3]
    assert len(near), "the first is 3 or more from all others: it costs nothing, so it rests"
    push = int(near.sign().sum())
    assert push == 0, (
        f"{int((near > 0).sum())} within reach above it and {int((near < 0).sum())} below: the "
        f"first is pushed with {abs(push)}. Each pushes with 1, however near"
    )
