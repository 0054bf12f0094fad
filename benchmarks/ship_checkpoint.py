"""Turn a toy run into a checkpoint that ships: score it on the test split, write its card.

    python benchmarks/ship_checkpoint.py runs/toy_shipped --training "12,000 steps from random"
    python benchmarks/ship_checkpoint.py runs/toy2_shipped --name toy2 --training "..."

Writes data/checkpoints/NAME.safetensors (weights and config) and data/checkpoints/NAME.json (scores
on the 64 held-out test videos, all together and one by one, config, and where it all comes from).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from toy_training import print_scores, test_scores

from tagvis_lite.atomic import replacing
from tagvis_lite.config import config_to_dict
from tagvis_lite.data.toy import CATEGORIES, TEST_VIDEOS, toy_split
from tagvis_lite.evaluation.davis import evaluate_tracks
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network, save_network
from tagvis_lite.study.provenance import provenance

CHECKPOINTS = Path(__file__).parent.parent / "data" / "checkpoints"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--training", required=True, help="in words, how it was trained")
    parser.add_argument("--name", default="toy", help="of the files")
    arguments = parser.parse_args()

    network, config = load_network(arguments.run / "best.safetensors")
    lines = (arguments.run / "metrics.jsonl").read_text().splitlines()
    validations = [record for record in map(json.loads, lines) if "J&F" in record]
    best = max(validations, key=lambda record: record["J&F"])
    weights = CHECKPOINTS / f"{arguments.name}.safetensors"
    save_network(weights, network, config, categories=CATEGORIES, half=True)
    network, config = load_network(weights)  # the scores are those of what ships
    scores = test_scores(network, config)
    summary = (
        f"toy profile, {arguments.training}; "
        f"J&F {100 * scores['davis']['J&F-Mean']:.1f} on {TEST_VIDEOS} held-out test videos"
    )
    videos = list(toy_split("test", TEST_VIDEOS))
    each = [
        evaluate_tracks([video], [predict_video(network, video, config)])[0].jf_mean
        for video in videos
    ]
    card = {
        "summary": summary,
        "test": scores,
        "test_videos": TEST_VIDEOS,
        "J&F of each test video": each,
        "best_step": best["step"],
        "validation_J&F": best["J&F"],
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    with replacing(CHECKPOINTS / f"{arguments.name}.json") as file:
        file.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(summary)
    print_scores(scores)


if __name__ == "__main__":
    main()
