"""Where time goes at inference: the counts and timings behind `tagvis profile`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.config import Config
from tagvis_lite.data.toy import ToyConfig, render_video
from tagvis_lite.inference import interpolate_ids, merge_repeats, predict_clip, read_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.model.network import TagVIS


def profile_inference(
    config: Config, *, device: str = "cpu", bf16: bool = False, repeats: int = 3
) -> str:
    """Time the stages of inference on one synthetic video of a network with random weights.

    Args:
        config: network, clip length and size.
        device: where the network runs.
        bf16: run the network in bfloat16 autocast.
        repeats: runs; the median is shown.

    Returns:
        A Markdown table. Decoding from disk and writing are not part of it.

    Raises:
        ValueError: fewer than one run.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}, expected 1 or more")
    network = TagVIS(replace(config.model, pretrained=False)).eval().to(device)
    height, width = config.data.size
    video = render_video(0, ToyConfig(size=(height, width), num_frames=config.data.clip_frames))
    frames, indices, size = read_clip(video, config.data)

    def run_network() -> None:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            predict_clip(network, frames, device)
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()

    with FlopCounterMode(display=False) as counter:
        run_network()
    prediction, kept = merge_repeats(predict_clip(network, frames, device), indices)
    instances = cluster_instances(prediction, config.inference)
    stages: dict[str, Callable[[], object]] = {
        "read and resize frames": lambda: read_clip(video, config.data),
        "network": run_network,
        "tags to instances": lambda: cluster_instances(prediction, config.inference),
        "masks to full size": lambda: interpolate_ids(instances.ids, kept, len(video), size),
    }
    parameters = sum(p.numel() for p in network.parameters())
    lines = [
        f"profile {config.profile}: {len(video)} frames of {height} x {width}, {device}, "
        f"{'bf16' if bf16 else 'fp32'}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}",
        f"{parameters:,} parameters, {counter.get_total_flops() / 1e9:,.1f} GFLOP a clip",
        "",
        "| stage | seconds | frames a second |",
        "|---|---|---|",
    ]
    for name, stage in stages.items():
        seconds = _median_seconds(stage, repeats)
        lines.append(f"| {name} | {seconds:.4f} | {len(video) / seconds:,.0f} |")
    return "\n".join(lines)


def _median_seconds(stage: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        stage()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
