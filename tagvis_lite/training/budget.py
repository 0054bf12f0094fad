"""What a training will take, worked out beforehand: operations and memory of a step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.clips import total_steps
from tagvis_lite.config import Config
from tagvis_lite.model.network import TagVIS


@dataclass(frozen=True)
class Budget:
    """What a run takes on each device.

    Attributes:
        steps: of the optimiser.
        operations: floating-point operations of the whole run, convolutions and matrix products
            forward and backward; of all devices.
        memory: bytes of weights, gradients, Adam's moments and what is kept for the way back, in
            float32. Workspaces and the loss come on top; bf16 keeps about half of the last part.
        disk: bytes of the training state and the best weights.
    """

    steps: int
    operations: float
    memory: float
    disk: float

    def hours(self, rate: float) -> float:
        """At so many operations a second."""
        return self.operations / rate / 3600


def budget(config: Config, num_videos: int, world_size: int = 1) -> Budget:
    """Send one clip without values through the network and back, and count.

    Args:
        config: of the run.
        num_videos: to train on.
        world_size: devices.
    """
    kept: dict[int, int] = {}

    def note(values: torch.Tensor) -> torch.Tensor:
        storage = values.untyped_storage()
        kept[storage._cdata] = storage.nbytes()  # parts and views are of one storage
        return values

    with torch.device("meta"):
        network = TagVIS(replace(config.model, pretrained=False))
        frames = torch.empty(1, 3, config.data.clip_frames, *config.data.size)
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(note, lambda x: x):
        prediction = network(frames)
        loss = prediction.tags.sum()
        if prediction.semantic_logits is not None:
            loss = loss + prediction.semantic_logits.sum()
        of_weights = {p.untyped_storage()._cdata for p in network.parameters()}
        loss.backward()
    activations = sum(size for storage, size in kept.items() if storage not in of_weights)
    weights = 4 * sum(parameter.numel() for parameter in network.parameters())
    steps, train = total_steps(config.train, num_videos, world_size), config.train
    return Budget(
        steps=steps,
        operations=float(counter.get_total_flops())
        * (steps * train.batch_size * train.accumulate * world_size),
        memory=4 * weights + train.batch_size * activations,
        disk=4 * weights,
    )
