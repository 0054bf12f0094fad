"""A network that is random but small and quick, for tests of everything around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tagvis_lite.config import TOY
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import save_network

SIZE = 32
TINY = replace(
    TOY,
    model=replace(
        TOY.model,
        widths=(8, 8, 16),
        attention_channels=8,
        bottleneck_channels=16,
        feature_channels=8,
        head_channels=8,
    ),
    data=replace(TOY.data, clip_frames=4, size=(SIZE, SIZE)),
    train=replace(TOY.train, precision="32-true", log_every=1),
)
OVERRIDES = (
    "--model.widths 8 8 16 --model.attention-channels 8 --model.bottleneck-channels 16 "
    f"--model.feature-channels 8 --model.head-channels 8 --data.size {SIZE} {SIZE} "
    "--data.clip-frames 4"
)
"""The same on the command line."""


def save_tiny(path: Path, seed: int = 0) -> Path:
    """Write a checkpoint whose weights are drawn from the seed."""
    torch.manual_seed(seed)
    save_network(path, TagVIS(TINY.model), TINY)
    return path
