"""Lesson 03: its check tells the likely mistakes apart."""

from collections.abc import Callable

import pytest
from torch import Tensor

from tagvis_lite.course.checks.lesson_03 import check_spectra_gradient


def right(tags: Tensor) -> Tensor:
    return 2 * (tags - tags.mean())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda tags: -right(tags), "sign is turned around"),
        (lambda tags: right(tags) / 2, "a factor 2"),
        (lambda tags: right(tags) / len(tags), "gradient of the mean"),
        (lambda tags: right(tags) - 2 / 3, "Does your h_n move"),
        (lambda tags: right(tags).sum(), "one derivative per pixel"),
        (lambda tags: right(tags).tolist(), "return a tensor"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_spectra_gradient(answer)


def test_the_right_gradient_passes() -> None:
    check_spectra_gradient(right)
