"""Lesson 16: its check tells the likely mistakes apart."""

from typing import Any

import pytest

from tagvis_lite.course.checks.lesson_16 import (
    Ladder,
    check_heights,
    check_most_weights,
    check_shape_ladder,
)


def ladder(
    *,
    stride: int = 16,
    tag_scale: int = 8,
    located: int = 258,
    compress: int = 2,
    features: int = 256,
    classes: int = 41,
    time_stride: int = 1,
) -> Any:
    def answer(num_frames: int, height: int, width: int) -> dict[str, tuple[int, ...]]:
        t, h, w = num_frames // time_stride, height // stride, width // stride
        return {
            "f with coordinates": (t, h, w, located),
            "compressed": (t, h // compress, w // compress, 512),
            "q": (t, h, w, features),
            "p": (t, tag_scale * h, tag_scale * w, 1),
            "w": (t, h, w, features),
            "O": (t, tag_scale * h, tag_scale * w, classes),
        }

    return answer


def rearranged(*order: int) -> Ladder:
    return lambda *x: {k: tuple(size[i] for i in order) for k, size in ladder()(*x).items()}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ladder(stride=8), "f with coordinates: twice too large"),
        (ladder(stride=32), "a trace gives 10 x 20"),
        (ladder(time_stride=4), "4 frames of 16"),
        (ladder(located=256), "two channels are missing"),
        (ladder(features=258), "end in the bottleneck"),
        (ladder(features=512), "q: 512 channels"),
        (ladder(compress=1), "compressed: twice too large"),
        (ladder(tag_scale=16), "p: twice too large"),
        (ladder(classes=40), "background is a class"),
        (rearranged(0, 2, 1, 3), "changed places"),
        (rearranged(3, 1, 2, 0), "channels come last"),
        (rearranged(1, 2, 3), "four numbers"),
        (lambda *x: {"q": ladder()(*x)["q"]}, "is missing"),
        (lambda *x: list(ladder()(*x).values()), "return a dictionary"),
    ],
)
def test_likely_mistakes_are_named(answer: Ladder, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_shape_ladder(answer)


def test_the_right_ladder_passes() -> None:
    check_shape_ladder(ladder())


@pytest.mark.parametrize(
    ("part", "message"),
    [("attention", "cheap"), ("tag_generator", "one channel"), ("decoder", "3-D"), ("I", "one of")],
)
def test_lighter_parts_are_explained(part: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_most_weights(lambda: part)
    check_most_weights(lambda: "encoder")


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        ((310, 155, 160), "no multiple of 16"),
        ((320, 160, 160), "agree"),
        ((240, 120, 128), "not above 300"),
        ((336, 168, 176), "smaller one"),
        ((304, 304, 320), "half as high"),
        ((304, 152, 152), "halves 19 to 10"),
        ((304, 152, 144), "19 becomes 10"),
    ],
)
def test_other_heights_are_explained(heights: tuple[int, int, int], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_heights(lambda: heights)
    check_heights(lambda: (304, 152, 160))
