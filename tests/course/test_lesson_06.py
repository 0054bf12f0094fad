"""Lesson 06: its checks tell the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_06 import (
    check_frames_below,
    check_seen_together,
    check_uneven,
)


@pytest.mark.parametrize(
    ("frames", "message"),
    [(9, "does not look at clip means"), (5, "offset of 0.3"), (3, "ends above"), (4, "count")],
)
def test_wrong_numbers_of_frames_are_told_why(frames: int, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_frames_below(lambda: frames)


def pairs(h_nt: Tensor, margin: float, offset: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    n, other = torch.triu_indices(len(h_nt), len(h_nt), offset)
    return (margin - (h_nt[n] - h_nt[other]).abs()).clamp(min=0), n, other


def masked_too_late(h_nt: Tensor, seen: Tensor, margin: float) -> Tensor:
    n, other = torch.triu_indices(len(h_nt), len(h_nt), 1)
    both = seen[n] & seen[other]
    hinges = (margin - (h_nt[n] - h_nt[other]).square().sqrt()).clamp(min=0)
    return torch.where(both, hinges, 0).sum() / both.sum().clamp(min=1)


def with_itself(h_nt: Tensor, seen: Tensor, margin: float) -> Tensor:
    hinges, n, other = pairs(h_nt.nan_to_num(), margin, offset=0)
    both = seen[n] & seen[other]
    return (hinges * both).sum() / both.sum()


def masked(h_nt: Tensor, seen: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    hinges, n, other = pairs(h_nt.nan_to_num(), margin)
    both = seen[n] & seen[other]
    return (hinges * both).sum(), both


def loop(h_nt: Tensor, seen: Tensor, margin: float) -> Tensor:
    return sum((masked(h_nt[:, [t]], seen[:, [t]], margin)[0] for t in range(3)), torch.zeros(()))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda h, seen, margin: pairs(h, margin)[0].mean(), "NaN: an absent"),
        (lambda h, seen, margin: pairs(h.nan_to_num(), margin)[0].mean(), "as one at 0"),
        (lambda h, seen, margin: masked(h, seen, margin)[0] / 9, "over those five"),
        (lambda h, seen, margin: masked(h, seen, margin)[0], "not their sum"),
        (with_itself, "paired with itself"),
        (masked_too_late, "before the difference"),
        (loop, "there is a loop"),
        (
            lambda h, seen, margin: masked(h, seen, margin)[0] / masked(h, seen, margin)[1].sum(),
            "0/0",
        ),
    ],
)
def test_wrong_losses_are_named(answer: Callable[..., Tensor], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_seen_together(answer)


@pytest.mark.parametrize(
    ("tags", "ids", "message"),
    [
        ([[0.0, 3.0], [3.0, 6.0]], [[1, 2], [1, 2]], "same share"),
        ([[0.0, 3.0], [3.0, 0.0]], [[1, 2], [1, 2]], "below in every frame"),
        ([[0.0, 1.0], [0.0, 1.0]], [[1, 2], [1, 2]], "less than 3 apart"),
        ([[0.0, 0.0, 3.0], [1.0, 4.0, 4.0]], [[1, 1, 2], [1, 2, 2]], "where its tags are high"),
        ([[0.0, 3.0]], [[1, 1]], "two instances"),
    ],
)
def test_clips_that_refute_nothing_are_told_why(
    tags: list[list[float]], ids: list[list[int]], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_uneven(lambda: (torch.tensor(tags), torch.tensor(ids)))
