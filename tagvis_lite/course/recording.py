"""A lesson's parameters on the way in; on the way out its metrics, claims and their origin."""

from __future__ import annotations

import ast
import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tagvis_lite.atomic import replacing, trial_folder
from tagvis_lite.config import PROFILES
from tagvis_lite.course.claims import CLAIMS
from tagvis_lite.course.display import use_style
from tagvis_lite.data.images import at_home
from tagvis_lite.data.toy import toy_split
from tagvis_lite.study.provenance import provenance


def setup(profile: str, seed: int, data: str, out: str) -> None:
    """Check the parameters of a lesson in its second cell, seed every random number, set the style.

    A parameter that papermill set and the lesson does not have, or one of another type, is refused.

    Args:
        profile: PROFILE, a name of `PROFILES`.
        seed: SEED.
        data: DATA; empty for toy videos, otherwise a file or folder.
        out: OUT; empty, or a folder that will be made.

    Raises:
        ValueError: an unknown profile, a seed that is not 0 or more, a DATA or OUT that is no text,
            or a parameter that the lesson does not have, or has with another type.
        OSError: DATA does not exist, or OUT cannot be written to.
    """
    import torch

    _check_injected()
    if not isinstance(profile, str) or profile not in PROFILES:
        raise ValueError(f"PROFILE is {profile!r}: choose one of {', '.join(PROFILES)}")
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"SEED is {seed!r}: choose a whole number from 0 on")
    for name, value in (("DATA", data), ("OUT", out)):
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}: choose a path in quotes, or an empty text")
    if data and not at_home(data).exists():
        raise FileNotFoundError(f"DATA is {data!r}, which does not exist: name a video or a folder")
    if out:
        with trial_folder(at_home(out)):
            pass
    torch.manual_seed(seed)
    use_style()
    CLAIMS.clear()
    CLAIMS.on_own_data = bool(data)


def _check_injected() -> None:
    """Compare the cell that papermill injects with the parameters cells before it."""
    from IPython import get_ipython

    shell = get_ipython()
    cells: list[str] = shell.user_ns.get("In", []) if shell else []
    injected = [k for k, cell in enumerate(cells) if cell.startswith("# Parameters\n")]
    if not injected:
        return
    declared = _literals("\n".join(cells[: injected[-1]]))
    for name, value in _literals(cells[injected[-1]]).items():
        if name not in declared:
            there = ", ".join(declared)
            raise ValueError(f"{name} is no parameter of this lesson, which has {there}")
        wanted = type(declared[name])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise ValueError(f"{name} is {value!r}, but must be of type {wanted.__name__}")


def _literals(source: str) -> dict[str, object]:
    """Names that a cell sets to a number, a text or another literal."""
    found: dict[str, object] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def record(
    lesson: str, metrics: Mapping[str, float], *, profile: str, seed: int, data: str, out: str
) -> None:
    """Print the metrics of a lesson and, if `out` names a folder, keep them with their provenance.

    The claims that the lesson made are kept beside them.

    Args:
        lesson: its number, such as '06'.
        metrics: name and value, printed to three significant digits.
        profile: the lesson's PROFILE.
        seed: the lesson's SEED.
        data: the lesson's DATA; empty for toy videos.
        out: the lesson's OUT; empty keeps nothing, otherwise <out>/<lesson>.json is written.

    Raises:
        ValueError: no metric, or one that is not a finite number.
    """
    if not metrics or not all(map(math.isfinite, metrics.values())):
        raise ValueError(f"lesson {lesson} has metrics that are no finite numbers: {dict(metrics)}")
    width = max(map(len, metrics))
    for name, value in metrics.items():
        print(f"{name:<{width}}  {value:.3g}")
    if CLAIMS:
        print(f"{sum(made.holds for made in CLAIMS)} of {len(CLAIMS)} claims hold")
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
    kept = {"lesson": lesson, "metrics": values, "claims": [asdict(made) for made in CLAIMS]}
    text = json.dumps({**kept, "provenance": origin}, indent=1)
    path = at_home(out) / f"{lesson}.json"
    with replacing(path) as temporary:
        temporary.write_text(text + "\n")


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
