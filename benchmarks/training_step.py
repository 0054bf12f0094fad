"""One training step of the toy profile against the machine's matrix products, and where time goes.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py [--repeats N]

The share of the matrix rate is of bfloat16 products of 1024 x 1024, in the same process and in turn
with the steps. The profile is torch's own: the time of each operation alone, without those that it
calls. Beside it stand the convolutions that take longest, each with the rate that it reaches alone.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import torch
from measuring import record
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.clips import ClipDataset, clip_loader
from tagvis_lite.config import TOY, Config
from tagvis_lite.data.find import toy_training_data
from tagvis_lite.model.network import TagVIS
from tagvis_lite.study.speed import gemm_rate
from tagvis_lite.training import step

KINDS = {
    "convolutions, backward": ("convolution_backward",),
    "convolutions, forward": ("_convolution", "mkldnn_convolution", "slow_conv3d_forward"),
    "batch norm": ("native_batch_norm", "native_batch_norm_backward"),
    "attention and other matrix products": ("bmm", "_softmax", "_scaled_dot_product", "addmm"),
    "changes of type and layout": ("copy_", "_to_copy"),
    "optimiser": ("Adam", "lerp_", "addcdiv_", "addcmul_", "sqrt"),
}
"""Of torch's operations, by the beginnings of their names; the rest is 'other'."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=12)
    repeats = parser.parse_args().repeats
    config = replace(TOY, train=replace(TOY.train, channels_last=True))
    one, network = stepper(config)
    for _ in range(3):
        one()
    rates, seconds = [], []
    for _ in range(repeats):
        rates.append(gemm_rate(dtype=torch.bfloat16))
        start = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - start)
    rate, second = statistics.median(rates), statistics.median(seconds)
    flops = training_flops(network, config)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(4):
            one()
    kinds: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        name = event.key.removeprefix("aten::")
        own = event.self_cpu_time_total
        kinds[next((k for k, names in KINDS.items() if name.startswith(names)), "other")] += own
    total = sum(kinds.values())
    found = {
        "seconds": second,
        "GFLOP": flops / 1e9,
        "GFLOP/s": flops / second / 1e9,
        "GFLOP/s of matrix products, bf16": rate / 1e9,
        "share of the matrix rate": flops / second / rate,
        "threads": torch.get_num_threads(),
        "shares of the step": {k: kinds[k] / total for k in sorted(kinds, key=lambda k: -kinds[k])},
        "layers": layers(network, config, rate),
    }
    for name, value in found.items():
        print(name, value)
    record("training_step", found)


def stepper(config: Config) -> tuple[Callable[[], object], TagVIS]:
    """A function that takes one step, as a run does, on clips that it goes round."""
    data = toy_training_data(32)
    torch.manual_seed(0)
    network = TagVIS(config.model).train()
    network.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.Adam(network.parameters(), config.train.learning_rate)
    loader = clip_loader(ClipDataset(data.train, config), 0, 0, 1, torch.device("cpu"))
    clips = [clip for _, clip in islice(loader, 4)]
    turn = iter(range(10**9))

    def one() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            step(network, optimizer, clips[next(turn) % 4], config)

    return one, network


def training_flops(network: TagVIS, config: Config) -> int:
    """Operations of one step, backward included: convolutions and matrix products."""
    frames = torch.zeros(config.train.batch_size, 3, config.data.clip_frames, *config.data.size)
    with FlopCounterMode(display=False) as counter:
        prediction = network(frames)
        assert prediction.semantic_logits is not None
        (prediction.tags.sum() + prediction.semantic_logits.sum()).backward()
    network.zero_grad()
    return int(counter.get_total_flops())


def layers(network: TagVIS, config: Config, rate: float) -> list[dict[str, object]]:
    """The eight convolutions that take longest alone, forward and backward, with their rates."""
    shapes: dict[str, torch.Size] = {}
    handles = [
        module.register_forward_hook(
            lambda _m, inputs, _o, name=name: shapes.__setitem__(name, inputs[0].shape)
        )
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d)
    ]
    frames = torch.zeros(config.train.batch_size, 3, config.data.clip_frames, *config.data.size)
    with torch.no_grad():
        network(frames)
    for handle in handles:
        handle.remove()
    rows: list[dict[str, object]] = []
    for name, shape in shapes.items():
        module = network.get_submodule(name)
        last = torch.channels_last_3d
        entry = torch.randn(shape).to(torch.bfloat16).to(memory_format=last).requires_grad_()
        alone = nn.Sequential(module).to(torch.bfloat16)

        def there_and_back(alone: nn.Module = alone, entry: torch.Tensor = entry) -> None:
            alone(entry).sum().backward()

        with FlopCounterMode(display=False) as counter:
            there_and_back()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            there_and_back()
            times.append(time.perf_counter() - start)
        second, flops = statistics.median(times), counter.get_total_flops()
        module.float()
        rows.append(
            {
                "layer": name,
                "input": list(shape),
                "kernel": list(module.kernel_size),  # type: ignore[arg-type]
                "ms": 1e3 * second,
                "share of the matrix rate": flops / second / rate,
            }
        )
    return sorted(rows, key=lambda row: -float(str(row["ms"])))[:8]


if __name__ == "__main__":
    main()
