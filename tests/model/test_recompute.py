"""Activation checkpointing changes what is kept, and nothing else."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_network import TINY

from tagvis_lite.config import ModelConfig
from tagvis_lite.model.network import TagVIS


def step(model: ModelConfig, recompute: bool) -> tuple[dict[str, Tensor], int]:
    """Outputs, gradients and state after one backward pass, and the bytes that were kept for it."""
    torch.manual_seed(0)
    network = TagVIS(model).train()
    network.recompute_activations(recompute)
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        prediction = network(torch.randn(2, 3, 4, 32, 32))
    loss = prediction.tags.square().mean()
    if prediction.semantic_logits is not None:
        loss = loss + prediction.semantic_logits.square().mean()
    loss.backward()
    results = {"tags": prediction.tags.detach(), **network.state_dict()}
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            results[f"gradient of {name}"] = parameter.grad
    return results, kept


@pytest.mark.parametrize(
    "model",
    [
        TINY.model,
        replace(TINY.model, tag_branch="removed", feature_branch="removed"),
        replace(TINY.model, spatio_temporal_attention="removed", tag_branch="embedding"),
    ],
)
def test_outputs_gradients_and_statistics_are_the_same(model: ModelConfig) -> None:
    plain, kept = step(model, recompute=False)
    again, kept_then = step(model, recompute=True)
    torch.testing.assert_close(again, plain, rtol=1e-6, atol=1e-7)
    assert int(again["encoder.stem.1.num_batches_tracked"]) == 1
    assert kept_then < 0.2 * kept


def test_inference_is_not_touched() -> None:
    network = TagVIS(TINY.model).eval()
    frames = torch.randn(1, 3, 4, 32, 32)
    with torch.inference_mode():
        plain = network(frames).tags
        network.recompute_activations(True)
        torch.testing.assert_close(network(frames).tags, plain, rtol=0, atol=0)
