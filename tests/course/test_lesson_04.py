"""Lesson 04: its checks tell the likely mistakes apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_04 import (
    check_blind_spot,
    check_held_in_time,
    check_meeting_point,
)


@pytest.mark.parametrize(
    ("tag", "message"), [(2.0, "add up to"), (3.0, "do not move faster"), (0.0, "end at 1.00")]
)
def test_a_wrong_meeting_point_is_told_why(tag: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_meeting_point(lambda: tag)


def per_instance(
    tags: Tensor, ids: Tensor, reduce: Callable[[Tensor], Tensor], first: int = 1
) -> Tensor:
    """Squares of each instance's frames, reduced; one value an instance."""
    values = []
    for n in range(first, 3):
        frames = [t[i == n] for t, i in zip(tags, ids, strict=True) if (i == n).any()]
        h_nt = torch.stack([pixels.mean() for pixels in frames])
        values.append(reduce((torch.cat(frames).mean() - h_nt).square()))
    return torch.stack(values)


def forgets_absence(tags: Tensor, ids: Tensor) -> Tensor:
    h_nt = [[t[i == n].mean() for t, i in zip(tags, ids, strict=True)] for n in (1, 2)]
    return torch.tensor(h_nt).var(1, correction=0).mean()


def mean_of_means(tags: Tensor, ids: Tensor) -> Tensor:
    found = []
    for n in (1, 2):
        own = [t[i == n].mean() for t, i in zip(tags, ids, strict=True) if (i == n).any()]
        found.append(torch.stack(own).var(correction=0))
    return torch.stack(found).mean()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (forgets_absence, "NaN: instance 2 is absent"),
        (mean_of_means, "not the mean of the frame means"),
        (lambda t, i: per_instance(t, i, torch.mean).sum(), "not their sum"),
        (lambda t, i: per_instance(t, i, torch.sum).mean(), "sum over frames"),
        (lambda t, i: per_instance(t, i, lambda s: s.sum() / 3).mean(), "not over T"),
        (lambda t, i: per_instance(t, i, torch.mean, first=0).mean(), "background"),
    ],
)
def test_wrong_losses_are_named(answer: Callable[[Tensor, Tensor], Tensor], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_held_in_time(answer)


@pytest.mark.parametrize(
    ("tags", "here", "message"),
    [
        ([[0.0, 0.0], [3.0, 3.0]], [[1, 1], [1, 1]], "if one is small"),
        ([[0.0, 3.0]], [[1, 1]], "in one frame alone"),
        ([[0.0] * 50, [0.1] * 50], [[1] * 50] * 2, "do not wander"),
        ([[0.0] * 9, [9.0] * 9], [[1] * 9, [1] + [0] * 8], "make the wandering frame smaller"),
        ([0.0, 1.0], [[1, 1]], "both T x P"),
    ],
)
def test_dogs_that_are_no_blind_spot_are_told_why(
    tags: list[list[float]], here: list[list[int]], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_blind_spot(lambda: (torch.tensor(tags), torch.tensor(here)))
