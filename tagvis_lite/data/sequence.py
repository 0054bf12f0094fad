"""The clips of a training run as one endless sequence, dealt out to steps, processes and batches.

Clip i is that of the (i mod N)-th video in the order of epoch i // N, where the order and the clip
are drawn from (seed, epoch): every video once an epoch (section IV). Step s takes the next
`clips_per_step` of them, however these are shared among processes and accumulated batches:

    step 1                          step 2
    |  batch 0      |  batch 1     |  batch 0  ...
    |  p 0  |  p 1  |  p 0  | p 1  |
    | 0   1 | 2   3 | 4   5 | 6  7 | 8  9 ...       2 processes, batch_size 2, accumulate 2
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tagvis_lite.clips import ClipDataset
from tagvis_lite.config import TrainConfig
from tagvis_lite.video import Clip


def clips_per_step(config: TrainConfig, world_size: int = 1) -> int:
    """Clips behind one optimiser step, over all processes."""
    return config.batch_size * config.accumulate * world_size


def total_steps(config: TrainConfig, num_videos: int, world_size: int = 1) -> int:
    """Optimiser steps of a run: `steps`, or as many as `epochs` passes over the videos take."""
    if config.steps is not None:
        return config.steps
    return math.ceil(config.epochs * num_videos / clips_per_step(config, world_size))


def batches(
    dataset: ClipDataset, config: TrainConfig, steps_done: int, rank: int = 0, world_size: int = 1
) -> Iterator[tuple[list[int], Clip]]:
    """Endless batches of one process, from where a run that did `steps_done` steps left off.

    Yields:
        Numbers in the sequence of the clips of a batch, and the batch, on the CPU.
    """
    size = config.batch_size
    first = steps_done * clips_per_step(config, world_size) + rank * size
    loader = DataLoader(
        _Sequence(dataset),
        batch_sampler=_Endless(first, size, size * world_size),
        collate_fn=Clip.collate,
        num_workers=config.workers,
    )
    yield from zip(_Endless(first, size, size * world_size), loader, strict=True)


def clip_generator(seed: int, number: int) -> torch.Generator:
    """Source of what the loss draws for clip `number` of the sequence."""
    entropy = np.random.SeedSequence((seed, number, 1))
    return torch.Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0]))


class _Sequence(Dataset[Clip]):
    """Clip `number` of the endless sequence, a pure function of it and the seed."""

    def __init__(self, dataset: ClipDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, number: int) -> Clip:
        epoch, place = divmod(number, len(self.dataset))
        return self.dataset.clip(_order(self.dataset.seed, epoch, len(self.dataset))[place], epoch)


class _Endless:
    """Numbers of the clips of batch after batch of one process."""

    def __init__(self, first: int, size: int, stride: int) -> None:
        self.first, self.size, self.stride = first, size, stride

    def __iter__(self) -> Iterator[list[int]]:
        start = self.first
        while True:
            yield list(range(start, start + self.size))
            start += self.stride


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, num_videos: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(num_videos).tolist()
    return order
