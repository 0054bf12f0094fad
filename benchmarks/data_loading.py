"""Share of a toy training step that goes into making its clips.

python benchmarks/data_loading.py
"""

from __future__ import annotations

import torch
from measuring import interleave, record

from tagvis_lite.clips import ClipDataset, clip_loader, to_device
from tagvis_lite.config import TOY
from tagvis_lite.data.find import toy_training_data
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Clip

REPEATS = 15


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
    record("data_loading", {"share": share, "seconds": seconds})


if __name__ == "__main__":
    main()
