"""What is left of an error when one part of a prediction is made true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from tagvis_lite.config import TOY
from tagvis_lite.study.oracles import (
    PartScores,
    best_order,
    nearest_true_mean,
    places,
    score_parts,
    tracked_components,
    true_instances,
)
from tagvis_lite.video import VOID, Prediction, Video

SIZE = 48
CONFIG = replace(TOY, data=replace(TOY.data, clip_frames=4, size=(SIZE, SIZE)))


def moving_squares() -> np.ndarray:
    """Four frames of three squares on their way to the right; 1 and 2 touch."""
    ids = np.zeros((4, SIZE, SIZE), dtype=np.uint8)
    for t in range(4):
        for n, (y, x) in enumerate([(4, 4), (4, 14), (30, 8)], start=1):
            ids[t, y : y + 10, x + 3 * t : x + 3 * t + 10] = n
    return ids


def parts_of(ids: np.ndarray, tags: np.ndarray, foreground: np.ndarray | None) -> PartScores:
    """Scores of a network that says this of a video with these label maps."""
    video = Video("squares", np.zeros((*ids.shape, 3), dtype=np.uint8), ids=ids)
    logits = None
    if foreground is not None:
        sure = torch.from_numpy(np.where(foreground, 9.0, -9.0).astype(np.float32))
        logits = torch.stack([-sure, sure])[None]
    prediction = Prediction(torch.from_numpy(tags.astype(np.float32))[None], logits)
    return score_parts(lambda _: prediction, [video], CONFIG)


@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_perfect_prediction_loses_nothing(channels: tuple[int, ...]) -> None:
    ids = moving_squares()
    tags = np.broadcast_to(
        3.0 * ids.reshape(*ids.shape, *[1] * len(channels)), ids.shape + channels
    )
    parts = parts_of(ids, tags, ids > 0)
    trivial = {"one instance", "tracked components"}
    for row, score in parts.jf.items():
        if not row.startswith("position"):
            assert (score == 1) == (row not in trivial), row
    assert (parts.count_error, parts.foreground_iou) == (0, 1)
    assert (parts.by_video, parts.table["J&F-Mean"], parts.table["F-Recall"]) == ((1,), 1, 1)


def test_a_wide_outline_is_lost_by_the_foreground_alone() -> None:
    ids = moving_squares()
    wide = np.stack([binary_dilation(frame > 0, iterations=2) for frame in ids])
    parts = parts_of(ids, 3.0 * true_instances(wide, ids), wide)
    assert parts.jf["true foreground"] == 1
    assert parts.jf["as it is"] == parts.jf["true instances"] == parts.jf["nearest true clip mean"]
    assert 0.2 < parts.jf["as it is"] < 0.8
    assert parts.foreground_iou == pytest.approx((ids > 0).sum() / wide.sum())


def test_equal_tags_are_lost_by_the_tags_alone() -> None:
    ids = moving_squares()
    parts = parts_of(ids, np.zeros(ids.shape), ids > 0)
    assert parts.jf["true instances"] == 1
    assert parts.jf["as it is"] == parts.jf["true foreground"] == parts.jf["one instance"] < 0.5
    assert parts.count_error == 2


def test_tags_that_drift_together_are_named_by_frame_means() -> None:
    """Each object ends where another began, so that no clip mean can tell the two."""
    ids = moving_squares()
    tags = 3.0 * ids + 3.0 * np.arange(4)[:, None, None]
    parts = parts_of(ids, tags, ids > 0)
    assert parts.jf["nearest true frame mean"] == 1
    assert parts.jf["nearest true clip mean"] < 0.9


def test_without_semantics_the_clustering_says_what_is_background() -> None:
    ids = moving_squares()
    parts = parts_of(ids, 3.0 * ids, None)
    assert parts.jf["as it is"] == parts.jf["true instances"] == parts.jf["true foreground"] == 1
    assert parts.foreground_iou == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(), (1,), (3,)]), st.booleans())
def test_nearest_true_mean_is_its_definition(
    seed: int, channels: tuple[int, ...], by_frame: bool
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 9, VOID], (2, 3, 4)).astype(np.uint8)
    tags = rng.normal(0, 1, (*truth.shape, *channels))
    foreground = rng.random(truth.shape) < 0.7
    found = nearest_true_mean(tags, foreground, truth, by_frame)
    for place in np.ndindex(truth.shape):
        here = slice(place[0], place[0] + 1) if by_frame else slice(None)
        means = {
            n: tags[here][truth[here] == n].mean(0) for n in (1, 2, 9) if (truth[here] == n).any()
        }
        distances = {n: np.linalg.norm(np.atleast_1d(tags[place] - m)) for n, m in means.items()}
        if not foreground[place] or not means:
            assert found[place] == 0
        else:
            assert distances[found[place]] == pytest.approx(min(distances.values()))


def test_components_are_followed_through_a_meeting_and_a_birth() -> None:
    mask = np.zeros((3, 8, 20), dtype=bool)
    mask[0, 2:5, 1:5], mask[0, 2:5, 12:16] = True, True
    mask[1, 2:5, 4:8], mask[1, 2:5, 11:15], mask[1, 7, 0] = True, True, True  # a third appears
    mask[2, 2:5, 6:14], mask[2, 7, 0:2] = True, True  # the two first are one
    ids = tracked_components(mask)
    first, second = ids[0, 3, 2], ids[0, 3, 13]
    assert {first, second} == {1, 2}
    assert (ids[1, 3, 5], ids[1, 3, 12], ids[1, 7, 0]) == (first, second, 3)
    assert set(np.unique(ids[2, 2:5])) - {0} <= {first, second}
    assert ids[2, 7, 1] == 3
    assert ((ids > 0) == mask).all()


def test_components_beyond_twenty_are_left_out() -> None:
    mask = np.zeros((2, 2, 60), dtype=bool)
    mask[:, 0, ::2] = True
    ids = tracked_components(mask)
    assert [len(np.unique(frame)) - 1 for frame in ids] == [20, 20]
    np.testing.assert_array_equal(ids[0], ids[1])


def test_places_and_order_of_tags_that_are_projections() -> None:
    rng = np.random.default_rng(0)
    centroids = [rng.uniform(0, 1, (n, 2)) for n in (12, 1, 20, 9)]
    direction = np.radians(60)
    along = [c @ [[np.cos(direction)], [np.sin(direction)]] + rng.normal() for c in centroids]
    clips = list(zip(along, centroids, strict=True))
    assert places(clips) == pytest.approx(1)
    assert best_order(clips) == (1.0, pytest.approx(60, abs=6))
    noise = [(rng.normal(0, 1, a.shape), c) for a, c in clips]
    assert places(noise) < 0.6
    share, _ = best_order(noise)
    assert share is not None
    assert share < 1
    assert best_order([(np.hstack([a, a]), c) for a, c in clips]) == (None, None)
