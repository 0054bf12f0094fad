"""Train on composites of real video drawn as they are needed, and score those of other sequences.

    TAGVIS_REAL_DATA=... python benchmarks/composites.py --start toy --steps 3600
    TAGVIS_REAL_DATA=... python benchmarks/composites.py --speed

The sequences of each part are fixed in tagvis_lite/study/composites/parts.json. Scored by the DAVIS
unsupervised protocol are new composites of the sequences that were trained on, composites of five
that were not, and of the two of them that results/composites.json was scored on; and these five as
they are, with one labelled object each, of which the best mask counts. study/oracles.py tells what
limits a score. The run is a folder of `--out`; the same command goes on with it.
results/real_video.json keeps a run for each name.

Composites are no real videos, and these scores are no scores on a benchmark. Pictures of what was
scored are written to the run's folder, to be looked at; they show DAVIS frames and are not
committed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from matplotlib.figure import Figure
from measuring import RESULTS, interleave, record

from tagvis_lite.checkpoint import shipped
from tagvis_lite.clips import ClipDataset, spread_indices
from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.evaluation.davis import evaluate_davis, evaluate_tracks
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network
from tagvis_lite.study.composites.draw import SCORING, Composites
from tagvis_lite.study.composites.sources import (
    Sources,
    decode_sources,
    read_parts,
    read_sources,
    sequences,
)
from tagvis_lite.study.oracles import score_parts
from tagvis_lite.study.provenance import provenance
from tagvis_lite.training import train
from tagvis_lite.video import BACKGROUND, Tracks, Video
from tagvis_lite.views.figures import save
from tagvis_lite.views.overlay import overlay

FRAMES = 24
VALIDATION, SCORED = 12, 24
EARLIER = ["drift-turn", "motocross-bumps"]
"""What the first training on composites was scored on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=0, help="of the recipes and of the training")
    parser.add_argument("--start", default="toy", help="random, toy, or a checkpoint")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 160), help="of a clip")
    parser.add_argument("--channels", type=int, default=2, help="numbers of a tag")
    parser.add_argument("--without-stills", action="store_true", help="of the 30 first frames")
    parser.add_argument("--name", default="")
    parser.add_argument("--out", type=Path, default=Path("runs/real_video"))
    parser.add_argument("--speed", action="store_true", help="measure how fast clips are made")
    chosen = parser.parse_args()
    if chosen.speed:
        measure_speed()
        return

    stills = not chosen.without_stills
    name = chosen.name or f"{Path(chosen.start).stem}-{chosen.channels}d-{chosen.seed}"
    config = run_config(chosen.steps, chosen.seed, tuple(chosen.size), chosen.channels)
    trained_on = read_part("train", stills)
    clips = chosen.steps * config.train.batch_size * config.train.accumulate
    videos = Composites(trained_on, clips, FRAMES, seed=chosen.seed)
    validation = list(to_score(read_part("validation"), VALIDATION, 1))
    run = chosen.out / name
    torch.manual_seed(chosen.seed)
    network = TagVIS(config.model) if chosen.start == "random" else started(config, chosen.start)
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.train.precision)
    start = time.perf_counter()
    result = train(config, videos, validation, run, fabric=fabric, network=network)
    minutes = (time.perf_counter() - start) / 60
    print(f"{minutes:.1f} minutes of training, best at step {result.best_step}")

    network, _ = load_network(result.weights)
    held_out = read_part("test")
    scores: dict[str, object] = {}
    pictures: dict[str, list[Video]] = {}
    for kind, scored in (
        ("seen", to_score(trained_on, SCORED, 2)),
        ("held out", to_score(held_out, SCORED, 2)),
        ("held out, the two of the first run", to_score(only(held_out, EARLIER), SCORED, 2)),
    ):
        scores[kind] = score(network, list(scored), config)
        print(f"{kind}: {scores[kind]}")
        pictures[kind] = list(scored[:6])
    real = sequences(roots(False), read_parts()["test"])
    tracks = [predict_video(network, video, config) for video in real]
    davis, _ = evaluate_tracks(real, tracks)
    scores["held out, as they are"] = {"J&F": davis.jf_mean}
    print(f"held out, as they are: {davis.jf_mean:.3f}")
    pictures["held out, as they are"] = real

    path = RESULTS / "real_video.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else {}
    runs[name] = {
        "start": chosen.start,
        "stills": stills,
        "scores": scores,
        "best_step": result.best_step,
        "training_minutes": round(minutes, 1),
        "threads": torch.get_num_threads(),
        "frames": FRAMES,
        "parts": read_parts(),
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    record("real_video", {"runs": dict(sorted(runs.items()))})
    for kind, shown in pictures.items():
        save(overlays(network, shown, config), run / f"{kind.replace(' ', '_')}.png")


def roots(stills: bool) -> list[Path]:
    """Folders of the sample."""
    real = Path(os.environ["TAGVIS_REAL_DATA"])
    return [real / "DAVIS-2016", *([real / "DAVIS-2017-first-frames"] if stills else [])]


def read_part(part: str, stills: bool = True) -> Sources:
    """The sources of a part, decoded."""
    return read_sources(roots(stills), read_parts()[part])


def only(sources: Sources, names: Sequence[str]) -> Sources:
    """Those of some sequences."""
    return replace(
        sources,
        scenes=tuple(scene for scene in sources.scenes if scene.name in names),
        cut_outs=tuple(cut for cut in sources.cut_outs if cut.scene in names),
    )


def to_score(sources: Sources, number: int, seed: int) -> Composites:
    """Composites of real objects alone."""
    return Composites(sources, number, FRAMES, seed=1000 + seed, mix=SCORING)


def run_config(steps: int, seed: int, size: tuple[int, int], channels: int) -> Config:
    """The toy profile at the aspect ratio of DAVIS, with objects and background alone to tell."""
    chosen = replace(
        TOY.train,
        steps=steps,
        seed=seed,
        precision="bf16-mixed",
        channels_last=True,
        validate_every=max(1, min(500, steps // 4)),
    )
    return replace(
        TOY,
        model=replace(TOY.model, num_classes=2, tag_channels=channels),
        data=replace(TOY.data, size=size, min_crop=0.6),
        train=chosen,
    )


def started(config: Config, start: str) -> TagVIS:
    """A network with other weights, those of the toy set or of a file, wherever shapes agree."""
    path = shipped("checkpoints/toy.safetensors") if start == "toy" else Path(start)
    network = TagVIS(config.model)
    own = network.state_dict()
    other = load_network(path)[0].state_dict()
    shared = {n: tensor for n, tensor in other.items() if n in own and tensor.shape == own[n].shape}
    print(f"{len(shared)} of {len(own)} tensors are those of {path}")
    network.load_state_dict(own | shared)
    return network


def score(network: Network, videos: Sequence[Video], config: Config) -> dict[str, float]:
    """J&F and instance-count error, J&F of all instances as one, and what limits J&F."""
    tracks = [predict_video(network, video, config) for video in videos]
    davis, count_error = evaluate_tracks(videos, tracks)
    as_one = evaluate_davis(
        (video.name, as_one_id(video.read_ids(range(len(video)))), as_one_id(track.ids))
        for video, track in zip(videos, tracks, strict=True)
    )
    parts = score_parts(network, videos, config)
    return {
        **{name: davis.global_table()[f"{name}-Mean"] for name in ("J&F", "J", "F")},
        "instance-count error": count_error,
        "J&F, all instances as one": as_one.jf_mean,
        "foreground IoU": parts.foreground_iou,
        **{f"J&F, {row}": value for row, value in parts.jf.items() if row != "as it is"},
    }


def as_one_id(ids: np.ndarray) -> np.ndarray:
    return (ids != BACKGROUND).astype(np.uint8)


def measure_speed() -> None:
    """Clips from composites, against reading the frames that they are made of from their files."""
    names = read_parts()["train"][:5]
    videos = sequences(roots(False), names)
    made = Composites(decode_sources(videos), 10**6, FRAMES, mix=SCORING)
    quick = Composites(made.sources, 10**6, FRAMES)
    config = run_config(1, 0, (96, 160), 2)
    clips = ClipDataset(quick, config)
    times = spread_indices(FRAMES, config.data.clip_frames).tolist()
    counter = iter(range(10**6))

    def read_from_files() -> None:
        for video in videos[:4]:  # a scene and three objects
            video.read_frames(times)
            video.read_ids(times)

    def compose() -> None:
        video = quick[next(counter)]
        video.read_frames(times)
        video.read_ids(times)

    seconds = interleave(
        {
            "read a scene and three objects from files": read_from_files,
            "compose": compose,
            "compose, crop and flip": lambda: clips[next(counter)],
        },
        30,
    )
    for what, value in seconds.items():
        print(f"{1e3 * value:8.1f} ms  {what}")
    record(
        "composite_speed", {"seconds": seconds, "frames": len(times), "size": quick.sources.size}
    )


# ---------------------------------------------------------------- to be looked at


def overlays(network: Network, videos: Sequence[Video], config: Config) -> Figure:
    """Three frames of each video: truth on the left, prediction on the right."""
    tracks: list[Tracks] = [predict_video(network, video, config) for video in videos]
    figure = Figure(figsize=(15, 1.5 * len(videos)), layout="constrained")
    axes = figure.subplots(len(videos), 6, squeeze=False)
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
