"""Lesson 00: its checks tell the likely mistakes apart."""

from collections.abc import Callable

import numpy as np
import pytest

from tagvis_lite.config import Config
from tagvis_lite.course.checks.lesson_00 import (
    check_extra,
    check_free_objects,
    check_mirrored_score,
)
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.video import Video

Axes = tuple[int, ...]


def flipped(frames: Axes, ids: Axes) -> Callable[[Network, Config, Video], float]:
    """An answer that flips along these axes."""

    def answer(network: Network, config: Config, video: Video) -> float:
        every = range(len(video))
        seen = Video(video.name, np.flip(video.read_frames(every), frames))
        true = np.flip(video.read_ids(every), ids)
        found = predict_video(network, seen, config).ids
        return evaluate_davis([(video.name, true, found)]).jf_mean

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (flipped((2,), ()), "only the frames are mirrored"),
        (flipped((), (2,)), "only the ids are mirrored"),
        (flipped((), ()), "the score of the video itself"),
        (flipped((1,), (1,)), "axis 1 is height"),
        (flipped((0,), (0,)), "axis 0 is time"),
        (flipped((1, 2), (1, 2)), "was expected, not"),
        (lambda *_: "0.5", "return one number"),
    ],
)
def test_likely_mistakes_are_named(
    answer: Callable[[Network, Config, Video], float], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_mirrored_score(answer)


def test_the_right_score_passes() -> None:
    check_mirrored_score(flipped((2,), (2,)))


@pytest.mark.parametrize(("score", "message"), [(0.667, "two"), (0.5, "still found"), (0, "still")])
def test_extra_objects_are_free(score: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_extra(lambda: score)
    check_extra(lambda: 1.0)


def grid(rows: int, columns: int) -> Callable[[int, int, int], np.ndarray]:
    def answer(frames: int, height: int, width: int) -> np.ndarray:
        y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
        return np.tile((1 + columns * y[:, None] + x).astype(np.uint8), (frames, 1, 1))

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (grid(6, 6), "takes 20"),
        (lambda t, h, w: np.zeros((t, h, w), np.uint8), "no object in it"),
        (lambda t, h, w: grid(4, 4)(t, h, w)[0], "label maps of"),
        (
            lambda t, h, w: np.where(np.arange(w) < 1, 1, np.zeros((t, h, w), np.uint8)),
            "everywhere",
        ),
    ],
)
def test_blind_results_that_score_nothing_are_explained(
    answer: Callable[[int, int, int], np.ndarray], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_free_objects(answer)


def test_a_grid_scores() -> None:
    check_free_objects(grid(4, 4))
