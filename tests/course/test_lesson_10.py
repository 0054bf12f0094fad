"""Lesson 10: its check tells the likely mistakes of a sampler apart."""

import numpy as np
import pytest
import torch
from torch import Generator

from tagvis_lite.clips import sample_indices
from tagvis_lite.course.checks.lesson_10 import (
    Sampler,
    check_blind_test,
    check_farthest,
    check_sampler,
)


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


def coins(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    """The lesson's own, pasted."""
    steps, spare = np.ones(number, dtype=int), total - number
    for k in range(1, number):
        if torch.rand((), generator=generator) < 0.5:
            run = min(int(torch.randint(1, longest + 1, (), generator=generator)), spare)
            steps[k], spare = 1 + run, spare - run
    steps[0] = int(torch.randint(0, spare + 1, (), generator=generator))
    return steps.cumsum()


def of_everybody(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    return sample_indices(total, number, longest, torch.default_generator)


def one_run(total: int, number: int, longest: int, generator: Generator) -> np.ndarray:
    run = min(int(torch.randint(1, longest + 1, (), generator=generator)), total - number)
    place = int(torch.randint(1, number, (), generator=generator))
    first = int(torch.randint(0, total - number - run + 1, (), generator=generator))
    return first + np.arange(number) + run * (np.arange(number) >= place)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (coins, "a coin decide"),
        (of_everybody, "use it for every draw|of everybody"),
        (one_run, "more than one run"),
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


@pytest.mark.parametrize(
    ("frames", "message"),
    [(9, "on either side"), (8, "in the middle"), (4.5, "half frame"), (5, "4")],
)
def test_wrong_distances_are_told_why(frames: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_farthest(lambda: frames)  # type: ignore[arg-type, return-value]


def label_map(*rows: str) -> np.ndarray:
    return np.array([[int(c) for c in row] for row in rows], np.uint8)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (label_map(*["0110000220"] * 7, "0" * 10), "not that of another object"),
        (label_map(*["0001111000"] * 8), "at least two objects"),
        (label_map(*["0110000222"] * 8), "upside down"),
        (label_map("0110"), "8 x 10"),
    ],
)
def test_maps_that_notice_are_told_so(ids: np.ndarray, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_blind_test(lambda: ids)
