"""The paper profile at 32 x 224 x 224: speed, where time goes, growth, and memory of a step.

python benchmarks/paper_size.py [--repeats 5] [--threads 2] [--parts memory speed stages growth]

Every part runs its sides in turn and takes medians. The machine's own rate of matrix products
(2048 x 2048) is measured in the same turns, and a rate is given as a share of it. Processor time
per thread is recorded beside the time of the clock: on a machine with other work it is the one to
read, with one thread and --busy. Writes paper_size.json and
.png in benchmarks/results; a part that is left out keeps its earlier figures, and `--parts` alone
draws them again.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from measuring import RESULTS, record
from torch import nn
from torchvision.models.video import r2plus1d_18

from tagvis_lite.clips import make_clip
from tagvis_lite.config import PAPER, Config
from tagvis_lite.data.toy import ToyConfig, render_video
from tagvis_lite.instances import cluster_instances
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.fast import FastTagVIS
from tagvis_lite.model.network import TagVIS
from tagvis_lite.study.provenance import provenance
from tagvis_lite.study.speed import count_flops, inference_stages, on_disk
from tagvis_lite.video import Clip, Prediction
from tagvis_lite.views.figures import save
from tagvis_lite.views.overlay import OKABE_ITO

MODEL = replace(PAPER.model, pretrained=False)
CONFIG = replace(PAPER, model=MODEL)
PARTS = ("memory", "speed", "stages", "growth")
COLOURS = [tuple(OKABE_ITO[k] / 255) for k in (4, 0, 2)]
Times = dict[str, dict[str, float]]


def in_turn(sides: dict[str, Callable[[], object]], repeats: int) -> Times:
    """Median seconds by the clock, and of processor time per thread, of sides run in turn."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    with torch.inference_mode():
        for side in sides.values():
            side()  # warm-up
        for _ in range(repeats):
            for name, side in sides.items():
                clock, processor = time.perf_counter(), time.process_time()
                side()
                taken[name].append(
                    (
                        time.perf_counter() - clock,
                        (time.process_time() - processor) / torch.get_num_threads(),
                    )
                )
    return {
        name: {
            "seconds": statistics.median(t[0] for t in times),
            "processor_seconds": statistics.median(t[1] for t in times),
        }
        for name, times in taken.items()
    }


def torchvision_to_layer3() -> nn.Sequential:
    """torchvision's R(2+1)D-18 as it comes, up to the layer that our encoder ends in."""
    whole = r2plus1d_18(weights=None)
    return nn.Sequential(whole.stem, whole.layer1, whole.layer2, whole.layer3).eval()


def speed(repeats: int) -> dict[str, Any]:
    """Whole network and encoder, fp32 and bf16, and torchvision's R(2+1)D-18 to the same layer."""
    shape = (3, CONFIG.data.clip_frames, *CONFIG.data.size)
    clip = torch.randn(1, *shape)
    network = TagVIS(MODEL).eval()
    peer = torchvision_to_layer3()
    flops = {
        "network": count_flops(network, clip[0]),
        "encoder": count_flops(network.encoder, clip[0]),
        "torchvision": count_flops(peer, clip[0]),
        "matrix product": 2 * 2048**3,
    }
    sides: dict[str, Callable[[], object]] = {}

    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        square = torch.randn(2048, 2048).to(dtype)
        sides[f"matrix product {precision}"] = partial(torch.matmul, square, square)
        fast = FastTagVIS(network, precision)  # type: ignore[arg-type]
        sides[f"network {precision}"] = partial(fast, clip)
        last = clip.to(dtype=dtype, memory_format=torch.channels_last_3d)
        sides[f"encoder {precision}"] = partial(fast.network.encoder, last)
        sides[f"torchvision {precision}"] = partial(deepcopy(peer).to(dtype), clip.to(dtype))
    rows: dict[str, Any] = in_turn(sides, repeats)
    for name, row in rows.items():
        what, precision = name.rsplit(" ", 1)
        own = rows[f"matrix product {precision}"]
        row["gflop"] = flops[what] / 1e9
        row["frames_per_second"] = shape[1] / row["seconds"]
        row["frames_per_processor_second"] = shape[1] / row["processor_seconds"]
        for clock in ("seconds", "processor_seconds"):
            rate, best = flops[what] / row[clock], flops["matrix product"] / own[clock]
            row[f"gflops_by_{clock}"] = rate / 1e9
            row[f"share_of_matrix_product_by_{clock}"] = rate / best
    return rows


