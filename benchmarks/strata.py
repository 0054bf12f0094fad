"""What the shipped networks make of toy videos that each ask for one thing, part by part.

    python benchmarks/strata.py [--videos 16]

In every stratum (`tagvis_lite.data.toy_strata`) and on the test set of every day: the control whose
tag is a pixel's own place, on all 256 videos of the stratum; then both networks and the rows of
`tagvis_lite.study.oracles` on the first few. Per-video J&F is recorded too. A set that is done is
kept in runs/strata, so that the same command goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import tyro
from measuring import record

from tagvis_lite.data.toy import TEST_VIDEOS, toy_split
from tagvis_lite.data.toy_strata import strata
from tagvis_lite.runs import load_network, read_json, write_json
from tagvis_lite.study.oracles import score_parts, score_position
from tagvis_lite.video import Video

CHECKPOINTS = ("toy", "toy2")


def main(videos: int = 16) -> None:
    """Measure and record.

    Args:
        videos: of each stratum, for the networks; of the test set they get all.
    """
    sets: dict[str, Sequence[Video]] = {"test": toy_split("test", TEST_VIDEOS), **strata()}
    networks = {name: load_network(name) for name in CHECKPOINTS}
    data = networks["toy"][1].data
    kept = Path("runs/strata")
    kept.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = {}
    for name, every in sets.items():
        shown = TEST_VIDEOS if name == "test" else videos
        path = kept / f"{name}-{shown}.json"
        if not path.exists():
            start = time.process_time()
            rendered = list(every)
            milliseconds = 1000 * (time.process_time() - start) / len(every)
            values: dict[str, object] = {
                "videos": len(every),
                "milliseconds to render one": round(milliseconds, 1),
                "position": score_position(rendered, data),
                "videos for networks": len(rendered[:shown]),
            }
            for checkpoint, (network, config) in networks.items():
                parts = score_parts(network, rendered[:shown], config)
                values[checkpoint] = parts.as_dict()
                print(
                    name, checkpoint, {row: round(v, 3) for row, v in parts.jf.items()}, flush=True
                )
            write_json(path, values)
        found[name] = read_json(path)
    record("strata", {"sets": found})


if __name__ == "__main__":
    tyro.cli(main)
