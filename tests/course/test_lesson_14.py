"""Lesson 14: its checks tell the likely mistakes apart."""

from typing import Any

import pytest
from torch import Tensor

from tagvis_lite.course.checks.lesson_14 import (
    Affinity,
    check_flat_affinity,
    check_own_kind,
    check_who_wins,
)


def block(*, mean: bool = False, biases: int = 1, divide_by: float = 5**0.5, axis: int = -1) -> Any:
    """An answer; d is 5 and C is 6 in the check."""

    def answer(tags: Tensor, kernel: Tensor, bias: Tensor, query: Tensor, key: Tensor) -> Tensor:
        total = kernel.mean((1, 2)) if mean else kernel.sum((1, 2))
        e = tags[:, None] * total + biases * bias
        return ((e @ query.T) @ (e @ key.T).T / divide_by).softmax(axis)

    return answer


def swapped(tags: Tensor, kernel: Tensor, bias: Tensor, query: Tensor, key: Tensor) -> Tensor:
    answer: Tensor = block()(tags, kernel, bias, key, query)
    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (block(mean=True), "you take the mean of the kernel"),
        (block(biases=0), "the bias is missing"),
        (block(biases=16), "at every pixel"),
        (block(divide_by=1), "not scaled"),
        (block(divide_by=6**0.5), "the root of C"),
        (block(divide_by=5), "not by its root"),
        (block(axis=0), "take the softmax over the answering"),
        (swapped, "changed places"),
        (lambda *x: block()(*x).flip(0), "the first row should be"),
        (lambda *x: block()(*x)[0], "one row per asking patch"),
        (lambda *x: block()(*x).tolist(), "return a tensor"),
    ],
)
def test_likely_mistakes_are_named(answer: Affinity, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_flat_affinity(answer)


def test_the_right_block_passes() -> None:
    check_flat_affinity(block())


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (5, "like does not attract"),
        (1, "minus times minus"),
        (3, "no favourite"),
        (0, "two of five"),
    ],
)
def test_wrong_numbers_of_favourites_are_explained(number: int, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_who_wins(lambda: number)
    check_who_wins(lambda: 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda tag: ((tag, 1.0), (tag, 1.0)), "prefers tag 7.0|prefers tag -6.0"),
        (lambda tag: ((tag, 1.0), (tag, -(tag**2))), "prefers tag"),
        (lambda tag: ((0.0, 0.0), (tag, tag)), "prefers tag|tell itself"),
        (lambda tag: ((tag,), (tag,)), "two numbers each"),
    ],
)
def test_features_by_which_another_wins_are_explained(answer: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_own_kind(answer)


def test_a_square_lets_like_attract_like() -> None:
    check_own_kind(lambda tag: ((tag, 1.0), (tag, -(tag**2) / 2)))
