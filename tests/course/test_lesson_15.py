"""Lesson 15: its check tells the likely mistakes apart."""

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_15 import (
    Loss,
    check_clip_cross_entropy,
    check_half_right,
    check_sure_and_wrong,
)


def per_pixel(logits: Tensor, labels: Tensor, axis: int = 1) -> Tensor:
    """Minus log p of the label of each pixel; void as background. B x T x h x w."""
    filled = torch.where(labels == 255, 0, labels).unsqueeze(1)
    return -logits.log_softmax(axis).gather(1, filled).squeeze(1)


def right(logits: Tensor, labels: Tensor) -> Tensor:
    return per_pixel(logits, labels)[labels != 255].mean()


def over(axis: int) -> Loss:
    return lambda logits, labels: per_pixel(logits, labels, axis)[labels != 255].mean()


def masked(logits: Tensor, labels: Tensor) -> Tensor:
    return per_pixel(logits, labels) * (labels != 255)


def by_clip(logits: Tensor, labels: Tensor) -> Tensor:
    clips = [right(*clip) for clip in zip(logits.split(1), labels.split(1), strict=True)]
    return torch.stack(clips).mean()


def no_log(logits: Tensor, labels: Tensor) -> Tensor:
    filled = torch.where(labels == 255, 0, labels).unsqueeze(1)
    return -logits.softmax(1).gather(1, filled).squeeze(1)[labels != 255].mean()


def no_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    filled = torch.where(labels == 255, 0, labels).unsqueeze(1)
    return -logits.gather(1, filled).squeeze(1)[labels != 255].mean()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *x: -right(*x), "sign is turned around"),
        (lambda *x: masked(*x).sum(), "the sum over pixels"),
        (lambda *x: masked(*x).mean(), "must not count below"),
        (lambda *x: per_pixel(*x).mean(), "taken for background"),
        (by_clip, "average within each clip"),
        (no_log, "logarithm is missing"),
        (no_softmax, "no log-probabilities yet"),
        (over(0), "runs over clips"),
        (over(2), "runs over frames"),
        (over(4), "runs over columns"),
        (lambda *x: right(*x) / 4, "PyTorch says"),
        (lambda *x: right(*x) * float("nan"), "the result is NaN"),
        (masked, "one number for the whole batch"),
        (lambda *x: right(*x).item(), "return a tensor"),
    ],
)
def test_likely_mistakes_are_named(answer: Loss, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_clip_cross_entropy(answer)


def test_the_right_loss_passes() -> None:
    check_clip_cross_entropy(right)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.52, "three pixels"),
        (2.079, "not a sum"),
        (1.0, "not that of 2"),
        (0.301, "of 10"),
        (0, "each"),
    ],
)
def test_other_cross_entropies_are_explained(value: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_half_right(lambda: value)
    check_half_right(lambda: 0.693)


SURE = torch.tensor([[5.0, 5.0, -5.0, 5.0], [-5.0, -5.0, 5.0, -5.0]])


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (SURE / 5, "not sure enough"),
        (SURE.flip(0), "make it three"),
        (SURE.T, "2 classes x 4"),
    ],
)
def test_logits_that_do_not_fit_are_explained(logits: Tensor, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_sure_and_wrong(lambda: logits)
    check_sure_and_wrong(lambda: SURE)
