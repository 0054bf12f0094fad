"""Lesson 01: what a detector by class sees, identity switches, and an object that overlap loses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import label

from tagvis_lite.study.oracles import tracked_components

Switches = Callable[[np.ndarray, np.ndarray], int]


def check_pieces(answer: Callable[[], int]) -> None:
    """Two cats that touch are one piece, the dog is another."""
    given = answer()
    assert given is not None, "return a number"
    assert given != 3, "the two cats touch and have one class: they are one connected piece"
    assert given != 4, "void is no class, and the cats are one piece"
    assert given != 1, "the dog has a class of its own, so it is a piece of its own"
    assert given == 2, f"one piece of cats and one dog, and you see {given}"


def check_switches(answer: Switches) -> None:
    """Gaps, missed frames, background, void and pixels that disagree."""
    steady = np.array([[[1, 1, 2]]] * 3, dtype=np.uint8)
    renamed = np.array([[[5, 5, 7]]] * 3, dtype=np.uint8)
    given = answer(steady, renamed)
    assert given is not None, "return a number"
    assert given == 0, (
        f"{given} switches where nothing changes: a result's numbers need not be the truth's"
    )
    cases = [
        (
            [[1, 1, 1], [0, 0, 0], [1, 1, 1]],
            [[4, 4, 4], [0, 0, 0], [6, 6, 6]],
            1,
            "an object that comes back under another number is a switch: compare across the gap",
        ),
        (
            [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
            [[4, 4, 4], [0, 0, 0], [4, 4, 4]],
            0,
            "a frame in which the object is missed (0) is no switch: skip it",
        ),
        (
            [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
            [[4, 4, 4], [4, 4, 6], [4, 4, 4]],
            0,
            "one pixel is another's: what most of an object's pixels are called is its number",
        ),
        (
            [[255, 1, 1], [255, 1, 1], [255, 1, 1]],
            [[8, 4, 4], [9, 4, 4], [8, 4, 4]],
            0,
            "void is no object: whatever a result says there does not count",
        ),
        (
            [[0, 1, 1], [0, 1, 1], [0, 1, 1]],
            [[8, 4, 4], [9, 4, 4], [8, 4, 4]],
            0,
            "background is no object",
        ),
        (
            [[1, 1, 2], [1, 1, 2], [1, 1, 2]],
            [[4, 4, 6], [6, 6, 4], [4, 4, 6]],
            4,
            "two objects change numbers twice each",
        ),
    ]
    for truth, result, expected, why in cases:
        maps = (np.array(m, dtype=np.uint8)[:, None] for m in (truth, result))
        given = answer(*maps)
        assert given == expected, f"{why}; expected {expected}, got {given} for {truth}, {result}"


def check_lost(answer: Callable[[], np.ndarray]) -> None:
    """One piece in each frame, always there, and more than one track."""
    masks = np.asarray(answer())
    assert masks.shape == (6, 16, 16), f"6 frames of 16 x 16, not {masks.shape}"
    masks = masks.astype(bool)
    sizes = masks.sum(axis=(1, 2)).tolist()
    assert min(sizes) > 0, "it has to be in sight in every frame"
    assert min(sizes) >= 9, f"at least 9 pixels in every frame, not {sizes}"
    pieces = [label(mask)[1] for mask in masks]
    assert max(pieces) == 1, f"one connected piece in every frame, not {pieces}"
    assert tracked_components(masks).max() > 1, (
        "the tracker follows it: each mask still overlaps the one before"
    )
