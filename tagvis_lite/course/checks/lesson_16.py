"""Lesson 16: the heaviest part, sizes for another input, and a height that does not fit."""

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


def check_most_weights(answer: Callable[[], str]) -> None:
    """The encoder."""
    given = answer()
    parts = ("encoder", "bottleneck", "decoder", "tag_generator", "attention")
    assert given in parts, f"return one of {', '.join(parts)}"
    assert given != "attention", "1 x 1 convolutions are cheap, however prominent in the title"
    assert given != "tag_generator", "it ends in one channel: few weights"
    assert given == "encoder", f"the {given} is large, but the encoder's 3-D kernels are more"


def check_heights(answer: Callable[[], tuple[int, int, int]]) -> None:
    """The smallest odd multiple of 16 above 300, its labels and its tags."""
    given = answer()
    assert given is not None, "return three heights"
    height, labels, tags = given
    assert height % 16 == 0, f"{height} is no multiple of 16"
    assert height % 32, f"{height} is a multiple of 32: there tags and labels agree"
    assert height > 300, f"{height} is not above 300"
    assert height == 304, f"there is a smaller one than {height}"
    assert labels == 152, f"labels are half as high as the frame: not {labels}"
    assert tags != 152, "then they would agree: the bottleneck halves 19 to 10, and doubles 10"
    assert tags == 160, f"19 becomes 10, 20, and eight times that; you say {tags}"
