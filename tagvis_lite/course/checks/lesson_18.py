"""Lesson 18: clustering of one-dimensional tags by their gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
