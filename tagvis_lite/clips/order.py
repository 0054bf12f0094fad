"""The clips of a training run: one endless sequence, drawn from the seed.

Section IV of the paper: 'We, further, generate diverse variations of 32 frame video clip from each
video sequence per epoch.'

Clip i is of the (i mod N)-th video in the order of epoch i // N, where the order and the clip are
drawn from (seed, epoch): every video once an epoch. Step s takes the next `clips_per_step` of them,
however these are shared among processes and accumulated batches:

    step 1                          step 2
    |  batch 0      |  batch 1     |  batch 0  ...
    |  p 0  |  p 1  |  p 0  | p 1  |
    | 0   1 | 2   3 | 4   5 | 6  7 | 8  9 ...       2 processes, batch_size 2, accumulate 2
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Generator
from torch.utils.data import DataLoader, Dataset, Sampler

from tagvis_lite.clips.choice import sample_indices
from tagvis_lite.clips.make import class_of_id, make_clip
from tagvis_lite.config import Config, TrainConfig
from tagvis_lite.video import Clip, Video

SHARED_MEMORY = Path("/dev/shm")
PREFETCHED = 2
"""Batches that each worker of a `DataLoader` makes in advance."""


class ClipDataset(Dataset[tuple[int, Clip]]):
    """The endless sequence of augmented clips of a run: item i is i and clip i.

    A clip is a pure function of the seed and its number, whatever the number of workers: a run
    resumed at any step sees what an uninterrupted one would have seen.

    Args:
        videos: labelled videos.
        config: of the run; data, model and the seed and batches of train are used.

    Raises:
        ValueError: no videos, a video without label maps or with a category that the network
            has no class for.
    """

    def __init__(self, videos: Sequence[Video], config: Config) -> None:
        if len(videos) == 0:
            raise ValueError("a data set of clips needs at least one video")
        for video in videos:
            if video.ids is None:
                raise ValueError(f"video {video.name!r} has no label maps to train on")
            class_of_id(video, config.model.num_classes)
        self.videos = videos
        self.config = config

    def __getitem__(self, number: int) -> tuple[int, Clip]:
        config, data = self.config, self.config.data
        epoch, place = divmod(number, len(self.videos))
        index = _order(config.train.seed, epoch, len(self.videos))[place]
        video = self.videos[index]
        generator = _generator(config.train.seed, epoch, index)
        indices = sample_indices(len(video), data.clip_frames, data.max_drop, generator, data.drops)
        clip = make_clip(
            video,
            indices,
            data,
            config.model.num_classes,
            label_stride=config.model.label_stride,
            augment=True,
            generator=generator,
            as_bytes=True,
        )
        return number, clip


class ClipOrder(Sampler[list[int]]):
    """Numbers of the clips of step after step of one process, without end.

    Args:
        config: batch size and accumulation.
        steps_done: optimiser steps that the run has behind it.
        rank: of this process among `world_size`.
        world_size: number of processes.
    """

    def __init__(
        self, config: TrainConfig, steps_done: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        size, self.clips_per_step = config.batch_size, clips_per_step(config, world_size)
        starts = range(rank * size, self.clips_per_step, world_size * size)
        self.of_first_step = [start + k for start in starts for k in range(size)]
        self.steps_done = steps_done

    def __iter__(self) -> Iterator[list[int]]:
        for step in itertools.count(self.steps_done):
            yield [step * self.clips_per_step + number for number in self.of_first_step]


def clip_loader(
    dataset: ClipDataset,
    steps_done: int = 0,
    rank: int = 0,
    world_size: int = 1,
    device: torch.device | str = "cpu",
) -> DataLoader[tuple[int, Clip]]:
    """The clips of each step of one process, after the first `steps_done`, without end.

    Each item is the numbers of the clips and the clips, in bytes, with a leading dimension B, on
    the CPU; in pinned memory where they go to a GPU.

    Warns:
        UserWarning: shared memory, in which workers hand over clips, is too small for them.
    """
    config, on_gpu = dataset.config.train, torch.device(device).type == "cuda"
    workers = config.workers
    if workers is None:
        workers = min(8, max(1, process_cores() // world_size)) if on_gpu else 0
    order = ClipOrder(config, steps_done, rank, world_size)
    if workers > 0:
        _check_shared_memory(dataset.config, workers, len(order.of_first_step))
    return DataLoader(
        dataset,
        batch_sampler=order,
        collate_fn=_collate,
        num_workers=workers,
        pin_memory=on_gpu,
    )


def process_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_shared_memory(config: Config, workers: int, clips: int) -> None:
    data = config.data
    labels = 2 / config.model.label_stride**2
    of_clip = data.clip_frames * math.prod(data.size) * (3 + labels)
    wanted = PREFETCHED * workers * clips * of_clip
    if SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free < wanted:
        warnings.warn(
            f"{SHARED_MEMORY} has less than the {wanted / 1e9:.1f} GB that {workers} workers hand "
            "clips over in: give the container more (--shm-size), or use fewer --train.workers",
            stacklevel=3,
        )


def _collate(items: list[tuple[int, Clip]]) -> tuple[list[int], Clip]:
    return [number for number, _ in items], Clip.collate([clip for _, clip in items])


def clips_per_step(config: TrainConfig, world_size: int = 1) -> int:
    """Clips behind one optimiser step, over all processes."""
    return config.batch_size * config.accumulate * world_size


def total_steps(config: TrainConfig, num_videos: int, world_size: int = 1) -> int:
    """Optimiser steps of a run: `steps`, or as many as `epochs` passes over the videos take."""
    if config.steps is not None:
        return config.steps
    return math.ceil(config.epochs * num_videos / clips_per_step(config, world_size))


def clip_generator(seed: int, number: int) -> Generator:
    """Source of what the loss draws for clip `number` of the run."""
    return _generator(seed, number, 1)


def _generator(*entropy: int) -> Generator:
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0]))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, num_videos: int) -> list[int]:
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(num_videos).tolist()
    return order
