"""Lesson 00: what extra objects cost, the J&F of a mirror image, and a result made blindly."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from tagvis_lite.config import TOY, Config
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.video import Prediction, Video

Answer = Callable[[Network, Config, Video], float]


def check_mirrored_score(answer: Answer) -> None:
    """Try the answer with a network that is blind on the right: it matters who moves."""
    video = _video()
    given = answer(_left_eye, TOY, video)
    assert isinstance(given, float | np.floating), (
        f"return one number, such as .jf_mean; got {type(given).__name__}"
    )
    score, expected = float(given), _score()
    mistakes = {
        "the ids are as before and only the frames are mirrored: mirror both": _score(ids=()),
        "the frames are as before and only the ids are mirrored: mirror both": _score(frames=()),
        "this is the score of the video itself: hand the mirrored one to predict_video": _score(
            frames=(), ids=()
        ),
        "top and bottom are exchanged: width is axis 2, axis 1 is height": _score((1,), (1,)),
        "the video plays backwards: width is axis 2, axis 0 is time": _score((0,), (0,)),
    }
    for message, wrong in mistakes.items():
        assert abs(score - wrong) > 1e-6, message
    assert abs(score - expected) < 1e-6, (
        f"on the test video of this check {expected:.3f} was expected, not {score:.3f}"
    )


def check_extra(answer: Callable[[], float]) -> None:
    """Nothing."""
    given = answer()
    assert given is not None, "return a number"
    assert abs(given - 2 / 3) > 0.02, (
        "J&F is a mean over the *true* objects, and there are two: others do not count"
    )
    assert given == 1, f"both true objects are still found exactly; you say {given}"


def check_free_objects(answer: Callable[[int, int, int], np.ndarray]) -> None:
    """Label maps from the size alone that score above 0 on three videos."""
    for seed in range(3):
        truth = _spots(seed)
        size = truth.shape
        result = np.asarray(answer(*size))
        assert result.shape == size, f"label maps of {size}, not {result.shape}"
        found = np.setdiff1d(result, [0, 255])
        assert len(found), "there is no object in it: 0 is background and 255 void"
        assert len(found) <= 20, f"{len(found)} objects: the protocol takes 20"
        score = evaluate_davis([("spots", truth, result.astype(np.uint8))]).jf_mean
        assert score > 0, "one object scores 0 on a video of this check: put some piece everywhere"


def _spots(seed: int) -> np.ndarray:
    """Two squares at random places."""
    draws = np.random.default_rng(seed)
    ids = np.zeros((3, 48, 64), dtype=np.uint8)
    for n in (1, 2):
        y, x = int(draws.integers(0, 36)), int(draws.integers(32 * (n - 1), 20 + 32 * (n - 1)))
        ids[:, y : y + 12, x : x + 12] = n
    return ids


def _left_eye(frames: Tensor) -> Prediction:
    """A network for which brightness is the tag, and which is blind on the right and at the end."""
    brightness = frames.mean(dim=1)
    width, num_frames = frames.shape[-1], frames.shape[2]
    bright = brightness > 0
    bright[..., 5 * width // 8 :] = False
    bright[:, 3 * num_frames // 4 :, : width // 3] = False
    bright[..., : frames.shape[-2] // 4, : width // 4] = False
    logits = torch.stack([~bright, bright], dim=1).float() * 20
    return Prediction(tags=2 * brightness, semantic_logits=logits)


def _video() -> Video:
    """A dark video with two bright bars, which look different after each kind of flip."""
    frames = np.zeros((8, 64, 64, 3), dtype=np.uint8)
    ids = np.zeros((8, 64, 64), dtype=np.uint8)
    for t in range(8):
        for n, (top, left) in enumerate([(4, 2 + t), (30, 28 + t)], start=1):
            place = (t, slice(top, top + 20), slice(left, left + 24))
            frames[place], ids[place] = 110 + 70 * n, n
    return Video("bars", frames, ids, {1: 1, 2: 1})


@cache
def _score(frames: tuple[int, ...] = (2,), ids: tuple[int, ...] = (2,)) -> float:
    """J&F with frames and ids flipped along some axes."""
    video = _video()
    seen = np.flip(video.read_frames(range(len(video))), frames)
    true = np.flip(video.read_ids(range(len(video))), ids)
    tracks = predict_video(_left_eye, Video("bars", seen), TOY)
    return evaluate_davis([("bars", true, tracks.ids)]).jf_mean
