"""Train the toy profile from random weights and score the held-out toy test split.

    python benchmarks/toy_training.py [--steps N] [--videos N] [--name NAME] [--loss.margin 2]

Any field of the profile can be given by name. Prints the wall-clock time of training (rendering the
videos and validating included), J&F on the 64 test videos, the instance-count error (the mean of
|instances found - instances there| per video), and where the missing points were lost. A run that
was killed goes on where it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro
from lightning_fabric import Fabric
from measuring import record

from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.data.find import TOY_TRAIN, toy_training_data
from tagvis_lite.data.toy import TEST_VIDEOS, toy_split
from tagvis_lite.evaluation import davis, youtube_vis
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.runs import load_network
from tagvis_lite.study.oracles import score_parts
from tagvis_lite.training import train


def main(
    config: Annotated[Config, tyro.conf.arg(name="")] = TOY,
    steps: int = TOY.train.steps or 0,
    videos: int = TOY_TRAIN,
    name: str = "toy_training",
) -> None:
    """Train the toy profile from random weights and score the held-out toy test split.

    Args:
        config: any field of the toy profile, by name.
        steps: optimiser steps.
        videos: rendered for training.
        name: of the run and its results.
    """
    config = replace(config, train=replace(config.train, steps=steps))
    start = time.perf_counter()
    data = toy_training_data(videos)
    fabric = Fabric(accelerator="cpu", devices=1, precision=config.train.precision)
    result = train(config, data.train, data.validation, Path("runs") / name, fabric=fabric)
    minutes = (time.perf_counter() - start) / 60

    network, _ = load_network(result.weights)
    scores = test_scores(network, config)
    print(f"{minutes:.1f} minutes of training, {steps} steps, best at {result.best_step}")
    print_scores(scores)
    record(
        name,
        {
            "training_minutes": round(minutes, 1),
            "test": scores,
            "validation_J&F": result.best_score,
            "best_step": result.best_step,
            "training_videos": videos,
            "config": config_to_dict(config),
        },
    )


def test_scores(network: Network, config: Config) -> dict[str, dict[str, float]]:
    """Both benchmarks' measures, the instance-count error and the oracles on the toy test split."""
    videos = list(toy_split("test", TEST_VIDEOS))
    tracks = [predict_video(network, video, config) for video in videos]
    davis_scores, count_error = davis.evaluate_tracks(videos, tracks)
    average_precision = youtube_vis.evaluate_tracks(videos, tracks).values()
    parts = score_parts(network, videos, config)
    return {
        "davis": davis_scores.global_table(),
        "youtube_vis": {name: x for name, x in average_precision.items() if not math.isnan(x)},
        "instances": {"instance-count error": count_error},
        "parts": {**parts.jf, "foreground IoU": parts.foreground_iou},
    }


def print_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    for values in scores.values():
        for name, value in values.items():
            print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    tyro.cli(main)
