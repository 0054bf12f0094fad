"""Where a number comes from: versions, processor, revision, date."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch


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


def require_checkout(module: str) -> None:
    """End a developer's module with one line where it has no repository to work on."""
    if not (Path(__file__).parents[2] / "pyproject.toml").is_file():
        print(f"{module} writes into a clone of the repository: run it there", file=sys.stderr)
        raise SystemExit(2)


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(__file__).parent
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return "unknown"
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
