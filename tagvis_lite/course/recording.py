"""Metrics of a lesson, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tagvis_lite.atomic import write_atomically
from tagvis_lite.data.toy import toy_split
from tagvis_lite.study.provenance import provenance


def record(
    lesson: str, metrics: Mapping[str, float], *, profile: str, seed: int, data: str, out: str
) -> None:
    """Print the metrics of a lesson and, if `out` names a folder, keep them with their provenance.

    Args:
        lesson: its number, such as '06'.
        metrics: name and value, printed to three significant digits.
        profile: the lesson's PROFILE.
        seed: the lesson's SEED.
        data: the lesson's DATA; empty for toy videos.
        out: the lesson's OUT; empty keeps nothing, otherwise <out>/<lesson>.json is written.
    """
    width = max(map(len, metrics), default=0)
    for name, value in metrics.items():
        print(f"{name:<{width}}  {value:.3g}")
    if not out:
        return
    origin = {
        **provenance(),
        "profile": profile,
        "seed": seed,
        "data": data or "toy",
        "data_hash": data_hash(data),
    }
    values = {name: float(value) for name, value in metrics.items()}
    text = json.dumps({"lesson": lesson, "metrics": values, "provenance": origin}, indent=1)
    path = Path(out) / f"{lesson}.json"
    write_atomically(path, lambda temporary: temporary.write_text(text + "\n"))


def data_hash(data: str) -> str:
    """A short hash that differs where the data differ.

    Of a file, its content; of a folder, the names and sizes of its files; of toy videos (an empty
    `data`), the pixels of the first test video, which change whenever the renderer does.
    """
    digest = hashlib.sha256()
    path = Path(data)
    if not data:
        video = toy_split("test", 1)[0]
        everything = range(len(video))
        digest.update(video.read_frames(everything).tobytes())
        digest.update(video.read_ids(everything).tobytes())
    elif path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
    else:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
