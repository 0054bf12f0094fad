"""Trust: its three signs on made-up clips, its fit against scikit-free oracles, and its way out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from tagvis_lite.config import TOY
from tagvis_lite.inference import predict_video
from tagvis_lite.instances import cluster_instances, prepare
from tagvis_lite.instances.trust import evidence, fit_trust, is_right, trust
from tagvis_lite.video import Prediction, Video
from tagvis_lite.views.overlay import overlay

INFERENCE = replace(TOY.inference, min_area=0.0, bandwidth=1.0, prominence=0.05)
WEIGHTS = (-4.0, 1.0, 2.0, 3.0)


def clip(left: float, right: float, between: float | None = None) -> Prediction:
    """Two instances of 2 x 4 x 6 pixels: the left columns are surely foreground, the right less."""
    tags = torch.zeros(2, 4, 6)
    tags[..., :3], tags[..., 3:] = left, right
    tags += torch.linspace(-0.2, 0.2, 8).reshape(2, 4, 1)
    if between is not None:  # some pixels of the right in the valley
        tags[..., 5] = between
    logits = torch.zeros(2, 2, 4, 6)
    logits[1, ..., :3], logits[1, ..., 3:] = 9.0, 0.5
    return Prediction(tags, logits)


def signs_of(prediction: Prediction, mirror_ids: np.ndarray | None = None) -> dict[int, np.ndarray]:
    prepared = prepare(prediction)
    found = cluster_instances(prepared, INFERENCE)
    mirror = found.ids if mirror_ids is None else mirror_ids
    return evidence(prepared, found, mirror, INFERENCE.bandwidth)


def test_a_gap_between_tags_is_a_deep_valley_and_a_bridge_a_shallow_one() -> None:
    apart, bridged = signs_of(clip(0, 5)), signs_of(clip(0, 5, between=2.5))
    assert all(signs[0] > 0.99 for signs in apart.values())
    assert all(bridged[n][0] < apart[n][0] for n in bridged if n in apart)


def test_an_instance_alone_has_no_valley() -> None:
    ((depth, _, _),) = signs_of(clip(0, 0)).values()
    assert depth == 1


def test_vectors_of_one_number_and_a_constant_have_the_depths_of_numbers() -> None:
    one = clip(0, 2)
    two = replace(one, tags=torch.stack([one.tags, torch.full_like(one.tags, 7.0)], dim=-1))
    prepared, found = prepare(one), cluster_instances(one, INFERENCE)
    as_vectors = replace(found, modes={n: np.array([m, 7.0]) for n, m in found.modes.items()})
    expected = evidence(prepared, found, found.ids, 1.0)
    got = evidence(prepare(two), as_vectors, found.ids, 1.0)
    for n, signs in expected.items():
        np.testing.assert_allclose(got[n], signs)


def test_probability_is_the_mean_over_the_mask() -> None:
    probabilities = sorted(float(signs[1]) for signs in signs_of(clip(0, 5)).values())
    assert probabilities == pytest.approx([expit(0.5), expit(9.0)])


def test_stability_is_the_best_overlap_in_the_mirror() -> None:
    ids = np.zeros((2, 4, 6), dtype=np.uint8)
    ids[..., :2] = 5  # two of the three columns of the left
    stability = sorted(float(signs[2]) for signs in signs_of(clip(0, 5), ids).values())
    assert stability == pytest.approx([0, 2 / 3])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.integers(0, 2), st.floats(0, 0.5))
def test_trust_rises_with_every_sign(signs: list[float], which: int, more: float) -> None:
    better = list(signs)
    better[which] += more
    assert trust(np.array(better), WEIGHTS) >= trust(np.array(signs), WEIGHTS)
    assert logit(trust(np.array(signs), WEIGHTS)) == pytest.approx(-4 + np.dot(WEIGHTS[1:], signs))


def test_the_fit_finds_the_weights_that_made_the_answers() -> None:
    draws = np.random.default_rng(0)
    signs = draws.random((20000, 3))
    right = draws.random(20000) < expit(-4 + signs @ WEIGHTS[1:])
    np.testing.assert_allclose(fit_trust(signs, right), WEIGHTS, atol=0.25)


def test_right_is_half_of_an_object_over_the_clip() -> None:
    truth = np.zeros((2, 1, 12), dtype=np.uint8)
    truth[..., :6] = 1
    ids = np.zeros_like(truth)
    ids[..., :3], ids[..., 3:5], ids[..., 7:] = 1, 2, 3  # 3/6, 2/6, 0
    assert is_right(ids, truth) == {1: True, 2: False, 3: False}
    assert is_right(ids, np.zeros_like(truth)) == dict.fromkeys((1, 2, 3), False)


@pytest.mark.parametrize("long_videos", ["spread", "windows"])
def test_a_network_that_a_mirror_does_not_change_is_stable(long_videos: str) -> None:
    """Brightness as tag: what is found in the mirror is what is found."""

    def brightness(frames: torch.Tensor) -> Prediction:
        light = frames[:, 0, :, ::2, ::2]
        logits = torch.stack([torch.zeros_like(light), 4 * light], dim=1)
        return Prediction(3 * light, logits)

    pictures = np.zeros((12, 64, 64, 3), dtype=np.uint8)
    pictures[:, 10:30, 5:25], pictures[:, 35:60, 30:60] = 200, 255
    video = Video("v", pictures)
    chosen = replace(TOY.inference, long_videos=long_videos)
    config = replace(TOY, inference=replace(chosen, trust=WEIGHTS))
    plain = predict_video(brightness, video, replace(TOY, inference=chosen))
    tracks = predict_video(brightness, video, config)
    assert plain.trust == {}
    np.testing.assert_array_equal(tracks.ids, plain.ids)
    assert (tracks.scores, set(tracks.trust)) == (plain.scores, {1, 2})
    assert all(value > 0.8 for value in tracks.trust.values())  # -4 + 1 + 2 + 3 is 0.88


def test_doubtful_instances_are_hatched() -> None:
    frame, ids = np.zeros((60, 60, 3), np.uint8), np.zeros((60, 60), np.uint8)
    ids[5:25, 5:55], ids[30:55, 5:55] = 1, 2
    plain, hatched = overlay(frame, ids), overlay(frame, ids, doubtful=[2])
    np.testing.assert_array_equal(hatched[ids != 2], plain[ids != 2])
    inside = hatched[35:50, 10:50].any(-1)
    assert 0.25 < inside.mean() < 0.45
    np.testing.assert_array_equal(hatched[30, 5:55], plain[30, 5:55])  # the outline stays
