"""Lesson 06: eq. (5) without a loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

Temper = Callable[[Tensor, float], Tensor]


def check_temper(answer: Temper) -> None:
    """Compare with a loop over pairs and frames, three instances in four frames."""
    h_nt = torch.tensor(
        [[0.0, 1.0, 2.0, 9.0], [0.5, 3.5, 2.0, 4.0], [1.0, 9.0, -1.5, 4.0]], dtype=torch.float64
    )
    pairs = list(combinations(range(3), 2))
    expected = sum(
        max(0.0, 3.0 - abs(float(h_nt[n, t] - h_nt[m, t]))) for n, m in pairs for t in range(4)
    )
    result = answer(h_nt, 3.0)
    assert isinstance(result, Tensor), f"return a scalar tensor, got {type(result).__name__}"
    assert result.numel() == 1, f"add everything up: a scalar, not {tuple(result.shape)}"
    given = float(result)
    assert abs(given - 2 * expected) > 1e-9, "every pair is counted twice: n < n' only"
    assert abs(given - (2 * expected + 3 * 3 * 4)) > 1e-9, (
        "every pair twice, and every instance with itself: keep what lies above the diagonal"
    )
    assert abs(given - (expected + 3 * 3 * 4)) > 1e-9, (
        "an instance is no pair with itself: leave out the diagonal"
    )
    means = h_nt.mean(dim=1)
    clip = sum(max(0.0, 3.0 - abs(float(means[n] - means[m]))) for n, m in pairs)
    assert abs(given - clip) > 1e-9, "this is eq. (3), on clip means: take the hinge in each frame"
    assert abs(given - expected / 4) > 1e-9, "a sum over frames as printed, not their mean"
    assert abs(given - expected) < 1e-9, f"expected {expected:.2f}, you return {given:.2f}"
