"""Lesson 07: the tagging loss of a swap, drift, and weights that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import tagging_loss
from tagvis_lite.views.free_tags import descend

TERMS = {"spectra", "specter", "tempra", "temper"}


def check_crossing_loss(answer: Callable[[], float]) -> None:
    """Two instances that swap the tags 0 and 3."""
    given = float(answer())
    assert abs(given - 5.25) > 1e-6, "eqs. (2) and (4) both pull, and both count"
    assert abs(given - 10.5) > 1e-6, "in each frame the two are 3 apart: L_temper is 0"
    assert given != 3, "L_specter is 3, but the pixels are not at their clip means either"
    assert given != 12, "eqs. (2) and (4) are means here, over pixels and over frames, not sums"
    assert abs(given - 7.5) < 1e-6, (
        f"not {given:g}: both clip means are 1.5. Work out the four terms one by one"
    )


def check_drift(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Three frames; background wanders most, then the second instance, absent once."""
    tags = torch.tensor([[1.0, 3.0, 0.0, 90.0], [1.0, 5.0, 8.0, 50.0], [3.0, 1.0, 10.0, 70.0]])
    ids = torch.tensor([[1, 1, 2, 0], [1, 1, 2, 0], [1, 1, 0, 0]])
    try:
        given = torch.as_tensor(answer(tags.clone(), ids), dtype=torch.float64)
    except TypeError as error:
        raise AssertionError(f"return one number, or a tensor of none: {error}") from None
    assert given.numel() == 1, f"the worst instance counts: one number, not {given.numel()}"
    value = float(given)
    first, second = torch.tensor([2.0, 3.0, 2.0]), torch.tensor([0.0, 8.0])
    both = [float(h_nt.std(correction=0)) for h_nt in (first, second)]
    assert value == value, "NaN: instance 2 is absent from the last frame, leave that frame out"
    assert value < 10, "background pixels (id 0) take no part"
    assert abs(value - both[0]) > 1e-4, "this is instance 1; the one that wanders most counts"
    assert abs(value - sum(both) / 2) > 1e-4, (
        "the worst instance counts, not the mean over instances"
    )
    assert abs(value - float(second.std())) > 1e-4, "divide by the number of frames, not T - 1"
    assert abs(value - both[1]) < 1e-4, (
        f"expected {both[1]:.3f}, you return {value:.3f}. Is it the spread of the frame means?"
    )


def check_stay_crossed(answer: Callable[[], Mapping[str, float]]) -> None:
    """Roll two crossing dogs down L_tag with the weights of the answer."""
    weights = answer()
    assert isinstance(weights, Mapping), f"return a dict of weights, got {type(weights).__name__}"
    assert set(weights) == TERMS, f"four weights, by name: {', '.join(sorted(TERMS))}"
    assert min(weights.values()) > 0, "every term stays: a weight of 0 leaves one out"
    assert max(weights.values()) <= 10, "no weight above 10: an exploding descent shows nothing"
    rise = 2 * torch.linspace(-1, 1, 9)
    start = torch.stack([rise - 0.15, 0.15 - rise], dim=1)
    labels = torch.tensor([1, 2]).expand(1, 9, 1, 2)
    config = replace(
        LossConfig(pixels_per_instance=None),
        spectra=weights["spectra"],
        specter=weights["specter"],
        tempra=weights["tempra"],
        temper=weights["temper"],
    )

    def loss(tags: Tensor) -> Tensor:
        return tagging_loss(tags.view(1, 9, 1, 2), labels, config).sum()

    # Steps that no pull of weight 10 overshoots.
    end = descend(start, loss, steps=1500, learning_rate=0.1)[-1]
    gap = end[:, 1] - end[:, 0]
    below, narrowest = int((gap > 0).sum()), float(gap.abs().min())
    assert narrowest < 2.5 or 0 < below < 9, (
        f"they end well: {narrowest:.1f} apart in every frame, one of them below. Which term holds "
        "each frame on its side, and which have to lift it over?"
    )
