"""What stands before the first step: checks, arithmetic, and a network and Adam on the device."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from tagvis_lite.clips import ClipDataset
from tagvis_lite.config import Config, TrainConfig
from tagvis_lite.model.cpu_sync_batch_norm import convert_to_cpu_sync
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Prediction, Video

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def chosen_precision(config: TrainConfig, device: torch.device | str | None = None) -> Precision:
    """`train.precision`, and for 'auto' bfloat16 where the device has instructions for it.

    Args:
        config: of the run.
        device: None is what Fabric chooses: cuda where there is one, or else the CPU.
    """
    if config.precision != "auto":
        return config.precision
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    cpu = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if kind == "cpu" and cpu else "32-true"


class Outputs(nn.Module):
    """The network with a tuple for output, which is what Fabric's strategies can follow."""

    def __init__(self, network: TagVIS) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Frames as `TagVIS` takes them."""
        prediction: Prediction = self.network(frames)
        return prediction.tags, prediction.semantic_logits


def check_training(
    config: Config,
    videos: Sequence[Video],
    validation: Sequence[Video],
    network: TagVIS | None = None,
) -> None:
    """Refuse what `train` refuses before it touches a file. Arguments and errors as there."""
    if not videos or not validation:
        raise ValueError("training needs at least one training and one validation video")
    for video in validation:
        if video.ids is None:
            raise ValueError(f"validation video {video.name!r} has no label maps to score against")
    if network is not None and replace(network.config, pretrained=False) != replace(
        config.model, pretrained=False
    ):
        raise ValueError(
            f"the network to start from has {network.config}, but the run has {config.model}: "
            "pass the config that load_network returned with it"
        )
    ClipDataset(videos, config)


def set_up(
    network: TagVIS, config: TrainConfig, fabric: Fabric
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The network and Adam, ready for `step` on this device among others."""
    if fabric.world_size > 1 and fabric.device.type == "cpu":
        convert_to_cpu_sync(network)
    elif fabric.world_size > 1:
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    if config.channels_last:
        network.to(memory_format=torch.channels_last_3d)
    groups: list[dict[str, Any]] = [{"params": list(network.parameters())}]
    if config.encoder_rate != 1:
        encoder = {id(parameter) for parameter in network.encoder.parameters()}
        others = [p for p in network.parameters() if id(p) not in encoder]
        groups = [
            {"params": others},
            {"params": list(network.encoder.parameters()), "share": config.encoder_rate},
        ]
    optimizer = torch.optim.Adam(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    model, optimizer = fabric.setup(Outputs(network), optimizer)
    return model, optimizer


def training_mode(network: TagVIS, config: TrainConfig) -> None:
    """Batch statistics of the encoder stay as they came where the config freezes them."""
    network.train()
    if config.frozen_statistics:
        for module in network.encoder.modules():
            if "BatchNorm" in type(module).__name__:
                module.eval()


@contextmanager
def arithmetic(config: TrainConfig) -> Iterator[None]:
    """TF32 and deterministic algorithms as the config says; as before afterwards."""
    products, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = config.tf32
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.use_deterministic_algorithms(deterministic)
