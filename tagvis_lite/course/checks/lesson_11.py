"""Lesson 11: torchvision's R(2+1)D with every frame kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models.video import r2plus1d_18


def check_keep_time(answer: Callable[[nn.Module], object]) -> None:
    """Follow a clip through the changed network, by shapes alone."""
    with torch.device("meta"):
        network = r2plus1d_18(weights=None).eval()
        frames = torch.empty(1, 3, 32, 64, 64)
    before = {name: value.shape for name, value in network.state_dict().items()}
    returned = answer(network)
    if isinstance(returned, nn.Module):
        network = returned
    after = {name: value.shape for name, value in network.state_dict().items()}
    assert after == before, (
        "the names or shapes of the weights changed, so the trained ones no longer load: set the "
        "stride of the convolutions that are there, put no new ones in their place"
    )
    positions = tuple(_layer3(network, frames).shape[2:])
    assert positions[1:] == (8, 8), (
        f"64 x 64 frames should still give 8 x 8 maps, not {positions[1]} x {positions[2]}: "
        "only the first of the three strides is time"
    )
    assert positions[0] != 8, "32 frames still come out as 8: no temporal stride has changed"
    assert positions[0] != 16, (
        "32 frames come out as 16: layer2 and layer3 both halve time, and you changed one of them"
    )
    assert positions[0] == 32, f"32 frames should come out as 32, not {positions[0]}"


def _layer3(network: nn.Module, frames: Tensor) -> Tensor:
    features = frames
    for name in ("stem", "layer1", "layer2", "layer3"):
        try:
            features = network.get_submodule(name)(features)
        except RuntimeError as error:
            raise AssertionError(
                f"a block of {name} adds two tensors of different shape ({error}): a block and its "
                "shortcut, `downsample`, need the same strides"
            ) from error
    return features
