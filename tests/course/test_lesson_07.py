"""Lesson 07: its check tells the likely mistakes of a drift measure apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_07 import check_drift

Measure = Callable[[Tensor, Tensor], Tensor]


def frame_means(tags: Tensor, ids: Tensor, n: int) -> Tensor:
    return torch.stack([t[i == n].mean() for t, i in zip(tags, ids, strict=True) if (i == n).any()])


def right(tags: Tensor, ids: Tensor, correction: int = 0) -> Tensor:
    stds = [
        frame_means(tags, ids, n).std(correction=correction) for n in ids.unique().tolist() if n
    ]
    return torch.stack(stds).max()


def forgets_absence(tags: Tensor, ids: Tensor) -> Tensor:
    per_frame = [[t[i == n].mean() for t, i in zip(tags, ids, strict=True)] for n in (1, 2)]
    return torch.tensor(per_frame).std(dim=1, correction=0).max()


def mean_over_instances(tags: Tensor, ids: Tensor) -> Tensor:
    return torch.stack([frame_means(tags, ids, n).std(correction=0) for n in (1, 2)]).mean()


def takes_background(tags: Tensor, ids: Tensor) -> Tensor:
    return torch.stack([tags[ids == n].std(correction=0) for n in (0, 1, 2)]).max() + 50


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (forgets_absence, "NaN: instance 2 is absent"),
        (mean_over_instances, "the worst instance counts"),
        (lambda tags, ids: tags[ids == 1].std(correction=0), "spread of all pixels"),
        (lambda tags, ids: right(tags, ids, correction=1), "not T - 1"),
        (takes_background, "take no part"),
        (lambda tags, ids: torch.zeros(2), "one number"),
    ],
)
def test_likely_mistakes_are_named(answer: Measure, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_drift(answer)


def test_the_right_measure_passes() -> None:
    check_drift(right)
