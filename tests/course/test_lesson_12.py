"""Lesson 12: its checks tell the likely mistakes apart."""

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_12 import (
    Step,
    check_asker,
    check_blind_attention,
    check_non_local_step,
)


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


@pytest.mark.parametrize("word", ["what", "both", "nothing"])
def test_frame_2_says_only_where(word: str) -> None:
    with pytest.raises(AssertionError, match="where"):
        check_asker(lambda: word)
    check_asker(lambda: "where")


EVEN = torch.tensor([[1.0, 0.0, 0.0]]).repeat(4, 1)
KEYS = torch.cat([torch.zeros(5, 1), torch.arange(10.0).view(5, 2)], dim=1)


@pytest.mark.parametrize(
    ("query", "key", "message"),
    [
        (torch.zeros(4, 3), KEYS, "too easy"),
        (EVEN, torch.ones(5, 3), "no two of them equal"),
        (EVEN.flip(1), KEYS, "products with the keys differ"),
        (EVEN.T, KEYS, "4 x 3"),
    ],
)
def test_attention_that_is_trivial_or_sees_is_explained(
    query: Tensor, key: Tensor, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_blind_attention(lambda: (query, key))


def test_queries_across_the_keys_are_blind() -> None:
    check_blind_attention(lambda: (EVEN, KEYS))
