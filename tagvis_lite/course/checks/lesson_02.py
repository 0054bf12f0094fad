"""Lesson 02: the push between names of any length, what it does to three, and where it fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MARGIN = 3.0


def hinges(h: Tensor) -> Tensor:
    """The push of each pair of means, N x K, once."""
    n, other = torch.triu_indices(len(h), len(h), 1)
    distance = (h[n] - h[other]).square().sum(-1).clamp(min=1e-12).sqrt()
    return (MARGIN - distance).clamp(min=0)


def check_ends(answer: Callable[[], Sequence[float]]) -> None:
    """Three means at 0, 1 and 10 under the push alone."""
    given = answer()
    assert len(list(given)) == 3, "return three numbers"
    ends = [float(value) for value in given]
    assert ends[2] == 10, "10 is farther than 3 from both others: nobody pushes it"
    still = ends[0] == 0 or ends[1] == 1
    assert not still, "both of a pair move: the push on them is equal"
    assert ends[1] - ends[0] < 10, "they stop where the push stops, 3 apart"
    assert math.isclose(sum(ends[:2]), 1, abs_tol=0.01), (
        "equal and opposite forces leave the middle of the pair where it was, at 0.5"
    )
    assert math.isclose(ends[1] - ends[0], 3, abs_tol=0.01), "a pair ends exactly 3 apart"
    assert ends[0] < ends[1], "they keep their order: at no moment does the push turn around"


def check_push(answer: Callable[[Tensor, float], Tensor]) -> None:
    """The mean hinge of all pairs, of Euclidean distances, with a finite gradient."""
    h = torch.tensor([[0.0, 0.0], [0.6, 0.8], [3.0, 4.0], [0.0, 2.0]])
    given = answer(h, MARGIN)
    assert isinstance(given, Tensor), f"return a tensor, not {type(given).__name__}"
    assert given.shape == (), f"one number for all pairs, not {tuple(given.shape)}"
    expected = hinges(h)
    value = given.item()
    assert not math.isclose(value, expected.sum().item(), rel_tol=1e-4), (
        "that is the sum over the pairs: divide by their number"
    )
    everybody = (2 * expected.sum() + len(h) * MARGIN) / len(h) ** 2
    assert not math.isclose(value, everybody.item(), rel_tol=1e-4), (
        "a mean with itself is no pair: leave the diagonal out"
    )
    n, other = torch.triu_indices(len(h), len(h), 1)
    city = (MARGIN - (h[n] - h[other]).abs().sum(-1)).clamp(min=0).mean()
    assert not math.isclose(value, city.item(), rel_tol=1e-4), (
        "that adds up absolute differences; the norm is Euclidean, a root of a sum of squares"
    )
    assert math.isclose(value, expected.mean().item(), rel_tol=1e-4), (
        f"expected {expected.mean().item():.3f}, you return {value:.3f}. Pairs farther apart than "
        "the margin count 0, and count as pairs"
    )
    equal = torch.zeros(2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(answer(equal, MARGIN), equal)
    assert gradient.isfinite().all(), (
        "two equal means give a gradient of NaN, and after one step all weights are NaN"
    )


def check_stuck(answer: Callable[[], Sequence[float]]) -> None:
    """Three means of which two stay together for 2,000 steps, though the push is not zero."""
    given = answer()
    assert len(list(given)) == 3, "return three numbers"
    h = torch.tensor([[float(value)] for value in given], dtype=torch.float64, requires_grad=True)
    assert len(set(h.flatten().tolist())) > 1, "not all equal: that is a start of one instance"
    assert hinges(h).sum() > 0, "these are all 3 apart already: nothing is left to part"
    for _ in range(2000):
        (gradient,) = torch.autograd.grad(hinges(h).sum(), h)
        h = (h - 0.01 * gradient).detach().requires_grad_(True)
    ends = [round(value, 2) for value in h.flatten().tolist()]
    assert hinges(h).max() > 0.1, f"the push parts these: they end at {ends}"
