"""Every reading of the paper that a config can name trains, and is another network or another clip.

What each computes is tested beside its module; docs/decisions.md says what speaks for it.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_network import TINY

from tagvis_lite.clips import make_clip, sample_indices
from tagvis_lite.config import Config, DataConfig, LossConfig, ModelConfig
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.inference import predict_video
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network
from tagvis_lite.training import train
from tagvis_lite.video import Video

AS_PRINTED = {
    "reduction": "sum",
    "pixels_per_instance": 64,
    "spectra": 1.0,
    "specter": 1.0,
    "tempra": 1.0,
    "temper": 1.0,
    "cross_entropy": 1.0,
}
READINGS: dict[str, dict[str, dict[str, Any]]] = {
    "D2 dilated": {"model": {"temporal_dilation": True}},
    "D4 attention alone in time": {"model": {"temporal_convolutions": False}},
    "D4 literal": {"model": {"spatio_temporal_attention": "literal"}},
    "D4 maximum": {"model": {"spatio_temporal_attention": "max_pooled"}},
    "D4 non-local": {"model": {"spatio_temporal_attention": "non_local"}},
    "D4 non-local tags": {"model": {"tag_attention": "non_local"}},
    "D4 non-local frames": {
        "model": {"spatio_temporal_attention": "non_local", "tag_attention": "pooled"}
    },
    "D4 maximum of tags": {"model": {"tag_attention": "max_pooled"}},
    "D4 literal of tags": {"model": {"tag_attention": "literal"}},
    "D5 no residual": {"model": {"attention_residual": False}},
    "D8 sigmoid": {"model": {"tag_range": "sigmoid"}},
    "D9 frame": {"loss": {"h_n": "frame"}},
    "D10 as printed": {"loss": AS_PRINTED},
    "D10 as printed, sigmoid": {"loss": AS_PRINTED, "model": {"tag_range": "sigmoid"}},
    "D13 background": {"loss": {"background_as_instance": True}},
    "D16 probability": {"inference": {"score": "probability"}},
    "D18 nearest": {"inference": {"interpolation": "nearest"}},
    "D18 windows": {"inference": {"long_videos": "windows"}},
    "D18 one run": {"data": {"drops": "one_run"}},
    "D18 every gap": {"data": {"drops": "every_gap"}},
    "D18 fixed stride": {"data": {"drops": "fixed_stride"}},
    "D21 sigmoid": {"model": {"class_activation": "sigmoid"}},
    "D22 embedding": {"model": {"tag_branch": "embedding"}},
    "D23 two numbers": {"model": {"tag_channels": 2}},
    "D23 four numbers": {"model": {"tag_channels": 4}},
    "D24 attention": {"model": {"multiplication": "attention"}},
    "D24 decoder": {"model": {"multiplication": "decoder"}},
    "D24 tags": {"model": {"multiplication": "tags"}},
    "D24 tags, D21 sigmoid, D23": {
        "model": {"multiplication": "tags", "class_activation": "sigmoid", "tag_channels": 2}
    },
    "D25 undistorted": {"data": {"crop_shape": "input"}},
    "D26 34 layers": {"model": {"blocks": (3, 4, 6)}},
}
DECIDED_ELSEWHERE = {"feature_branch", "tag_branch", "spatio_temporal_attention"}
"""Whose other values are rows of Table III, which are trained in their own test."""


def config_of(reading: str) -> Config:
    sections = {
        section: replace(getattr(TINY, section), **values)
        for section, values in READINGS[reading].items()
    }
    return replace(TINY, train=replace(TINY.train, steps=2, batch_size=2), **sections)


@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_trains_and_predicts(reading: str, tmp_path: Path) -> None:
    config = config_of(reading)
    toy = ToyConfig(size=(32, 32), num_frames=9)
    videos = toy_split("train", 2, toy)[:]
    result = train(config, videos, toy_split("validation", 1, toy)[:], tmp_path)
    after, kept = load_network(result.weights)
    assert kept == config
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["overall"]) for row in rows if "overall" in row)
    torch.manual_seed(config.train.seed)  # as the run began
    fresh = TagVIS(config.model)
    for name, module in after.named_modules():
        if isinstance(module, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            change = (module.weight - fresh.get_submodule(name).weight).abs().max()
            assert 0 < change < 10 * config.train.learning_rate, name
    assert predict_video(after, videos[0], config).ids.shape == (9, 32, 32)


def test_every_choice_of_the_model_loss_and_data_is_trained() -> None:
    """A new choice of a field comes with a reading here."""
    named = [
        (section, field, value)
        for reading in READINGS.values()
        for section, values in reading.items()
        for field, value in values.items()
    ]
    for section, kind in (("model", ModelConfig), ("loss", LossConfig), ("data", DataConfig)):
        for field, hint in kind.__annotations__.items():
            assert field in {f.name for f in fields(kind)}
            if "Literal[" not in str(hint) or field in DECIDED_ELSEWHERE:
                continue
            choices = eval(hint, vars(__import__("tagvis_lite.config", fromlist=["Literal"])))
            assert get_origin(choices) is not None
            trained = {value for s, f, value in named if (s, f) == (section, field)}
            assert trained | {getattr(getattr(TINY, section), field)} == set(get_args(choices))


# What a clip is.


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["runs", "one_run", "every_gap", "fixed_stride"]),
    st.integers(1, 120),
    st.integers(1, 32),
    st.integers(0, 6),
    st.integers(0, 10**6),
)
def test_drops_are_where_their_name_says(
    drops: Any, num_frames: int, clip_frames: int, max_drop: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    indices = sample_indices(num_frames, clip_frames, max_drop, generator, drops)
    assert len(indices) == clip_frames
    assert indices.min() >= 0
    assert indices.max() < num_frames
    if num_frames < clip_frames or clip_frames == 1:
        return
    dropped = np.diff(indices) - 1
    spare = num_frames - clip_frames
    assert dropped.min() >= 0
    assert dropped.max(initial=0) <= max_drop
    if drops == "one_run":
        assert np.count_nonzero(dropped) == min(1, max_drop, spare)
    if drops == "fixed_stride":
        assert len(set(dropped.tolist())) == 1
        assert (dropped[0] > 0) == (max_drop > 0 and spare >= clip_frames - 1)
    if drops == "every_gap" and max_drop > 0:
        assert (dropped > 0).all() or dropped.sum() == spare
        if spare >= max_drop * (clip_frames - 1):
            assert (dropped > 0).all()


def test_a_crop_of_the_inputs_shape_keeps_proportions() -> None:
    """A disc in a wide frame stays a disc; in a crop of the frame's shape it is squeezed."""
    y, x = np.mgrid[:90, :160]
    disc = ((y - 45) ** 2 + (x - 80) ** 2 < 14**2).astype(np.uint8)
    video = Video("disc", np.zeros((1, 90, 160, 3), np.uint8), ids=disc[None], categories={1: 1})
    shares = {}
    for shape in ("frame", "input"):
        data = DataConfig(size=(64, 64), min_crop=0.9, crop_shape=shape)
        sizes = []
        for seed in range(40):
            generator = torch.Generator().manual_seed(seed)
            clip = make_clip(video, [0], data, 2, augment=True, generator=generator)
            seen = np.argwhere(clip.ids[0].numpy() == 1)
            if len(seen) and seen.min() > 0 and seen.max() < 63:
                sizes.append(np.ptp(seen[:, 1]) / np.ptp(seen[:, 0]))
        assert len(sizes) > 5
        shares[shape] = np.mean(sizes)
    assert shares["input"] == pytest.approx(1, abs=0.06)
    assert shares["frame"] == pytest.approx(90 / 160, abs=0.06)


