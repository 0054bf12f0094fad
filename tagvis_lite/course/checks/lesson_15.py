"""Lesson 15: cross-entropy by hand, of a batch of clips with void, and of a sure mistake."""

from __future__ import annotations

import math
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


def check_half_right(answer: Callable[[], float]) -> None:
    """ln 2: void takes no part."""
    given = answer()
    assert given is not None, "return a number"
    value = float(given)
    assert not math.isclose(value, 0.75 * math.log(2), abs_tol=5e-3), (
        "void takes no part in the mean either: divide by three pixels, not by four"
    )
    assert not math.isclose(value, 3 * math.log(2), abs_tol=5e-3), "a mean, not a sum"
    assert not math.isclose(value, 1, abs_tol=5e-3), "in nats: the natural logarithm, not that of 2"
    assert not math.isclose(value, 0.301, abs_tol=5e-3), "the natural logarithm, not that of 10"
    assert math.isclose(value, math.log(2), abs_tol=5e-3), (
        f"each of the three costs minus the logarithm of 1/2, 0.693; you say {value:.3f}"
    )


def check_sure_and_wrong(answer: Callable[[], Tensor]) -> None:
    """Three of four right, and a cross-entropy above 2."""
    logits = answer()
    assert logits.shape == (2, 4), f"2 classes x 4 pixels, not {tuple(logits.shape)}"
    labels = torch.tensor([0, 0, 1, 1])
    right = int((logits.argmax(dim=0) == labels).sum())
    assert right == 3, f"{right} of 4 pixels are right; make it three"
    loss = -logits.log_softmax(dim=0)[labels, torch.arange(4)].mean().item()
    assert loss > 2, f"cross-entropy {loss:.2f}: the wrong pixel is not sure enough of itself"
