"""Can the network carry real shapes? Overfit one real sequence and score it on its own frames.

    TAGVIS_REAL_DATA=... python benchmarks/real_overfit.py [--sequence drift-turn] [--steps 450]

The toy network, at the sequence's own aspect ratio, is trained on the frames of one DAVIS-2016
sequence and scored on the same frames at 480p by the DAVIS unsupervised protocol. It proves
capacity, not generalisation.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from measuring import record

from tagvis_lite.config import TOY
from tagvis_lite.data.davis import read_davis
from tagvis_lite.runs import load_network
from tagvis_lite.training import train, validate
from tagvis_lite.video import Video


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequence", default="drift-turn")
    parser.add_argument("--steps", type=int, default=450)
    parser.add_argument("--out", type=Path, default=Path("runs/real_overfit"))
    arguments = parser.parse_args()

    root = Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016"
    lists = (root / "ImageSets" / "2016").glob("*.txt")
    videos = [
        v for path in lists for v in read_davis(root, path.stem, year="2016", single_object=True)
    ]
    video = in_memory(next(v for v in videos if v.name == arguments.sequence))

    config = replace(
        TOY,
        model=replace(TOY.model, num_classes=2),
        data=replace(TOY.data, clip_frames=16, size=(64, 112), min_crop=1.0, max_drop=3),
        train=replace(
            TOY.train,
            steps=arguments.steps,
            batch_size=2,
            learning_rate=7e-4,
            precision="bf16-mixed",
            validate_every=arguments.steps,
        ),
    )
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.train.precision)
    start = time.perf_counter()
    whole = replace(config, data=replace(config.data, clip_frames=len(video)))
    result = train(config, [video], [video], arguments.out, fabric=fabric)
    seconds = time.perf_counter() - start

    network, _ = load_network(result.weights)
    scores = {
        "every frame seen": validate(network, [video], whole).global_table(),
        "16 frames seen, the rest interpolated": validate(network, [video], config).global_table(),
    }
    for name, table in scores.items():
        print(f"{video.name}, {name}: J&F {100 * table['J&F-Mean']:.1f}")
    record(
        "real_overfit",
        {
            "sequence": video.name,
            "frames": len(video),
            "size": config.data.size,
            "steps": arguments.steps,
            "training_seconds": round(seconds),
            "scores": scores,
        },
    )


def in_memory(video: Video) -> Video:
    """Decode once: the same frames are read at every step."""
    everything = range(len(video))
    return replace(
        video,
        frames=video.read_frames(everything),
        ids=np.stack([video.ids[t] for t in everything] if video.ids is not None else []),
    )


if __name__ == "__main__":
    main()
