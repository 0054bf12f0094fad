"""Lesson 19: J of an object and a proposal, on label maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
    given = answer(GROUND_TRUTH.copy(), RESULT.copy(), 2, 4)
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
