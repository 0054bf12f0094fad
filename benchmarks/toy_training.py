"""Train the toy profile from random weights and score the held-out toy test split.

    python benchmarks/toy_training.py [--steps N] [--videos N] [--name NAME]

Prints the wall-clock time of training (rendering the videos and validating included), J&F on the 64
test videos, and the instance-count error: the mean of |instances found - instances there| per
video.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric
from measuring import record

from tagvis_lite.checkpoint import load_network
from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.data.find import TOY_TRAIN, toy_training_data
from tagvis_lite.data.toy import TEST_VIDEOS, toy_split
from tagvis_lite.evaluation import davis, youtube_vis
from tagvis_lite.inference import Network, predict_video
from tagvis_lite.training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=TOY.train.steps)
    parser.add_argument("--videos", type=int, default=TOY_TRAIN, help="rendered for training")
    parser.add_argument("--precision", default=TOY.train.precision)
    parser.add_argument("--name", default="toy_training", help="of the run and its results")
    arguments = parser.parse_args()

    chosen = replace(TOY.train, steps=arguments.steps, precision=arguments.precision)
    config = replace(TOY, train=chosen)
    start = time.perf_counter()
    data = toy_training_data(arguments.videos)
    fabric = Fabric(accelerator="cpu", devices=1, precision=arguments.precision)
    result = train(
        config, data.train, data.validation, Path("runs") / arguments.name, fabric=fabric
    )
    minutes = (time.perf_counter() - start) / 60

    network, _ = load_network(result.weights)
    scores = test_scores(network, config)
    print(f"{minutes:.1f} minutes of training, {chosen.steps} steps, best at {result.best_step}")
    print_scores(scores)
    record(
        arguments.name,
        {
            "training_minutes": round(minutes, 1),
            "test": scores,
            "validation_J&F": result.best_score,
            "best_step": result.best_step,
            "training_videos": arguments.videos,
            "config": config_to_dict(config),
        },
    )


def test_scores(network: Network, config: Config) -> dict[str, dict[str, float]]:
    """Both benchmarks' measures, and the instance-count error, on the toy test split."""
    videos = list(toy_split("test", TEST_VIDEOS))
    tracks = [predict_video(network, video, config) for video in videos]
    davis_scores, count_error = davis.evaluate_tracks(videos, tracks)
    average_precision = youtube_vis.evaluate_tracks(videos, tracks).values()
    return {
        "davis": davis_scores.global_table(),
        "youtube_vis": {name: x for name, x in average_precision.items() if not math.isnan(x)},
        "instances": {"instance-count error": count_error},
    }


def print_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    for values in scores.values():
        for name, value in values.items():
            print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
