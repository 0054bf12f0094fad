"""Lesson 01: from instances to classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

ToSemantic = Callable[[np.ndarray, Mapping[int, int]], np.ndarray]


def check_to_semantic(answer: ToSemantic) -> None:
    """Ids that equal class numbers, void, background, and the reader's array left alone."""
    ids = np.array([[[0, 1, 2], [3, 255, 1]]], dtype=np.uint8)
    categories = {1: 3, 2: 1, 3: 2}
    before = ids.copy()
    given = np.asarray(answer(ids, categories))
    assert (ids == before).all(), "the label map itself was changed: work on a copy"
    assert given.shape == ids.shape, f"one class per pixel: {ids.shape}, not {given.shape}"
    assert (given[ids == 255] == 255).all(), "void (255) stays void: nobody knows what is there"
    assert (given[ids == 0] == 0).all(), "background (0) stays background"
    expected = np.array([[[0, 3, 1], [2, 255, 3]]])
    assert not (given == ids).all(), "these are still instances: replace each id by its category"
    assert given[0, 0, 1] == given[0, 1, 2], "both pixels of instance 1 have its category"
    assert (given == expected).all(), (
        f"expected {expected.tolist()}, you return {given.tolist()}. Replacing one id after the "
        "other overwrites what was replaced before, where an id equals a class"
    )
