"""Train the toy-size network on composites of real video, and score composites of other sequences.

    TAGVIS_REAL_DATA=... python benchmarks/composites.py [--start toy] [--steps 3600] [--seed 0]

Composites are made of the DAVIS-2016 sequences of the sample, two of them kept for the test. Scored
by the DAVIS unsupervised protocol are new composites of the sequences that were trained on, and
composites of the two that were not. What limits a score is found by telling the network parts of
the truth, and by taking all instances as one. Training starts from random weights, or from those
that ship with the package, which have seen toy shapes. Another seed is another split, other
composites and another training; results/composites.json keeps a run for each start and seed.

Composites are no real videos, and these scores are no scores on a benchmark. Pictures of what was
scored are written to the run's folder, to be looked at; they show DAVIS frames and are not
committed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from matplotlib.figure import Figure
from measuring import RESULTS, record
from torch import Tensor

from tagvis_lite.checkpoint import load_network
from tagvis_lite.clips import make_clip, spread_indices
from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.data.davis import read_davis
from tagvis_lite.evaluation.davis import evaluate_davis, evaluate_tracks
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.model.network import TagVIS
from tagvis_lite.shipped import shipped
from tagvis_lite.study.composites.composite_set import write_composites
from tagvis_lite.study.provenance import provenance
from tagvis_lite.training import train
from tagvis_lite.video import BACKGROUND, Clip, Prediction, Tracks, Video
from tagvis_lite.views.figures import save
from tagvis_lite.views.overlay import overlay

SIZE = (192, 336)
FRAMES = 24
TRAIN, VALIDATION, SEEN, HELD_OUT = 300, 12, 24, 24
"""Composites: trained on; that choose the weights; scored, of the same and of other sequences."""
Told = Callable[[Prediction, Clip], Prediction]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="of the split, recipes and training")
    parser.add_argument("--start", choices=("random", "toy"), default="random")
    parser.add_argument("--out", type=Path, default=Path("runs/composites"))
    chosen = parser.parse_args()

    start = time.perf_counter()
    sequences, seen, held_out = make_videos(chosen.out / f"data-{chosen.seed}", chosen.seed)
    making_minutes = (time.perf_counter() - start) / 60

    config = composite_config(chosen.steps, chosen.seed)
    torch.manual_seed(chosen.seed)
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.train.precision)
    name = f"{chosen.start}-{chosen.seed}"
    run = chosen.out / name
    network = TagVIS(config.model) if chosen.start == "random" else from_toy(config)
    validation = seen[TRAIN : TRAIN + VALIDATION]
    start = time.perf_counter()
    result = train(config, seen[:TRAIN], validation, run, fabric=fabric, network=network)
    training_minutes = (time.perf_counter() - start) / 60
    print(f"{training_minutes:.1f} minutes of training, best at step {result.best_step}")

    network, _ = load_network(result.weights)
    scores = {}
    for kind, videos in (("seen", seen[TRAIN + VALIDATION :]), ("held out", held_out)):
        tracks = [predict_video(network, video, config) for video in videos]
        scores[kind] = score(network, videos, tracks, config)
        print(f"{kind}:", ", ".join(f"{what} {value:.3f}" for what, value in scores[kind].items()))
        save(overlays(videos[:6], tracks[:6]), run / f"{kind.replace(' ', '_')}.png")

    path = RESULTS / "composites.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else {}
    runs[name] = {
        "sequences": sequences,
        "scores": scores,
        "best_step": result.best_step,
        "making_minutes": round(making_minutes, 1),
        "training_minutes": round(training_minutes, 1),
        "threads": torch.get_num_threads(),
        "composites": {
            "train": TRAIN,
            "validation": VALIDATION,
            "seen": SEEN,
            "held out": HELD_OUT,
        },
        "frames": FRAMES,
        "size": SIZE,
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    record("composites", {"runs": dict(sorted(runs.items()))})


def make_videos(root: Path, seed: int) -> tuple[dict[str, list[str]], list[Video], list[Video]]:
    """Composites on disk: names of the sequences, videos of these and of others."""
    source = Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016"
    counts = {"train": TRAIN + VALIDATION + SEEN, "test": HELD_OUT}
    sequences = write_composites(source, root, counts, num_frames=FRAMES, size=SIZE, seed=seed)
    return sequences, read_davis(root, "train"), read_davis(root, "test")


def composite_config(steps: int, seed: int) -> Config:
    """The toy profile at the aspect ratio of DAVIS, with objects and background alone to tell."""
    chosen = replace(
        TOY.train, steps=steps, seed=seed, precision="bf16-mixed", validate_every=steps // 4
    )
    return replace(
        TOY,
        model=replace(TOY.model, num_classes=2),
        data=replace(TOY.data, size=(64, 112), min_crop=0.6),
        train=chosen,
    )


def from_toy(config: Config) -> TagVIS:
    """A network with the weights that ship, but for the layer that tells classes apart."""
    network = TagVIS(config.model)
    own = network.state_dict()
    toy, _ = load_network(shipped("checkpoints/toy.safetensors"))
    shared = {n: tensor for n, tensor in toy.state_dict().items() if tensor.shape == own[n].shape}
    network.load_state_dict(own | shared)
    return network


# ---------------------------------------------------------------- what limits a score


def score(
    network: Network, videos: Sequence[Video], tracks: Sequence[Tracks], config: Config
) -> dict[str, float]:
    """J&F and instance-count error; J&F of all instances as one; both when told the truth."""
    davis, count_error = evaluate_tracks(videos, tracks)
    as_one = evaluate_davis(
        (video.name, _as_one(video.read_ids(range(len(video)))), _as_one(track.ids))
        for video, track in zip(videos, tracks, strict=True)
    )
    scores = {
        **{name: davis.global_table()[f"{name}-Mean"] for name in ("J&F", "J", "F")},
        "instance-count error": count_error,
        "J&F, all instances as one": as_one.jf_mean,
    }
    for name, told in (("what is an object", told_semantics), ("everything", told_everything)):
        tracks = [predict_told(network, video, config, told) for video in videos]
        davis, count_error = evaluate_tracks(videos, tracks)
        scores[f"J&F, told {name}"] = davis.jf_mean
        scores[f"instance-count error, told {name}"] = count_error
    return scores


def _as_one(ids: np.ndarray) -> np.ndarray:
    return (ids != BACKGROUND).astype(np.uint8)


def told_semantics(prediction: Prediction, truth: Clip) -> Prediction:
    """True semantics: tags alone decide. Which object does a pixel belong to?"""
    classes = [torch.where(truth.semantic == k, 20.0, -20.0) for k in range(2)]
    return Prediction(prediction.tags, torch.stack(classes)[None])


def told_everything(prediction: Prediction, truth: Clip) -> Prediction:
    """True tags, too: what is lost are details finer than the tags, and frames not looked at."""
    return replace(told_semantics(prediction, truth), tags=3.0 * truth.ids[None].float())


def predict_told(network: Network, video: Video, config: Config, told: Told) -> Tracks:
    """Tracks from a prediction in which `told` puts some of the truth."""
    indices = spread_indices(len(video), config.data.clip_frames)
    model = config.model
    truth = make_clip(
        video, indices, config.data, model.num_classes, label_stride=model.label_stride
    )

    def corrected(frames: Tensor) -> Prediction:
        return told(network(frames), truth)

    return predict_video(corrected, video, config)


# ---------------------------------------------------------------- to be looked at


def overlays(videos: Sequence[Video], tracks: Sequence[Tracks]) -> Figure:
    """Three frames of each video: truth on the left, prediction on the right."""
    figure = Figure(figsize=(15, 1.5 * len(videos)), layout="constrained")
    axes = figure.subplots(len(videos), 6)
    for row, (video, track) in enumerate(zip(videos, tracks, strict=True)):
        for column, t in enumerate(spread_indices(len(video), 3).tolist()):
            frame = video.read_frames([t])[0]
            for side, ids in enumerate((video.read_ids([t])[0], track.ids[t])):
                panel = axes[row, 3 * side + column]
                panel.imshow(overlay(frame, ids))
                panel.set_axis_off()
                if row == 0:
                    panel.set_title(f"frame {t}, {('truth', 'predicted')[side]}")
    return figure


if __name__ == "__main__":
    main()
