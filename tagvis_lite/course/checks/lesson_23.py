"""Lesson 23: name the worst video and what happened to its worst object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Answer = Callable[[Mapping[str, np.ndarray]], tuple[str, str]]

GOOD = np.array([[80, 0, 0], [1, 9, 0], [0, 0, 10]])
MERGED = np.array([[70, 2, 0], [1, 9, 0], [0, 7, 1]])
SPLIT = np.array([[70, 0, 0, 0], [2, 4, 4, 0], [1, 0, 0, 9]])
MISSED = np.array([[70, 0], [8, 2], [1, 9]])
"""Object 1 is missed, although its few found pixels are in the instance of object 2."""
ROUGH = np.array([[50, 20, 0], [2, 8, 0], [1, 0, 9]])
"""Object 1 is found, with many background pixels around it."""
NOTHING = np.array([[70], [10], [10]])


def check_find_failure(answer: Answer) -> None:
    """Tables a reader can work out on paper, one for each verdict."""
    given = answer({"good": GOOD, "bad": MERGED})
    pair = isinstance(given, tuple) and len(given) == 2
    assert pair, f"return two things, the name of the video and the verdict; got {given!r}"
    assert given[0] != "good", (
        "that is the best video: take the smallest mean over objects of the best IoU"
    )
    assert given == ("bad", "merged"), (
        f"instance 1 holds 9 of 10 pixels of object 1 and 7 of 8 of object 2: 'merged', not "
        f"{given[1]!r}"
    )
    verdict = answer({"a": NOTHING})[1]
    assert verdict == "missed", f"no instance at all: every object is 'missed', not {verdict!r}"
    verdict = answer({"a": MISSED})[1]
    assert verdict == "missed", (
        f"object 1 has 8 of its 10 pixels in the background: 'missed', not {verdict!r}. Ask "
        "'missed' before 'merged', and do not count the background's column as an instance"
    )
    verdict = answer({"a": SPLIT})[1]
    assert verdict == "split", (
        f"object 1 has 10 pixels, 4 and 4 in two instances, 2 in none: 'split', not {verdict!r}. "
        "A share is of all pixels of the object, those in the background too"
    )
    verdict = answer({"a": ROUGH})[1]
    assert verdict == "found", (
        f"8 of 10 pixels of object 1 are in one instance of its own: 'found', not {verdict!r}. "
        "The 20 background pixels in it spoil its outline, but shares are of the object, not of "
        "the instance"
    )
    assert answer({"few": ROUGH, "many": SPLIT, "good": GOOD})[0] == "few", (
        "IoU divides by the union, so the 20 background pixels inside an instance count: mean best "
        "IoU is 0.58 for the first video and 0.65 for the second"
    )
