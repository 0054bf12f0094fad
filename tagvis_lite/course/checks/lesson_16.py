"""Lesson 16: the sizes of the paper's network for another input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from tagvis_lite.config import PROFILES
from tagvis_lite.model.network import TagVIS, location_embedding

Size = tuple[int, ...]
Ladder = Callable[[int, int, int], Mapping[str, Size]]
FRAMES, HEIGHT, WIDTH = 16, 160, 320


def traced_sizes(num_frames: int, height: int, width: int) -> dict[str, Size]:
    """T x h x w x C of each tensor, from a forward pass that has shapes and no content."""
    with torch.device("meta"):
        network = TagVIS(replace(PROFILES["paper"].model, pretrained=False))
        features = network.encoder(torch.zeros(1, 3, num_frames, height, width))
        located = torch.cat([features, location_embedding(features)], dim=1)
        attended = network.spatio_temporal_attention(located)
        compressed = network.bottleneck.compress(attended)
        q = network.bottleneck.expand(compressed)
        p = network.tag_generator(q)
        parts = dict(network.named_children())
        w = parts["tag_attention"](p)
        masks = parts["decoder"](torch.cat([parts["self_attention"](q), w], dim=1))
    tensors = {
        "f with coordinates": located,
        "compressed": compressed,
        "q": q,
        "p": p,
        "w": w,
        "O": masks,
    }
    return {name: (*x.shape[2:], x.shape[1]) for name, x in tensors.items()}


def check_shape_ladder(answer: Ladder) -> None:
    """Compare with the network itself, on 16 frames of 160 x 320."""
    given = answer(FRAMES, HEIGHT, WIDTH)
    assert isinstance(given, Mapping), f"return a dictionary of sizes; got {type(given)}"
    for name, (frames, h, w, channels) in traced_sizes(FRAMES, HEIGHT, WIDTH).items():
        assert name in given, f"the size of {name!r} is missing"
        size = tuple(given[name])
        assert len(size) == 4, f"{name}: four numbers, (T, height, width, C), not {size}"
        assert size[0] != channels or size[3] != frames, (
            f"{name}: channels come last here, as the paper prints sizes: (T, height, width, C)"
        )
        assert size[0] == frames, (
            f"{name}: {size[0]} frames of {frames}? The encoder keeps them all, "
            "torchvision's would not (D2)"
        )
        assert size[1:3] != (w, h), f"{name}: height and width have changed places"
        assert size[1:3] != (2 * h, 2 * w), (
            f"{name}: twice too large. Features are at H/16, 'compressed' at half of that, tags "
            "and masks at half the input's size"
        )
        assert size[1:3] == (h, w), (
            f"{name}: {size[1]} x {size[2]}, but a trace gives {h} x {w}. Start from H/16 = "
            f"{HEIGHT // 16} and go on by the factors 1/2, 2, 4 and 2"
        )
        assert (size[3], channels) != (256, 258), (
            f"{name}: two channels are missing, x and y of each position"
        )
        assert (size[3], channels) != (258, 256), (
            f"{name}: the two channels of coordinates end in the bottleneck"
        )
        assert (size[3], channels) != (40, 41), f"{name}: the background is a class too"
        assert size[3] == channels, f"{name}: {size[3]} channels, but a trace gives {channels}"
