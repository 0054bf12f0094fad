"""Where time goes at inference: the counts and timings behind `tagvis profile`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.config import Config
from tagvis_lite.data.images import read_image_folder, write_jpeg
from tagvis_lite.data.toy import ToyConfig, render_video
from tagvis_lite.evaluation.davis_submission import write_davis_result
from tagvis_lite.inference import (
    full_size_tracks,
    merge_repeats,
    predict_clip,
    read_clip,
)
from tagvis_lite.instances import cluster_instances
from tagvis_lite.model.fast import FastTagVIS, Precision
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Prediction, Tracks, Video


def profile_inference(
    config: Config,
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    repeats: int = 3,
) -> str:
    """Time the stages of inference on one synthetic video of a network with random weights.

    Args:
        config: network, clip length and size.
        device: where the network runs.
        precision: of weights and activations.
        repeats: runs; the median is shown.

    Returns:
        A Markdown table, and the network's share of the rate of plain matrix products.

    Raises:
        ValueError: fewer than one run.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}, expected 1 or more")
    network = TagVIS(replace(config.model, pretrained=False)).eval()
    fast = FastTagVIS(network, precision).to(device)
    height, width = config.data.size
    frames = torch.zeros(3, config.data.clip_frames, height, width)
    flops = count_flops(network, frames)
    parameters = sum(p.numel() for p in network.parameters())
    with tempfile.TemporaryDirectory() as folder:
        video = on_disk(ToyConfig(size=(height, width), num_frames=len(frames[0])), Path(folder))
        stages = inference_stages(fast, video, config, Path(folder), device)
        seconds = {name: _median_seconds(stage, repeats) for name, stage in stages.items()}
    rate = gemm_rate(device, fast.dtype)
    lines = [
        f"profile {config.profile}: {len(video)} frames of {height} x {width}, {device}, "
        f"{precision}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}",
        f"{parameters:,} parameters, {flops / 1e9:,.1f} GFLOP a clip",
        f"network: {flops / seconds['network'] / 1e9:,.1f} GFLOP/s, "
        f"{100 * flops / seconds['network'] / rate:.0f} % of {rate / 1e9:,.1f} in matrix products",
        "",
        "| stage | seconds | frames a second |",
        "|---|---|---|",
        *(f"| {name} | {s:.4f} | {len(video) / s:,.0f} |" for name, s in seconds.items()),
    ]
    return "\n".join(lines)


def count_flops(network: nn.Module, frames: torch.Tensor) -> int:
    """Operations of one clip, 3 x T x H x W: convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(frames[None])
    return int(counter.get_total_flops())


def gemm_rate(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, size: int = 1024
) -> float:
    """Operations a second of a square matrix product: the best of some turns, in about 0.2 s.

    The first product of a process sets libraries up, which takes long; it is not timed.
    """
    a, b = torch.randn(2, size, size, device=device).to(dtype)
    (a @ b).sum().item()
    best, until = float("inf"), time.perf_counter() + 0.2
    while time.perf_counter() < until or best == float("inf"):
        start = time.perf_counter()
        (a @ b).sum().item()  # waits for the device
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def on_disk(config: ToyConfig, folder: Path) -> Video:
    """A toy video as a folder of JPEGs, which are decoded anew whenever it is read."""
    video = render_video(0, config)
    for t in range(len(video)):
        write_jpeg(folder / "video" / f"{video.frame_names[t]}.jpg", video.frames[t])
    return read_image_folder(folder / "video")


def inference_stages(
    network: nn.Module,
    video: Video,
    config: Config,
    folder: Path,
    device: str = "cpu",
    prediction: Prediction | None = None,
) -> dict[str, Callable[[], object]]:
    """The five stages from a video on disk to label maps on disk, each on its own.

    Args:
        network: as `predict_video` takes it.
        video: on disk, of as many frames as the network takes or fewer.
        config: of the network.
        folder: for the label maps.
        device: where the network runs.
        prediction: what the stages after the network get; by default what it predicts.
    """
    frames, indices, size = read_clip(video, config.data)

    def run_network() -> Prediction:
        made = predict_clip(network, frames, device)
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize()
        return made

    merged, kept = merge_repeats(prediction or run_network(), indices)
    instances = cluster_instances(merged, config.inference)

    def interpolated() -> Tracks:
        return full_size_tracks(video, instances, kept, size, config.inference.interpolation)

    tracks = interpolated()
    return {
        "read and resize frames": lambda: read_clip(video, config.data),
        "network": run_network,
        "tags to instances": lambda: cluster_instances(merged, config.inference),
        "masks to full size": interpolated,
        "write label maps": lambda: write_davis_result(tracks, folder / "results"),
    }


def _median_seconds(stage: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        stage()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
