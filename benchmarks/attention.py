"""Literal against pooled attention at T = 32, 14 x 14, d = 128: ratios of time and of peak memory.

python benchmarks/attention.py

Time is a median over turns that the two take one after the other. Peak memory is what a process of
its own needs on top of its imports and inputs. Both on float32, for the forward pass alone and for
forward and backward.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

import torch
from measuring import interleave, record

from tagvis_lite.model.attention import literal_attention, pooled_attention

BATCH, FRAMES, POSITIONS, CHANNELS = 1, 32, 14 * 14, 128
REPEATS = 9
FORMS = {"literal": literal_attention, "pooled": pooled_attention}
PASSES = ("forward", "forward and backward")


def attend(form: str, which: str, frames: int = FRAMES) -> Callable[[], None]:
    """One pass over random queries, keys and values."""
    generator = torch.Generator().manual_seed(0)
    shape = (BATCH, frames, POSITIONS, CHANNELS)
    query, key, value, upstream = (torch.randn(shape, generator=generator) for _ in range(4))
    backward = which == "forward and backward"
    inputs = [x.requires_grad_(backward) for x in (query, key, value)]

    def run() -> None:
        mixed = FORMS[form](*inputs)
        if backward:
            torch.autograd.grad(mixed, inputs, upstream)

    return run


def resident_peak() -> float:
    """MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def print_peak_memory(form: str, which: str) -> None:
    attend(form, which, frames=1)()  # loads what PyTorch loads when first asked
    run = attend(form, which)
    before = resident_peak()
    run()
    print(resident_peak() - before)


def peak_memory(form: str, which: str) -> float:
    command = [sys.executable, __file__, form, which]
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def main() -> None:
    # Memory first: a child process starts from the peak of its parent.
    memory = {which: {form: peak_memory(form, which) for form in FORMS} for which in PASSES}
    seconds = {
        which: interleave({form: attend(form, which) for form in FORMS}, REPEATS)
        for which in PASSES
    }
    rows = {
        which: {
            "seconds": seconds[which],
            "time_ratio": seconds[which]["literal"] / seconds[which]["pooled"],
            "peak_mib": memory[which],
            "memory_ratio": memory[which]["literal"] / memory[which]["pooled"],
        }
        for which in PASSES
    }
    print("| pass | literal | pooled | time ratio | literal | pooled | memory ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for which, row in rows.items():
        time, peak = seconds[which], memory[which]
        print(
            f"| {which} | {time['literal']:.2f} s | {time['pooled']:.2f} s "
            f"| {row['time_ratio']:.1f} | {peak['literal']:.0f} MiB | {peak['pooled']:.0f} MiB "
            f"| {row['memory_ratio']:.1f} |"
        )
    shape = {"batch": BATCH, "frames": FRAMES, "positions": POSITIONS, "channels": CHANNELS}
    record("attention", {"shape": shape, "repeats": REPEATS, "passes": rows})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print_peak_memory(*sys.argv[1:])
    else:
        main()
