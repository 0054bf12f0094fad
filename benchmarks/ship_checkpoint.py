"""Turn a toy run into the checkpoint that ships: score it on the test split, write its card.

    python benchmarks/ship_checkpoint.py runs/toy_training --training "1,800 steps from random"

Writes data/checkpoints/toy.safetensors (weights and config) and data/checkpoints/toy.json (scores
on the 64 held-out test videos, config, and where it all comes from).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from toy_training import print_scores, test_scores

from tagvis_lite.atomic import write_atomically
from tagvis_lite.checkpoint import load_network, save_network
from tagvis_lite.config import TOY, config_to_dict
from tagvis_lite.data.toy import TEST_VIDEOS
from tagvis_lite.study.provenance import provenance

CHECKPOINTS = Path(__file__).parent.parent / "data" / "checkpoints"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--training", required=True, help="in words, how it was trained")
    arguments = parser.parse_args()

    network, config = load_network(arguments.run / "best.safetensors")
    config = replace(config, inference=TOY.inference)
    lines = (arguments.run / "metrics.jsonl").read_text().splitlines()
    validations = [record for record in map(json.loads, lines) if "J&F" in record]
    best = max(validations, key=lambda record: record["J&F"])
    weights = CHECKPOINTS / "toy.safetensors"
    save_network(weights, network, config, half=True)
    network, config = load_network(weights)  # the scores are those of what ships
    scores = test_scores(network, config)
    summary = (
        f"toy profile, {arguments.training}; "
        f"J&F {100 * scores['davis']['J&F-Mean']:.1f} on {TEST_VIDEOS} held-out test videos"
    )
    card = {
        "summary": summary,
        "test": scores,
        "test_videos": TEST_VIDEOS,
        "best_step": best["step"],
        "validation_J&F": best["J&F"],
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    text = json.dumps(card, indent=1) + "\n"
    write_atomically(CHECKPOINTS / "toy.json", lambda temporary: temporary.write_text(text))
    print(summary)
    print_scores(scores)


if __name__ == "__main__":
    main()
