"""What every benchmark shares: where a figure comes from, and fair timing on noisy machines."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch

RESULTS = Path(__file__).parent / "results"


def provenance() -> dict[str, object]:
    """Versions, processor, threads, revision and date of a measurement."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": _revision(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
    }


def interleave(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each function, run in turn so that all see the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()  # warm-up
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def record(name: str, values: Mapping[str, object]) -> None:
    """Write benchmarks/results/<name>.json: the values and where they come from."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({**values, "provenance": provenance()}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(__file__).parent
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
