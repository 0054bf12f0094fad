"""Lesson 07: drift, the failure that the temporal terms are to prevent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_drift(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Three frames, instances of unequal size, one of them absent from a frame."""
    nan = float("nan")
    tags = torch.tensor([[0.0, 2.0, 5.0], [4.0, 6.0, 5.0], [8.0, nan, nan]], dtype=torch.float64)
    ids = torch.tensor([[1, 1, 2], [1, 1, 2], [1, 0, 0]])
    try:
        given = torch.as_tensor(answer(tags.nan_to_num(99.0), ids), dtype=torch.float64)
    except TypeError as error:
        raise AssertionError(f"return one number, or a tensor of none: {error}") from None
    assert given.numel() == 1, f"the worst instance counts: one number, not {given.numel()}"
    value = float(given)
    frame_means = torch.tensor([1.0, 5.0, 8.0], dtype=torch.float64)
    expected = float(frame_means.std(correction=0))
    assert value == value, "NaN: instance 2 is absent from the last frame, leave that frame out"
    assert abs(value - float(tags[ids == 1].std(correction=0))) > 1e-6, (
        "this is the spread of all pixels; drift is that of the frame means h_nt"
    )
    assert abs(value - expected / 2) > 1e-6, (
        "the worst instance counts, not the mean over instances"
    )
    assert abs(value - float(frame_means.std())) > 1e-6, "divide by the number of frames, not T - 1"
    assert value < 20, "background pixels (id 0) take no part"
    assert abs(value - expected) < 1e-6, f"expected {expected:.3f}, you return {value:.3f}"
