"""What the page computes itself, it computes as the package does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from tagvis_lite.checkpoint import shipped
from tagvis_lite.clips import make_clip
from tagvis_lite.config import TOY
from tagvis_lite.data.toy import ToyConfig, draw_scene, render_video, toy_split
from tagvis_lite.data.toy_render import render
from tagvis_lite.data.toy_scene import Scene
from tagvis_lite.evaluation.davis_sequence import sequence_scores
from tagvis_lite.inference import predict_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.runs import load_network
from tagvis_lite.video import Prediction

Call = Callable[..., Any]


def plain(scene: Scene) -> dict[str, Any]:
    """A scene of the toy set as the page has it."""

    def lists(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lists(one) for key, one in value.items()}
        return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

    background = {k: lists(v) for k, v in vars(scene).items() if k != "instances"}
    instances = [{"id": i, **lists(asdict(one))} for i, one in scene.instances.items()]
    return {"background": background, "instances": instances}


@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_renderers_agree(call: Call, difficulty: Any, size: tuple[int, int]) -> None:
    """The same colours and labels, but for the odd pixel whose angle lies between two bins."""
    for seed in range(8):
        config = ToyConfig(size=size, difficulty=difficulty)
        scene = draw_scene(np.random.default_rng(seed), config)
        painted, ids = render(scene, np.arange(9), size)
        found = call("toy", "render", plain(scene), 9, size)
        grey = call("toy", "toBytes", found["frames"]).astype(int)
        differs = np.abs(grey - np.clip(255 * painted.ravel() + 0.5, 0, 255).astype(int))
        assert np.count_nonzero(differs > 1) <= 6  # three channels of two pixels
        assert differs.max() <= 8
        assert np.count_nonzero(found["ids"] != ids.ravel()) <= 1


def test_noise_is_that_of_the_toy_set(call: Call) -> None:
    """One normal number of three grey values a pixel, the same in all channels."""
    flat = np.full(3 * 64 * 64, 0.5, np.float32)
    bytes_ = call("toy", "toBytes", flat, 3).reshape(-1, 3).astype(int)
    assert (bytes_ == bytes_[:, :1]).all()
    assert abs(bytes_.mean() - 127.5) < 0.1
    assert abs(bytes_.std() - 3) < 0.2
    assert (call("toy", "toBytes", flat, 3) == call("toy", "toBytes", flat, 3)).all()


def test_scores_agree(call: Call) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        truth = render_video(int(rng.integers(1000)), ToyConfig(size=(24, 40), num_frames=3)).ids
        truth = np.asarray(truth)
        found = np.roll(truth, rng.integers(-3, 4, 2), (1, 2))
        renamed = np.concatenate([[0], 1 + rng.permutation(7)]).astype(np.uint8)
        found = np.where(rng.random(found.shape) < 0.02, rng.integers(4), renamed[found])
        found = found.astype(np.uint8)
        wanted = sequence_scores(truth, found)
        scores = call("davis", "score", truth.ravel(), found.ravel(), *truth.shape)
        assert scores["jf"] == pytest.approx(wanted.jf_mean.mean(), abs=1e-12)
    empty = np.zeros((1, 8, 8), np.uint8)
    assert call("davis", "score", empty.ravel(), empty.ravel(), 1, 8, 8)["proposals"] == [0]


def random_maps(rng: np.random.Generator, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Tags of instances that blend, T x h x w x K, and logits, C x T x h x w."""
    T, h, w = 2, 20, 20
    number = int(rng.integers(1, 7))
    spread = rng.choice([0.05, 0.15, 0.4])
    means = rng.uniform(-4, 4, (number, width)) * rng.choice([0.3, 1, 1])
    y, x = np.mgrid[:h, :w]
    nearest = np.argmin(
        [(y - a) ** 2 + (x - b) ** 2 for a, b in rng.uniform(0, h, (number, 2))], axis=0
    )
    tags = means[nearest] + spread * rng.normal(size=(T, h, w, width))
    blend = np.roll(tags, 1, axis=2)
    tags = np.where(rng.random((h, w, 1)) < 0.1, (tags + blend) / 2, tags)
    logits = rng.normal(0, 2, (3, T, h, w))
    return tags.astype(np.float32), logits.astype(np.float32)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("semantic", [True, False])
def test_instances_agree_to_the_pixel(call: Call, width: int, semantic: bool) -> None:
    rng = np.random.default_rng(width)
    for k in range(250):
        tags, logits = random_maps(rng, width)
        config = replace(
            TOY.inference,
            bandwidth=float(rng.choice([0.2, 0.4, 0.75])),
            prominence=float(rng.choice([0.1, 0.3])),
            min_area=float(rng.choice([0.002, 0.05])),
            max_instances=int(rng.choice([3, 20])),
        )
        own = tags[..., 0] if width == 1 else tags
        given = torch.from_numpy(logits) if semantic else None
        sigmoid = semantic and k % 5 == 0
        wanted = cluster_instances(Prediction(torch.from_numpy(own), given, sigmoid), config)
        settings = asdict(config) | {"class_activation": "sigmoid" if sigmoid else "softmax"}
        found = call(
            "instances",
            "findInstances",
            tags.ravel(),
            logits.ravel() if semantic else None,
            tags.shape[:3],
            settings,
        )
        np.testing.assert_array_equal(found["ids"], wanted.ids.ravel(), err_msg=f"map {k}")
        assert found["categories"] == list(wanted.categories.values())
        np.testing.assert_allclose(found["scores"], list(wanted.scores.values()), atol=1e-5)
        np.testing.assert_allclose(
            np.ravel(found["modes"]), np.ravel(list(wanted.modes.values())), atol=1e-9
        )


@pytest.mark.parametrize("name", ["toy", "toy2"])
def test_instances_agree_on_what_the_networks_say(call: Call, name: str) -> None:
    try:
        network, config = load_network(shipped(f"checkpoints/{name}.safetensors"))
    except FileNotFoundError:
        pytest.skip(f"{name} does not ship")
    for video in toy_split("test", 6):
        clip = make_clip(video, range(8), config.data, config.model.num_classes)
        prediction = predict_clip(network, clip.frames)
        wanted = cluster_instances(prediction, config.inference)
        found = call(
            "instances",
            "findInstances",
            prediction.tags.numpy().ravel(),
            prediction.semantic_logits.numpy().ravel(),
            prediction.tags.shape[:3],
            asdict(config.inference),
        )
        np.testing.assert_array_equal(found["ids"], wanted.ids.ravel(), err_msg=video.name)
