"""Lesson 10: its check tells the likely mistakes of a sampler apart."""

import numpy as np
import pytest
import torch
from torch import Generator

from tagvis_lite.clips import sample_indices
from tagvis_lite.course.checks.lesson_10 import Sampler, check_sampler


def any_frames(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return torch.randperm(total, generator=generator)[:number].sort().values.numpy()


def unsorted_frames(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return torch.randperm(total, generator=generator)[:number].numpy()


def too_far(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return torch.randint(1, longest + 2, (number,), generator=generator).cumsum(0).numpy()


def nothing_dropped(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return np.arange(number) + int(torch.randint(total - number + 1, (), generator=generator))


def always_the_same(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return np.rint(np.linspace(0, total - 1, number)).astype(int)


def from_zero(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    chosen = sample_indices(total, number, longest, generator)
    return chosen - chosen[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (any_frames, "more than 5 frames"),
        (unsorted_frames, "frames must rise"),
        (too_far, "beyond the last frame"),
        (nothing_dropped, "nothing was ever dropped"),
        (always_the_same, "clips hardly differ"),
        (from_zero, "begins at the same frame"),
        (lambda total, number, longest, generator: np.arange(7), "exactly 8 frames"),
    ],
)
def test_likely_mistakes_are_named(answer: Sampler, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_sampler(answer)


def test_the_package_passes() -> None:
    check_sampler(sample_indices)
