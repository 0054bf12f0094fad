"""Lesson 04: the part of eq. (2) that lies between frames."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Part = Callable[[Tensor, Tensor], Tensor]


def check_between_frames(answer: Part) -> None:
    """Frames of unequal size, one of them without the instance."""
    tags = torch.tensor([[0.0, 1.0, 5.0], [4.0, 7.0, 7.0], [9.0, 9.0, 9.0]], dtype=torch.float64)
    here = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    counts = torch.tensor([3.0, 1.0], dtype=torch.float64)
    h_nt = torch.tensor([2.0, 4.0], dtype=torch.float64)
    h_n = tags[here].mean()
    expected = float((counts * (h_nt - h_n).square()).sum())
    given = float(answer(tags, here))
    assert given == given, "NaN: the instance is not in the last frame, leave that frame out"
    assert abs(given - float((h_nt - h_n).square().sum())) > 1e-9, (
        "each frame weighs as much as it has pixels: multiply by M_t"
    )
    wrong_mean = float((counts * (h_nt - h_nt.mean()).square()).sum())
    assert abs(given - wrong_mean) > 1e-9, (
        "h_n is the mean of all pixels, not the mean of the frame means: frame 0 has three pixels"
    )
    assert abs(given - expected / 2) > 1e-9, "a sum over frames, not their mean"
    assert abs(given - expected / 4) > 1e-9, "a sum over pixels, not their mean"
    total = float((tags[here] - h_n).square().sum())
    assert abs(given - total) > 1e-9, "this is all of eq. (2): leave out the part within frames"
    assert abs(given - expected) < 1e-9, f"expected {expected:.2f}, you return {given:.2f}"