# What the network computes.


def test_tag_attention_may_differ_from_spatio_temporal_attention() -> None:
    network = TagVIS(config_of("D4 non-local tags").model)
    assert network.spatio_temporal_attention.form == "pooled"
    assert network.tag_attention.attention.form == "non_local"
    other = TagVIS(config_of("D4 non-local frames").model)
    assert other.spatio_temporal_attention.form == "non_local"
    assert other.tag_attention.attention.form == "pooled"


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_multiplied_tags_are_the_tags_times_the_foreground(activation: str) -> None:
    model = replace(TINY.model, tag_channels=2, class_activation=activation)
    torch.manual_seed(0)
    plain = TagVIS(model).eval()
    gated = TagVIS(replace(model, multiplication="tags")).eval()
    gated.load_state_dict(plain.state_dict())
    frames = torch.randn(1, 3, 2, 32, 32)
    with torch.no_grad():
        before, after = plain(frames), gated(frames)
    torch.testing.assert_close(after.semantic_logits, before.semantic_logits)
    logits = before.semantic_logits
    background = logits.exp()[:, 0] / logits.exp().sum(1)
    if activation == "sigmoid":
        background = 1 / (1 + (-logits[:, 0]).exp())
    torch.testing.assert_close(after.tags, before.tags * (1 - background)[..., None])


def test_a_decoder_of_products_sees_neither_factor_alone() -> None:
    torch.manual_seed(0)
    network = TagVIS(config_of("D24 decoder").model).eval()
    frames = torch.randn(1, 3, 2, 32, 32)
    outputs = []
    for silenced in ("self_attention", "tag_attention"):
        module = getattr(network, silenced)
        handle = module.register_forward_hook(lambda _m, _i, output: 0 * output)
        with torch.no_grad():
            outputs.append(network(frames).semantic_logits)
        handle.remove()
    torch.testing.assert_close(outputs[0], outputs[1])
    with pytest.raises(ValueError, match=r"keep model\.feature_branch"):
        replace(TINY.model, multiplication="decoder", tag_branch="removed")
