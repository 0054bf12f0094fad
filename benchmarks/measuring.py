"""What every benchmark shares: where a figure comes from, and fair timing on noisy machines."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tagvis_lite.study.provenance import provenance

RESULTS = Path(__file__).parent / "results"


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
