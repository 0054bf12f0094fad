"""Lesson 04: its check tells the likely mistakes of the variance identity apart."""

import pytest
import torch
from torch import Tensor

from tagvis_lite.course.checks.lesson_04 import Part, check_between_frames


def parts(tags: Tensor, here: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """M_t and h_nt of the frames the instance is in, and h_n."""
    seen = here.any(dim=1)
    h_nt = torch.stack([t[m].mean() for t, m in zip(tags[seen], here[seen], strict=True)])
    return here[seen].sum(dim=1), h_nt, tags[here].mean()


def right(tags: Tensor, here: Tensor) -> Tensor:
    counts, h_nt, h_n = parts(tags, here)
    return (counts * (h_nt - h_n).square()).sum()


def without_weights(tags: Tensor, here: Tensor) -> Tensor:
    _, h_nt, h_n = parts(tags, here)
    return (h_nt - h_n).square().sum()


def mean_of_means(tags: Tensor, here: Tensor) -> Tensor:
    counts, h_nt, _ = parts(tags, here)
    return (counts * (h_nt - h_nt.mean()).square()).sum()


def forgets_absence(tags: Tensor, here: Tensor) -> Tensor:
    h_nt = torch.stack([t[m].mean() for t, m in zip(tags, here, strict=True)])
    return (here.sum(dim=1) * (h_nt - tags[here].mean()).square()).sum()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (without_weights, "multiply by M_t"),
        (mean_of_means, "not the mean of the frame means"),
        (forgets_absence, "NaN"),
        (lambda tags, here: right(tags, here) / 2, "not their mean"),
        (lambda tags, here: right(tags, here) / 4, "a sum over pixels"),
        (lambda tags, here: (tags[here] - tags[here].mean()).square().sum(), "within frames"),
    ],
)
def test_likely_mistakes_are_named(answer: Part, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_between_frames(answer)


def test_the_right_part_passes() -> None:
    check_between_frames(right)
