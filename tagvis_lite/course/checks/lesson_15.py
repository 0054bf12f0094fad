"""Lesson 15: cross-entropy of a batch of clips with void pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Loss = Callable[[Tensor, Tensor], Tensor]


def check_clip_cross_entropy(answer: Loss) -> None:
    """Compare with PyTorch's own on two clips of which one is mostly void."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 4, 3, 2, 5, generator=generator)
    labels = torch.randint(4, (2, 3, 2, 5), generator=generator)
    labels[0, :2], labels[1, 0, 0, :2] = 255, 255
    known = labels != 255
    filled = torch.where(known, labels, 0)
    expected = cross_entropy(logits, labels, ignore_index=255)
    given = answer(logits, labels)
    assert isinstance(given, Tensor), f"return a tensor with one number; got {type(given)}"
    assert given.shape == (), (
        f"one number for the whole batch, shape (), not {tuple(given.shape)}: take the mean"
    )
    assert not given.isnan(), (
        "the result is NaN: is the mean over no pixel, or does a log see a probability of 0?"
    )

    each = cross_entropy(logits, labels, ignore_index=255, reduction="none")
    by_clip = torch.stack([each[k][known[k]].mean() for k in range(2)]).mean()
    probability = logits.softmax(1).gather(1, filled.unsqueeze(1)).squeeze(1)
    raw = logits.gather(1, filled.unsqueeze(1)).squeeze(1)
    mistakes = [
        (-expected, "the sign is turned around: a log of a probability is never positive"),
        (
            each.sum(),
            "this is the sum over pixels; eq. (7) needs a mean, or it grows with the clip",
        ),
        (
            each.mean(),
            "void pixels count in the mean: they add 0 above, but must not count below either",
        ),
        (
            cross_entropy(logits, filled),
            "void pixels are taken for background: leave them out of the mean",
        ),
        (
            by_clip,
            "you average within each clip, then over clips: a clip that is mostly void then counts "
            "as much as a full one. Take one mean over the pixels of all clips",
        ),
        (-probability[known].mean(), "the logarithm is missing: average log p, not p"),
        (-raw[known].mean(), "logits are no log-probabilities yet: log_softmax over the classes"),
    ]
    for axis, name in ((0, "clips"), (2, "frames"), (3, "rows"), (4, "columns")):
        log_p = logits.log_softmax(axis).gather(1, filled.unsqueeze(1)).squeeze(1)
        message = f"your softmax runs over {name}; the classes are axis 1"
        mistakes.append((-log_p[known].mean(), message))
    for wrong, message in mistakes:
        assert not torch.allclose(given, wrong, atol=1e-5), message
    assert torch.allclose(given, expected, atol=1e-5), (
        f"PyTorch says {expected:.4f}, you say {given:.4f}"
    )
