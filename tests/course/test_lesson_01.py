"""Lesson 01: its check tells the likely mistakes of relabelling apart."""

from collections.abc import Mapping

import numpy as np
import pytest

from tagvis_lite.course.checks.lesson_01 import ToSemantic, check_to_semantic

Categories = Mapping[int, int]


def right(ids: np.ndarray, categories: Categories) -> np.ndarray:
    table = np.zeros(256, dtype=np.uint8)
    table[255] = 255
    for n, category in categories.items():
        table[n] = category
    return table[ids]


def in_place(ids: np.ndarray, categories: Categories) -> np.ndarray:
    for n, category in categories.items():
        ids[ids == n] = category
    return ids


def one_after_the_other(ids: np.ndarray, categories: Categories) -> np.ndarray:
    return in_place(ids.copy(), categories)


def loses_void(ids: np.ndarray, categories: Categories) -> np.ndarray:
    return np.where(ids == 255, 0, right(ids, categories))


def loses_background(ids: np.ndarray, categories: Categories) -> np.ndarray:
    return np.where(ids == 0, 1, right(ids, categories))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (in_place, "work on a copy"),
        (one_after_the_other, "overwrites what was replaced"),
        (loses_void, "void"),
        (loses_background, "background"),
        (lambda ids, categories: ids.copy(), "still instances"),
        (lambda ids, categories: right(ids, categories)[0], "one class per pixel"),
    ],
)
def test_likely_mistakes_are_named(answer: ToSemantic, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_to_semantic(answer)


def test_the_right_classes_pass() -> None:
    check_to_semantic(right)
