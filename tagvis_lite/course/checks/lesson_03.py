"""Lesson 03: step size, gradient and weak point of L_spectra."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_largest_step(answer: Callable[[], float]) -> None:
    """Run the descent a little below and a little above the answer."""
    given = float(answer())

    def left_over(rate: float) -> float:
        tags = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
        for _ in range(2000):
            tags = tags - rate * 2 * (tags - tags.mean())
        return float((tags - tags.mean()).abs().max())

    assert given > 0, "downhill takes a step size above 0"
    below, above = left_over(0.99 * given), left_over(1.01 * given)
    assert below < 1e-3, (
        f"at {0.99 * given:.3g}, just below your answer, tags do not arrive: each step overshoots "
        "the mean by more than the tag was away from it"
    )
    assert above > 1, (
        f"at {1.01 * given:.3g}, just above your answer, they still arrive, if to and fro: a step "
        "that overshoots the mean is no harm as long as it lands nearer than it began"
    )


def check_spectra_gradient(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Compare with autograd on eq. (2) for two instances of unequal size, and background."""
    tags = torch.tensor([1.0, 2.0, 6.0, 40.0, 0.0, 5.0], dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([1, 1, 1, 0, 2, 2])
    per_instance = [(tags[ids == n].mean() - tags[ids == n]).square().sum() for n in (1, 2)]
    torch.stack(per_instance).mean().backward()
    expected, given = tags.grad, answer(tags.detach(), ids)
    assert expected is not None
    assert isinstance(given, Tensor), f"return a tensor, one value per pixel; got {type(given)}"
    assert given.shape == expected.shape, (
        f"one derivative per pixel: shape {tuple(expected.shape)}, not {tuple(given.shape)}"
    )
    assert given[3] == 0, "the fourth pixel is background: it takes part in no term"
    assert not torch.allclose(given, -expected), (
        "the sign is turned around: the gradient points uphill, away from the mean"
    )
    assert not torch.allclose(given, 2 * expected), (
        "eq. (2) is a mean over N instances: divide by N"
    )
    assert not torch.allclose(1.5 * given, expected), "N counts instances; background is none"
    assert not torch.allclose(2 * given, expected), "a square has a factor 2 in its derivative"
    assert torch.allclose(given, expected), (
        f"for tags {tags.tolist()} and ids {ids.tolist()} autograd says {expected.tolist()}, you "
        f"say {given.tolist()}. Is each mean that of its own instance, and are pixels summed?"
    )


def check_bad_pixel(answer: Callable[[], float]) -> None:
    """Where the mean of twelve zeros and the answer lies."""
    given = float(answer())
    assert given != 1.5, "the cat does not follow to where the bad pixel is: all meet at their mean"
    assert abs(given - 18) > 1e-9, "the bad pixel counts itself too: the mean is over 13 pixels"
    assert given > 0, "the mean has to move up, to 1.5"
    assert abs(given / 13 - 1.5) < 1e-6, (
        f"with a bad pixel at {given:g} all thirteen meet at {given / 13:.2f}, not at 1.5"
    )
