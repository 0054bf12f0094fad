"""What clips cost: as a share of a toy training step, and from JPEGs of 854 x 480 on one core.

python benchmarks/data_loading.py       (for JPEGs: TAGVIS_REAL_DATA, a root in the layout of DAVIS)
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from measuring import interleave, record

from tagvis_lite.clips import ClipDataset, clip_loader, to_device
from tagvis_lite.clips.make import prepare_frames, random_box, shrunk_box
from tagvis_lite.config import PAPER, TOY
from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.find import toy_training_data
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Clip, Frames, Video

REPEATS = 15
CLIPS = 40


@dataclass(frozen=True)
class Full:
    """Frames that are always decoded at their full size."""

    frames: Frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self.frames[index]


def jpegs(videos: Sequence[Video]) -> dict[str, float]:
    """Processor time of augmented clips of 32 x 224 x 224 with labels, in turn with full decoding.

    And how far the frames of a clip are from full decoding with antialiasing, in one and the same
    crop.
    """
    config = replace(PAPER, model=replace(PAPER.model, num_classes=2))
    ways = {
        "reduced": ClipDataset(videos, config),
        "full": ClipDataset([replace(v, frames=Full(v.frames)) for v in videos], config),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    differences = []
    for number in range(CLIPS):
        for name, dataset in ways.items():
            start = time.process_time()
            _, clip = dataset[number]
            seconds[name].append(time.process_time() - start)
        video = next(video for video in videos if video.name == clip.names[0])
        whole = video.read_frames([int(clip.frame_indices[0])])
        generator = torch.Generator().manual_seed(number)
        drawn = random_box(*whole.shape[1:3], config.data, generator)
        box, by = shrunk_box(drawn, video, config.data)
        part = video.read_frames([int(clip.frame_indices[0])], by)
        smaller = tuple(side // (by or 1) for side in box)
        full = prepare_frames(whole, config.data, box).float()
        differences.append(float((prepare_frames(part, config.data, smaller) - full).abs().mean()))
    rates = {name: 1 / statistics.median(times) for name, times in seconds.items()}
    return {
        **{f"clips a second, {name}": rate for name, rate in rates.items()},
        "grey levels apart, mean": statistics.fmean(differences),
        "grey levels apart, worst": max(differences),
    }


def main() -> None:
    data = toy_training_data(num_train=64, num_validation=1)
    dataset = ClipDataset(data.train, TOY)
    batches = iter(clip_loader(dataset))
    network = TagVIS(TOY.model).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(network.parameters(), TOY.train.learning_rate)

    def load() -> Clip:
        return next(batches)[1]

    clip = load()

    def step() -> None:
        optimizer.zero_grad()
        part = to_device(clip, TOY.data)
        overall_loss(network(part.frames), part, TOY.loss).overall.backward()
        optimizer.step()

    seconds = interleave({"load": load, "step": step}, REPEATS)
    share = seconds["load"] / (seconds["load"] + seconds["step"])
    print("| load 4 clips | rest of the step | share of loading |")
    print("|---:|---:|---:|")
    print(f"| {1e3 * seconds['load']:.1f} ms | {1e3 * seconds['step']:.0f} ms | {share:.1%} |")
    results: dict[str, object] = {"share": share, "seconds": seconds}
    root = os.environ.get("TAGVIS_REAL_DATA")
    if root:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        videos = [v for v in read_davis(f"{root}/DAVIS-2016", None, single_object=True) if v.ids]
        results["jpegs"] = found = jpegs([v for v in videos if len(v) >= PAPER.data.clip_frames])
        for name, value in found.items():
            print(f"{name}: {value:.2f}")
    record("data_loading", results)


if __name__ == "__main__":
    main()
