"""What a training run will take, known before it starts: steps, memory, operations.

One step is run on fake tensors (PyTorch's, which have shapes but no data): every storage it makes
and frees is counted, so the peak is that of the very program.
What a library takes besides, such as oneDNN's reordered copies, is not seen: a process of the paper
profile took a tenth more on a CPU, besides about
1 GB for the program itself (benchmarks/paper_size.py).
"""

from __future__ import annotations

import os
import time
import weakref
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from tagvis_lite.clips import clips_per_step, total_steps
from tagvis_lite.config import Config
from tagvis_lite.model.network import TagVIS


@dataclass(frozen=True)
class TrainingEstimate:
    """Of a whole run.

    Attributes:
        videos: for training.
        steps: optimiser steps of the run.
        clips: clips a step, over all devices.
        parameters: numbers the network learns.
        state_bytes: parameters, buffers and Adam's two moments, on each device all the time.
        peak_bytes: the most a step holds on each device, `state_bytes` included.
        flops: operations of a step on each device: convolutions and matrix products.
    """

    videos: int
    steps: int
    clips: int
    parameters: int
    state_bytes: int
    peak_bytes: int
    flops: int

    def describe(self, gemm_flops: float, device_bytes: int | None = None) -> str:
        """Three lines for people.

        Args:
            gemm_flops: operations a second that a device reaches in plain matrix products, which
                bounds its time from below.
            device_bytes: memory of a device, if known.
        """
        seconds = self.flops / gemm_flops
        of_memory = "" if device_bytes is None else f" of {device_bytes / 1e9:,.1f} GB"
        return (
            f"{self.videos:,} videos, {self.clips} clips a step: {self.steps:,} steps, "
            f"{self.videos / self.clips:,.1f} an epoch\n"
            f"{self.parameters:,} parameters; on each device {self.state_bytes / 1e9:.2f} GB with "
            f"Adam's state, about {self.peak_bytes / 1e9:.2f} GB at the peak of a step{of_memory}\n"
            f"{self.flops / 1e9:,.1f} GFLOP a step on each device: at its {gemm_flops / 1e9:,.0f} "
            f"GFLOP/s of matrix products no less than {seconds:.3g} s a step, "
            f"{seconds * self.videos / self.clips / 3600:.3g} h an epoch, "
            f"{seconds * self.steps / 3600:.3g} h in all"
        )


def estimate_training(config: Config, num_videos: int, world_size: int = 1) -> TrainingEstimate:
    """Estimate a run of so many videos on so many devices. Takes seconds and no memory."""
    with FakeTensorMode():
        network = TagVIS(replace(config.model, pretrained=False)).train()
        learnt = list(network.parameters())
        held = [*learnt, *network.buffers()]
        state = sum(x.nbytes for x in held) + 2 * sum(x.nbytes for x in learnt)
        with _Counts() as counts:
            _step(network, config)
    return TrainingEstimate(
        videos=num_videos,
        steps=total_steps(config.train, num_videos, world_size),
        clips=clips_per_step(config.train, world_size),
        parameters=sum(x.numel() for x in learnt),
        state_bytes=state,
        peak_bytes=state + counts.peak,
        flops=counts.flops * config.train.accumulate,
    )


def _step(network: TagVIS, config: Config) -> None:
    """One batch forward and backward. Of the losses only cross-entropy has tensors of any size."""
    shape = (config.train.batch_size, 3, config.data.clip_frames, *config.data.size)
    last = config.train.channels_last
    layout = torch.channels_last_3d if last else torch.contiguous_format
    frames = torch.zeros(shape)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.train.precision != "32-true"):
        prediction = network(frames.contiguous(memory_format=layout))
    loss = prediction.tags.float().square().mean()
    logits = prediction.semantic_logits
    if logits is not None:
        labels = torch.zeros((len(logits), *logits.shape[2:]), dtype=torch.int64)
        loss = loss + cross_entropy(logits.float(), labels)
    loss.backward()


class _Counts(TorchDispatchMode):
    """Counts operations, and the bytes of the storages that they make, while these live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = self.flops = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for value in tree_leaves((args, kwargs)):  # parameters, for one, were there before
            if isinstance(value, torch.Tensor):
                self.known.add(value.untyped_storage())
        outputs = func(*args, **(kwargs or {}))
        if func._overloadpacket in flop_registry:
            count = flop_registry[func._overloadpacket]
            self.flops += count(*args, **(kwargs or {}), out_val=outputs)
        for value in tree_leaves(outputs):
            if isinstance(value, torch.Tensor):
                self._count(value.untyped_storage())
        return outputs

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.known:
            self.known.add(storage)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._freed, storage.nbytes())

    def _freed(self, number: int) -> None:
        self.now -= number


def gemm_rate(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, size: int = 1024
) -> float:
    """Operations a second of a square matrix product: the best of some turns, in about 0.2 s.

    The first product of a process sets libraries up, which takes long; it is not timed.
    """
    a, b = torch.randn(2, size, size, device=device).to(dtype)
    (a @ b).sum().item()
    best, until = float("inf"), time.perf_counter() + 0.2
    while time.perf_counter() < until or best == float("inf"):
        start = time.perf_counter()
        (a @ b).sum().item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def device_memory(device: torch.device) -> int | None:
    """Bytes of memory of a device, where it can be asked for."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
