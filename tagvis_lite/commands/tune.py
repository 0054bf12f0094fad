"""`tagvis tune`: thresholds of the clustering that suit a network, from its held-out videos."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from tagvis_lite.checkpoint import read_header, weights_file
from tagvis_lite.commands.check import device_problems, folder_problems, refuse, truth_problems
from tagvis_lite.commands.options import Device, Split, device_named

SHOWN = 10
"""Rows of the table: the best settings, and that of the weights."""


def tune(
    run: Annotated[Positional[Path], arg(metavar="RUN", help="folder of a run, or weights.")],
    data: Path,
    split: Split = None,
    foreground: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7),
    bandwidth: tuple[float, ...] = (0.2, 0.3, 0.4, 0.55, 0.75, 1.0),
    prominence: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5),
    min_area: tuple[float, ...] = (),
    out: Path | None = None,
    device: Device = "auto",
) -> None:
    """Try every combination of thresholds on videos that were held out from training.

    Every video passes the network once. J&F is that of the frames it saw, at the size of its tags.

    Args:
        data: root that the run was trained on; its videos for validation are used, and the split
            that is reported is not.
        split: another split of the root.
        foreground: values of inference.foreground.
        bandwidth: values of inference.bandwidth.
        prominence: values of inference.prominence.
        min_area: values of inference.min_area; that of the weights alone when not given.
        out: file for the weights with the best thresholds as their own; none when not given.
    """
    from tagvis_lite.data.find import find_training_data, find_videos
    from tagvis_lite.evaluation.tables import markdown_table

    weights = weights_file(run)
    config, classes = read_header(weights)
    videos = find_videos(data, split)[0] if split else find_training_data(data).validation
    own = config.inference
    tried = product(foreground, bandwidth, prominence, min_area or (own.min_area,))
    names = ("foreground", "bandwidth", "prominence", "min_area")
    settings = [
        replace(own, foreground=a, bandwidth=b, prominence=c, min_area=d) for a, b, c, d in tried
    ]
    settings = list(dict.fromkeys([own, *settings]))
    refuse(
        truth_problems(videos)
        + device_problems(device)
        + (folder_problems(out.absolute().parent) if out else [])
    )

    # They import torch, which takes seconds: a mistake in the path is told before.
    from tagvis_lite.runs import load_network, save_network
    from tagvis_lite.training.tuning import score_settings

    network, _ = load_network(weights)
    network = network.to(device_named(device))
    scores = score_settings(network, videos, config, settings, device_named(device))
    order = sorted(range(len(settings)), key=lambda k: -scores[k])
    shown = order[:SHOWN] if 0 in order[:SHOWN] else [*order[: SHOWN - 1], 0]
    rows = [
        {
            **{name: f"{getattr(settings[k], name):g}" for name in names},
            "J&F": scores[k],
            "": "as it was" if k == 0 else "",
        }
        for k in shown
    ]
    print(f"{len(settings)} settings on {len(videos)} videos\n\n{markdown_table(rows)}\n")
    best = settings[order[0]]
    options = " ".join(
        f"--inference.{name.replace('_', '-')} {getattr(best, name):g}" for name in names
    )
    print(f"tagvis predict INPUT --out OUT --checkpoint {run} {options}")
    if out is not None:
        save_network(out, network.cpu(), replace(config, inference=best), categories=classes)
        print(f"{out}: the same weights with these thresholds")
