"""Lesson 18: when two heaps are two, clustering by gaps, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tagvis_lite.instances import modes_1d

TAGS = np.array([3.1, 0.0, 9.0, 0.6, 3.0, 1.2, 9.4])
GAP = 1.0
EXPECTED = np.array([2, 1, 3, 1, 2, 1, 3])
"""0.0, 0.6 and 1.2 are one instance, though its ends are farther apart than the gap."""


def check_cluster_by_gaps(answer: Callable[[np.ndarray, float], np.ndarray]) -> None:
    """Compare on seven unsorted tags of three instances, then on a gap that is met exactly."""
    given = answer(TAGS.copy(), GAP)
    assert isinstance(given, np.ndarray), f"return an array, one id per tag; got {type(given)}"
    assert given.shape == TAGS.shape, (
        f"one id per tag: shape {TAGS.shape}, not {given.shape}; np.diff gives one value less"
    )
    assert not np.array_equal(given, np.sort(EXPECTED)), (
        "these are the ids of the sorted tags: put them back in the order of the input, "
        "ids[order] = ..."
    )
    assert not np.array_equal(given, EXPECTED - 1), "ids count from 1: 0 is the background"
    in_input_order = 1 + np.concatenate([[0], np.cumsum(np.abs(np.diff(TAGS)) > GAP)])
    assert not np.array_equal(given, in_input_order), (
        "this compares neighbours in the image: sort the tags first, those on the tag line count"
    )
    assert not np.array_equal(given, [3, 1, 4, 1, 3, 2, 4]), (
        "this compares each tag with the first of its instance: compare it with the tag before it, "
        "so that a chain of small steps stays together"
    )
    assert np.array_equal(given, EXPECTED), (
        f"for tags {TAGS.tolist()} and gap {GAP} the ids are {EXPECTED.tolist()}, "
        f"you say {given.tolist()}"
    )
    exact = answer(np.array([0.0, 1.0]), 1.0)
    assert exact.tolist() == [1, 1], "a step of exactly `gap` is not more than the gap"


def check_closest(answer: Callable[[], float]) -> None:
    """Draw the density of two heaps a little nearer and a little farther apart than the answer."""
    given = float(answer())
    grid = np.linspace(-1, 2, 3001)

    def maxima(distance: float) -> int:
        bells = [np.exp(-4 * np.log(2) * ((grid - at) / 0.4) ** 2) for at in (0.0, distance)]
        rises = np.diff(bells[0] + bells[1]) > 0
        return int((rises[:-1] & ~rises[1:]).sum())

    assert given > 0, "a distance is above 0"
    assert maxima(1.15 * given) == 2, (
        f"{1.15 * given:.2f} apart, 15 % more than you say, the two bells are still one hill: a "
        "bell of width 0.4 reaches 0.2 to either side at half its height, and the two add up"
    )
    assert maxima(0.85 * given) == 1, (
        f"{0.85 * given:.2f} apart, 15 % less than you say, there are still two maxima: bells are "
        "steepest at one sigma, 0.17 here, from their tops"
    )


def check_bridge(answer: Callable[[], Sequence[float]]) -> None:
    """The rule of gaps and the package's heaps on two hundred tags and the answer's."""
    tags = np.asarray(answer(), float).ravel()
    assert len(tags) <= 12, f"at most twelve pixels, not {len(tags)}"
    every = np.sort(np.concatenate([np.zeros(100), np.full(100, 3.0), tags]))
    widest = float(np.diff(every).max())
    assert not widest > 0.5 + 1e-9, (
        f"a gap of {widest:.2f} is left, more than 0.5: the rule still begins a new instance there"
    )
    found = len(modes_1d(every, 0.4, 0.1)[0])
    assert found == 2, (
        f"the heaps are {found} now: where pixels are farther apart than the bandwidth, each is a "
        "small heap of its own"
    )
