"""Lesson 04: what L_tempra does, in whole clips and where L_spectra is blind."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_meeting_point(answer: Callable[[], float]) -> None:
    """Roll three pixels of one frame and one of another down eq. (4)."""
    given = float(answer())
    tags = torch.tensor([0.0, 0.0, 0.0, 4.0], requires_grad=True)
    for _ in range(500):
        loss = (tags.mean() - tags[:3].mean()) ** 2 + (tags.mean() - tags[3]) ** 2
        (gradient,) = torch.autograd.grad(loss, tags)
        tags = (tags - 0.05 * gradient).detach().requires_grad_(True)
    assert given != 2, (
        "each frame counts once in the loss, but the frame of three pixels is moved less: "
        "its gradient is split among them. What do the four gradients add up to?"
    )
    assert given != 3, "more pixels do not move faster: a gradient of their mean is shared by three"
    assert abs(given - tags.mean().item()) < 0.01, (
        f"rolled, all four end at {tags.mean().item():.2f}, you say {given:g}"
    )


def check_held_in_time(answer: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Two instances of unequal size, one of them absent from a frame, and background."""
    tags = torch.tensor([[0.0, 2.0, 5.0, 9.0], [4.0, 7.0, 7.0, 1.0], [8.0, 9.0, 9.0, 9.0]])
    ids = torch.tensor([[1, 1, 2, 0], [1, 2, 2, 0], [1, 0, 0, 0]])

    def by(h_n: Callable[[list[Tensor], Tensor], Tensor], frames: float | None = None) -> float:
        values = []
        for n in (1, 2):
            own = [t[i == n] for t, i in zip(tags, ids, strict=True) if (i == n).any()]
            h_nt = torch.stack([pixels.mean() for pixels in own])
            squares = (h_n(own, h_nt) - h_nt).square()
            values.append(squares.sum() / (frames or len(squares)))
        return float(torch.stack(values).mean())

    given = float(answer(tags.clone(), ids))
    expected = by(lambda own, _: torch.cat(own).mean())
    assert given == given, "NaN: instance 2 is absent from the last frame, leave that frame out"
    assert abs(given - by(lambda own, _: torch.cat(own).mean(), 3)) > 1e-4, (
        "instance 2 is in two frames: its mean is over those two, not over T"
    )
    assert abs(given - by(lambda own, _: torch.cat(own).mean(), 1)) > 1e-4, (
        "this is the sum over frames as printed; the task asks for their mean"
    )
    assert abs(given - by(lambda _, h_nt: h_nt.mean())) > 1e-4, (
        "h_n is the mean of all pixels of the clip, eq. (1), not the mean of the frame means"
    )
    assert abs(given - 2 * expected) > 1e-4, "a mean over instances, not their sum"
    assert abs(given - expected) < 1e-4, (
        f"expected {expected:.3f}, you return {given:.3f}. Does background (id 0) take part?"
    )


def check_blind_spot(answer: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Both losses of the dog that was built."""
    tags, here = answer()
    tags, here = torch.as_tensor(tags, dtype=torch.float64), torch.as_tensor(here).bool()
    assert tags.shape == here.shape == tags.shape[:2], "tags and here are both T x P"
    assert here.any(), "the dog has to be somewhere"
    h_n = tags[here].mean()
    h_nt = torch.stack([t[i].mean() for t, i in zip(tags, here, strict=True) if i.any()])
    spectra, tempra = float((tags[here] - h_n).square().mean()), float((h_nt - h_n).square().mean())
    sizes = here.sum(1)[here.any(1)]
    found = f"L_spectra is {spectra:.2f} and L_tempra {tempra:.2f}"
    assert tempra > 1 or len(sizes) > 1, f"{found}: in one frame alone nothing can creep"
    assert tempra > 1 or spectra >= 0.1, (
        f"{found}: the frame means do not wander. One of them has to be far from the clip's mean"
    )
    assert tempra > 1, f"{found}: L_tempra is to be above 1"
    assert spectra < 0.1 or sizes.min() < sizes.max(), (
        f"{found}: in frames of equal size L_spectra is at least L_tempra. And if one is small?"
    )
    assert spectra < 0.1, f"{found}: L_spectra is to be below 0.1; make the wandering frame smaller"