def made_up_prediction(config: Config, instances: int) -> Prediction:
    """What a trained network would say of a clip of so many squares side by side."""
    frames, (height, width) = config.data.clip_frames, config.data.size
    height, width = height // config.model.label_stride, width // config.model.label_stride
    columns = math.ceil(math.sqrt(instances))
    y, x = (torch.arange(side) * columns / side for side in (height, width))
    number = columns * y.long()[:, None] + x.long() + 1
    inside = (y % 1 > 0.25)[:, None] & (x % 1 > 0.25)
    ids = torch.where(inside & (number <= instances), number, 0).expand(frames, -1, -1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(ids.shape, generator=generator)
    logits = torch.zeros(config.model.num_classes, *ids.shape)
    logits[0] = torch.where(ids == 0, 10.0, -10.0)
    logits[1] = -logits[0]
    return Prediction(3.0 * ids + 0.1 * noise, logits)


def stages(repeats: int) -> dict[str, Any]:
    """From a video on disk to label maps on disk, with four instances, network in bf16."""
    fast = FastTagVIS(TagVIS(MODEL), "bf16")
    prediction = made_up_prediction(CONFIG, 4)
    toy = ToyConfig(size=(480, 854), num_frames=CONFIG.data.clip_frames)
    with tempfile.TemporaryDirectory() as folder:
        video = on_disk(toy, Path(folder))
        steps = inference_stages(fast, video, CONFIG, Path(folder), prediction=prediction)
        return {"size of video": toy.size, "instances": 4, "stages": in_turn(steps, repeats)}


def growth(repeats: int) -> dict[str, Any]:
    """Seconds of the network with T and with size, and of tags to instances with their number."""
    fast = FastTagVIS(TagVIS(MODEL), "bf16")
    clips = {f"T = {t}": (t, 224) for t in (8, 16, 32)} | {
        f"{size} x {size}": (8, size) for size in (128, 224, 320)
    }
    sides: dict[str, Callable[[], object]] = {}
    for name, (t, size) in clips.items():
        sides[name] = partial(fast, torch.randn(1, 3, t, size, size))
    for number in (1, 5, 10, 20):
        prediction = made_up_prediction(CONFIG, number)
        found = len(cluster_instances(prediction, CONFIG.inference).modes)
        assert found == number, f"{found} of {number} instances found"
        sides[f"{number} instances"] = partial(cluster_instances, prediction, CONFIG.inference)
    return dict(in_turn(sides, repeats))


def training_step(precision: str) -> None:
    """One training step of the paper profile on random frames, in a process of its own."""
    config = CONFIG
    toy = render_video(0, ToyConfig(size=config.data.size, num_frames=config.data.clip_frames))
    clip = make_clip(
        toy,
        range(len(toy)),
        config.data,
        config.model.num_classes,
        label_stride=config.model.label_stride,
    )
    batch = Clip.collate([clip])
    network = TagVIS(config.model).train().to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.train.learning_rate)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # so that Adam's state is there, as it is from the second step on
    before = peak_bytes()
    start = time.perf_counter()
    optimizer.zero_grad()
    frames = batch.frames.contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision != "32-true"):
        prediction = network(frames)
    generator = torch.Generator().manual_seed(0)
    overall_loss(prediction, batch, config.loss, generator).overall.backward()
    optimizer.step()
    seconds = time.perf_counter() - start
    print(json.dumps({"before": before, "peak_bytes": peak_bytes(), "seconds": seconds}))


