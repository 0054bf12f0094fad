"""The network for inference says what the network says, in fewer passes over memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_network import TINY
from torch import Tensor, nn

from tagvis_lite.checkpoint import shipped
from tagvis_lite.config import PAPER, ModelConfig
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.model.fast import FastTagVIS, fold_batch_norms
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network
from tagvis_lite.training import validate


def seasoned(model: ModelConfig) -> TagVIS:
    """A network whose batch norms have statistics, scales and shifts that matter."""
    torch.manual_seed(0)
    network = TagVIS(model).train()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm3d):
            nn.init.uniform_(norm.weight, 0.5, 2.0)
            nn.init.uniform_(norm.bias, -1.0, 1.0)
    with torch.no_grad():
        for _ in range(3):
            network(frames())
    return network.eval()


def frames() -> Tensor:
    return torch.randn(1, 3, 4, 32, 32)


@pytest.mark.parametrize(
    "model",
    [
        TINY.model,
        replace(TINY.model, blocks=(2, 1, 1), tag_range="sigmoid"),
        replace(TINY.model, tag_branch="removed", feature_branch="removed"),
    ],
)
def test_folding_changes_rounding_only(model: ModelConfig) -> None:
    network = seasoned(model)
    clip = frames()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        expected, got = network(clip), FastTagVIS(network)(clip)
    torch.testing.assert_close(got.tags, expected.tags, rtol=1e-3, atol=1e-4)
    if expected.semantic_logits is not None:
        torch.testing.assert_close(
            got.semantic_logits, expected.semantic_logits, rtol=1e-3, atol=1e-4
        )
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


def test_no_batch_norm_of_the_paper_profile_is_left() -> None:
    network = TagVIS(replace(PAPER.model, pretrained=False)).eval()
    assert any(isinstance(module, nn.BatchNorm3d) for module in network.modules())
    fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in network.modules())


def test_bf16_finds_nearly_the_same_instances() -> None:
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    videos = toy_split("validation", 4, ToyConfig())[:]
    full = validate(network, videos, config).jf_mean
    half = validate(FastTagVIS(network, "bf16"), videos, config).jf_mean
    assert half == pytest.approx(full, abs=0.02)
    assert full > 0.5


def test_predictions_are_float32() -> None:
    prediction = FastTagVIS(seasoned(TINY.model), "bf16")(frames())
    assert prediction.tags.dtype == torch.float32
    assert prediction.semantic_logits is not None
    assert prediction.semantic_logits.dtype == torch.float32
