"""Lesson 08: its checks tell the likely mistakes apart."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tagvis_lite.config import LossConfig
from tagvis_lite.course.checks.lesson_08 import check_first_map, check_no_push, check_own_name


@pytest.mark.parametrize(
    ("word", "message"), [("noise", "smooth"), ("objects", "later"), ("a ramp", "return 'noise'")]
)
def test_other_maps_are_explained(word: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_first_map(lambda: word)


def test_a_ramp_passes() -> None:
    check_first_map(lambda: "ramp")


def share(tags: Tensor, ids: Tensor, *, leave_out: tuple[int, ...] = (0, 255)) -> float:
    names = torch.tensor([n for n in ids.unique().tolist() if n not in leave_out])
    means = torch.stack([tags[ids == n].mean() for n in names])
    inside = torch.isin(ids, names)
    nearest = (tags[inside][:, None] - means).abs().argmin(1)
    return float((names[nearest] == ids[inside]).double().mean())


def by_frame(tags: Tensor, ids: Tensor) -> float:
    pairs = zip(tags, ids, strict=True)
    return sum(share(t[None], i[None]) for t, i in pairs) / len(tags)


def by_object(tags: Tensor, ids: Tensor) -> float:
    means = torch.stack([tags[ids == n].mean() for n in (1, 2)])
    shares = [
        ((tags[ids == n][:, None] - means).abs().argmin(1) == k).double().mean()
        for k, n in enumerate((1, 2))
        if (ids == n).any()
    ]
    return float(sum(shares) / len(shares))


def as_positions(tags: Tensor, ids: Tensor) -> float:
    means = torch.stack(
        [tags[ids == n].mean() if (ids == n).any() else torch.tensor(99.0) for n in (1, 2)]
    )
    inside = (ids > 0) & (ids < 255)
    return float(
        ((tags[inside][:, None] - means).abs().argmin(1) + 1 == ids[inside]).double().mean()
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (by_frame, "whole clip"),
        (by_object, "count pixels"),
        (as_positions, "are names"),
        (lambda t, i: share(t, i, leave_out=(0,)), "Background and void"),
        (lambda t, i: share(t, i, leave_out=()), "Background and void|leave their pixels out"),
        (lambda t, i: None, "return a number"),
    ],
)
def test_wrong_shares_are_explained(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_own_name(answer)


def test_the_right_share_passes() -> None:
    check_own_name(share)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"specter": 0.0}, "L_temper still pushes"),
        ({"temper": 0.0}, "L_specter still pushes"),
        ({}, "L_specter and L_temper still"),
        ({"spectra": 0.0, "specter": 0.0, "temper": 0.0}, "no longer gather"),
    ],
)
def test_losses_that_push_or_do_not_pull_are_explained(
    change: dict[str, float], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_no_push(lambda loss: replace(loss, **change))


def test_both_pushes_off_passes() -> None:
    check_no_push(lambda loss: replace(loss, specter=0.0, temper=0.0))


def test_something_else_is_told_so() -> None:
    with pytest.raises(AssertionError, match="LossConfig"):
        check_no_push(lambda loss: LossConfig)  # type: ignore[arg-type, return-value]