def peak_bytes() -> int:
    """Of this process, everything included."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory(threads: int) -> dict[str, Any]:
    """Peak of the whole process in a training step."""
    rows: dict[str, Any] = {}
    for precision in ("32-true", "bf16-mixed"):
        command = [sys.executable, __file__, "step", precision, str(threads)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        rows[precision] = json.loads(ran.stdout)
    return rows


def draw(results: dict[str, Any]) -> Figure:
    """Shares of the machine's rate, stages and growth, side by side."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 2)
    clock = "processor_seconds" if results["speed"]["busy"] else "seconds"

    rows = {k: v for k, v in results["speed"]["rows"].items() if "matrix" not in k}
    shares = [100 * row[f"share_of_matrix_product_by_{clock}"] for row in rows.values()]
    bars = axes[0, 0].barh(
        list(rows), shares, color=[COLOURS["bf16" in name] for name in rows], height=0.6
    )
    axes[0, 0].bar_label(bars, fmt="%.0f %%", padding=3)
    axes[0, 0].set(xlabel="share of the rate of plain matrix products, %", xlim=(0, 130))
    axes[0, 0].invert_yaxis()

    names = list(results["stages"]["stages"])
    milliseconds = [1000 * results["stages"]["stages"][name][clock] for name in names]
    bars = axes[0, 1].barh(names, milliseconds, color=COLOURS[0], height=0.6)
    axes[0, 1].bar_label(bars, fmt="%.0f", padding=3)
    axes[0, 1].set(xlabel="ms for 32 frames, network in bf16")
    axes[0, 1].set_xlim(0, 1.15 * max(milliseconds))
    axes[0, 1].invert_yaxis()

    grown = results["growth"]
    for k, (unit, label) in enumerate((("T = ", "network, T"), (" x ", "network, T = 8, size"))):
        points = {n: row for n, row in grown.items() if n != "threads" and unit in n}
        values = [int(name.removeprefix("T = ").split()[0]) for name in points]
        taken = [row[clock] for row in points.values()]
        ratio = [t / taken[0] for t in taken]
        axes[1, 0].plot(
            [v / values[0] for v in values], ratio, "os"[k] + "-", color=COLOURS[k], label=label
        )
        axes[1, 0].annotate(
            str(values[-1]),
            (values[-1] / values[0], ratio[-1]),
            (4, -10),
            textcoords="offset points",
        )
    found = {int(n.split()[0]): row[clock] for n, row in grown.items() if "instances" in n}
    axes[1, 0].plot(
        [n / min(found) for n in found],
        [t / found[min(found)] for t in found.values()],
        "^-",
        color=COLOURS[2],
        label="tags to instances, number",
    )
    axes[1, 0].set(
        xlabel="times the smallest: T = 8, size 128, 1 instance", ylabel="times its time"
    )
    axes[1, 0].set(xscale="log", yscale="log", xticks=[1, 2, 4, 10, 20], yticks=[1, 2, 4, 6])
    for axis in (axes[1, 0].xaxis, axes[1, 0].yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes[1, 0].legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.36))

    steps = results["memory"]
    names = [name for name in steps if name != "threads"]
    gigabytes = [steps[name]["peak_bytes"] / 1e9 for name in names]
    bars = axes[1, 1].barh(np.arange(len(names)), gigabytes, 0.5, color=COLOURS[0])
    axes[1, 1].bar_label(bars, fmt="%.1f", padding=3)
    axes[1, 1].set_yticks(np.arange(len(names)), names)
    axes[1, 1].set(xlabel="GB at the peak of a training step", xlim=(0, 9))
    axes[1, 1].invert_yaxis()
    axes[1, 1].legend(frameon=False, loc="lower right")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def table(rows: dict[str, Any]) -> str:
    lines = [
        "| | GFLOP | seconds | frames/s | processor s | frames/processor s | share of GEMM |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        frames = "" if "matrix" in name else f"{row['frames_per_second']:.1f}"
        per = "" if "matrix" in name else f"{row['frames_per_processor_second']:.1f}"
        lines.append(
            f"| {name} | {row['gflop']:.0f} | {row['seconds']:.2f} | {frames} "
            f"| {row['processor_seconds']:.2f} | {per} "
            f"| {100 * row['share_of_matrix_product_by_processor_seconds']:.0f} % |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--busy", action="store_true", help="draw processor time, not the clock's")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    path = RESULTS / "paper_size.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for part in chosen.parts:
        print(f"{part} ...", flush=True)
        if part == "memory":  # first: a child process starts from the peak of its parent
            results[part] = memory(chosen.threads)
        elif part == "speed":
            rows = speed(chosen.repeats)
            results[part] = {"busy": chosen.busy, "repeats": chosen.repeats, "rows": rows}
            print(table(rows), flush=True)
        else:
            results[part] = {"stages": stages, "growth": growth}[part](chosen.repeats)
        results[part]["threads"] = chosen.threads
        record("paper_size", {k: v for k, v in results.items() if k != "provenance"})
        if part != "speed":
            print(json.dumps(results[part], indent=1), flush=True)
    if set(PARTS) <= set(results):
        save(draw(results), RESULTS / "paper_size.png")
        print(RESULTS / "paper_size.png", provenance()["processor"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        torch.set_num_threads(int(sys.argv[3]))
        training_step(sys.argv[2])
    else:
        main()
