"""Lesson 06: L_temper alone, with absent instances, and where it is not L_specter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tagvis_lite.course.exercises import has_a_loop
from tagvis_lite.losses import instance_means, specter_loss, temper_loss


def check_frames_below(answer: Callable[[], int]) -> None:
    """Each frame keeps the order that it starts with."""
    given = answer()
    assert given != 9, "the clip means are in order, but L_temper does not look at clip means"
    assert given != 5, "5 is the answer for an offset of 0.3: where do the tracks cross now?"
    assert given != 3, "this is where dog 1 ends above"
    assert given == 6, (
        f"not {given}: in each frame the dog that starts below stays below. Write down the nine "
        "tags of both and count"
    )


def check_seen_together(answer: Callable[[Tensor, Tensor, float], Tensor]) -> None:
    """Three instances in three frames, two of them absent once."""
    assert not has_a_loop(answer), "there is a loop: take all pairs at once, by triu_indices"
    nan = float("nan")
    h_nt = torch.tensor([[0.0, 1.0, nan], [0.5, nan, 4.0], [9.0, 2.0, 3.0]], dtype=torch.float64)
    seen = ~h_nt.isnan()
    moving = h_nt.clone().requires_grad_(True)
    result = answer(moving, seen, 3.0)
    assert isinstance(result, Tensor), f"return a scalar tensor, got {type(result).__name__}"
    assert result.numel() == 1, f"return a scalar, not {tuple(result.shape)}"
    given = float(result.detach())
    # Pairs that are there: frame 0 costs 2.5, 0 and 0; frame 1 costs 2; frame 2 costs 2.
    assert given == given, (
        "NaN: an absent instance takes part. NaN times 0 is NaN: replace it first"
    )
    assert abs(given - 6.5 / 9) > 1e-9, (
        "five of the nine pairs and frames have both: the mean is over those five"
    )
    assert abs(given - 6.5) > 1e-9, "the mean over pairs and frames, not their sum"
    assert min(abs(given - 9.5 / 9), abs(given - 9.5 / 5)) > 1e-9, (
        "an absent instance counts as one at 0: leave its pairs out of that frame"
    )
    assert abs(given - 1.3) < 1e-9, (
        f"expected 1.30, you return {given:.2f}. Is an instance paired with itself, at the price G?"
    )
    (gradient,) = torch.autograd.grad(result, moving)
    assert gradient.isfinite().all(), (
        "the loss is right, but its gradient is NaN: replace NaN before the difference, not after"
    )
    assert float(answer(torch.zeros(2, 1), torch.tensor([[True], [False]]), 3.0)) == 0, (
        "two that are never seen together cost nothing: 0, not 0/0"
    )


def check_uneven(answer: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Both losses, by the package, and the order in every frame."""
    tags, ids = answer()
    tags, ids = torch.as_tensor(tags, dtype=torch.float64), torch.as_tensor(ids).long()
    assert tags.shape == ids.shape == tags.shape[:2], "tags and ids are both T x P"
    means = instance_means(tags[None, :, None], ids[None, :, None])
    assert means.in_frame.shape[1] == 2 == means.in_frame.sum(1).min(), (
        "two instances, 1 and 2, both in every frame"
    )
    gap = means.h_nt[0, 1] - means.h_nt[0, 0]
    assert gap.sign().sum().abs() == len(gap), "the same one has to be below in every frame"
    temper, specter = float(temper_loss(means)), float(specter_loss(means))
    assert temper < 1e-9, f"L_temper is {temper:.2f}: in some frame the two are less than 3 apart"
    shares = means.counts[0] / means.counts[0].sum(-1, keepdim=True)
    assert specter > 1e-6 or not torch.allclose(shares[0], shares[1]), (
        "L_specter is 0. With the same share of pixels in every frame it must be: let one dog be "
        "large where the other is small"
    )
    assert specter > 1e-6, (
        "L_specter is 0: the pixels pull the clip means apart. Let the lower dog be large where "
        "its tags are high"
    )
