"""Lesson 12: its check tells the likely mistakes apart."""

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_12 import Step, check_non_local_step


def step(power: float = 0.5, axis: int = -1) -> Step:
    """An answer that divides by a power of d and takes the softmax along an axis."""

    def answer(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        scores = query @ keys.flatten(0, 1).T / query.shape[-1] ** power
        return scores.softmax(dim=axis) @ values.flatten(0, 1)

    return answer


def frame_by_frame(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """T x S x d."""
    pairs = zip(keys, values, strict=True)
    return torch.stack([(query @ k.T / query.shape[-1] ** 0.5).softmax(-1) @ v for k, v in pairs])


def no_softmax(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return query @ keys.flatten(0, 1).T / query.shape[-1] ** 0.5 @ values.flatten(0, 1)


def another_order(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return step()(query, keys, values.flip(0))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (step(power=0), "not scaled"),
        (step(power=1), "not by its root"),
        (step(axis=0), "the softmax runs over the answering positions"),
        (no_softmax, "the softmax runs over the answering positions"),
        (lambda *x: frame_by_frame(*x).mean(0), "you average them"),
        (lambda *x: frame_by_frame(*x).sum(0), "the number of frames"),
        (frame_by_frame, "one output per asking position"),
        (another_order, "in the same order"),
        (lambda *_: 1.0, "return a tensor"),
    ],
)
def test_likely_mistakes_are_named(answer: Step, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_non_local_step(answer)


def test_the_right_step_passes() -> None:
    check_non_local_step(step())
