"""Lesson 19: J of label maps, what nothing scores, and where J and F part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tagvis_lite.evaluation.davis_sequence import sequence_scores

GROUND_TRUTH = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 2, 2, 2, 255],
        [0, 2, 2, 2, 255],
        [0, 1, 1, 0, 0],
    ],
    np.uint8,
)
RESULT = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 4, 4],
        [0, 0, 4, 4, 4],
        [0, 0, 4, 4, 0],
    ],
    np.uint8,
)
"""Object 2 and proposal 4 share 3 pixels; together, without void, they have 8: J = 3/8."""


def check_object_similarity(
    answer: Callable[[np.ndarray, np.ndarray, int, int], float],
) -> None:
    """Compare on 4 x 5 pixels with void, then on a frame where both masks are empty."""
    theirs = GROUND_TRUTH.copy(), RESULT.copy()
    given = answer(*theirs, 2, 4)
    assert np.array_equal(theirs, (GROUND_TRUTH, RESULT)), (
        "this writes into the arrays of the caller, who goes on with them: make masks of your own"
    )
    assert np.ndim(given) == 0, f"J is one number, not an array of shape {np.shape(given)}"
    assert isinstance(given, float | int | np.number), f"return a number; got {type(given)}"
    given = float(given)
    assert not np.isclose(given, 3 / 10), (
        "this counts void as background: pixels that are 255 in the ground truth belong to "
        "neither mask, so take them out of the result as well"
    )
    assert not np.isclose(given, 2 * 3 / (6 + 5)), (
        "this is twice the intersection over the sum of areas (Dice); J divides by the union"
    )
    assert not np.isclose(given, 3 / 6), (
        "this divides by the object's area, which is a recall: divide by the union"
    )
    assert not np.isclose(given, 4 / 9), (
        "this compares foreground with foreground: only pixels of the two ids asked for count"
    )
    assert np.isclose(given, 3 / 8), (
        f"intersection 3, union 8, so J is {3 / 8}; you say {given:.3g}"
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        try:
            empty = float(answer(GROUND_TRUTH.copy(), RESULT.copy(), 3, 1))
        except ZeroDivisionError:
            empty = np.nan
    assert empty == 1, (
        f"neither object 3 nor proposal 1 is in this frame: they agree, so J is 1, not {empty:.3g}"
    )


def check_nothing_at_all(answer: Callable[[], float]) -> None:
    """Score an empty result with the package."""
    given = float(answer())
    truth = np.zeros((10, 8, 8), np.uint8)
    truth[:5, 2:6, 2:6] = 1
    scores = sequence_scores(truth, np.zeros_like(truth))
    expected = float((scores.J.mean() + scores.F.mean()) / 2)
    assert given != 0, "five frames have no object and no mask: there, result and truth agree"
    assert given != 1, "in five frames there is an object, and nothing covers it"
    assert given != 0.25, "J and F both score 1 where object and mask are out of sight"
    assert abs(given - expected) < 1e-6, f"the package says {expected:g}, you say {given:g}"


def check_holes(answer: Callable[[], tuple[np.ndarray, np.ndarray]]) -> None:
    """J and F of the two masks."""
    truth, proposal = (np.asarray(mask) for mask in answer())
    assert truth.shape == proposal.shape == (64, 64), "two masks of 64 x 64"
    assert truth.any(), "the object's mask is empty"
    as_ids = truth.astype(bool).astype(np.uint8), proposal.astype(bool).astype(np.uint8)
    scores = sequence_scores(as_ids[0][None], as_ids[1][None])
    J, F = float(scores.J[0, 0]), float(scores.F[0, 0])
    found = f"J is {J:.2f} and F {F:.2f}"
    assert J > 0.9, f"{found}: too much area is lost for J above 0.9. A larger object forgives more"
    assert F < 0.9, f"{found}: the outlines still match. A mask grown or shrunk by one is forgiven"
    assert F < 0.5, f"{found}: more outline has to be wrong, in many small places"
