"""What a checkpoint is of, before its weights are read: the file, its config, its classes.

Nothing here imports torch, which takes seconds: a mistake in a path is told at once.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from tagvis_lite.config import Config, config_from_dict


def shipped(name: str) -> Path:
    """Path of a file or folder of the project's `data/`, such as 'checkpoints/toy.safetensors'.

    A wheel carries `data/` inside the package as `_data`; a checkout has it beside the package.

    Raises:
        FileNotFoundError: it is in neither place.
    """
    package = Path(__file__).resolve().parent
    places = [folder / name for folder in (package / "_data", package.parent / "data")]
    for path in places:
        if path.exists():
            return path
    beside = [file for path in places for file in sorted(path.parent.glob(f"*{path.suffix}"))]
    there = f"; there are {', '.join(path.name for path in beside)}" if beside else ""
    raise FileNotFoundError(f"{name} did not come with this installation of tagvis-lite{there}")


def weights_file(checkpoint: str | Path | None) -> Path:
    """The file of weights that is meant by a file, the folder of a run, or a name that ships.

    Args:
        checkpoint: None is 'toy'.

    Raises:
        FileNotFoundError: no such file, a folder without best.safetensors, or an unknown name.
    """
    path = Path("toy" if checkpoint is None else checkpoint)
    if checkpoint is None or (str(path).isidentifier() and not path.exists()):
        return shipped(f"checkpoints/{path}.safetensors")
    if path.is_dir():
        if not (path / "best.safetensors").is_file():
            raise FileNotFoundError(f"{path} holds no best.safetensors: give the folder of a run")
        return path / "best.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    return path


def weights_for(path: str | Path) -> str:
    """The weights that ship for videos at a path: 'toy' for toy videos, 'real' for all others."""
    path = Path(path)
    places = ("JPEGImages/480p/toy-*", "JPEGImages/toy-*", "*/JPEGImages/toy-*")
    toy = path.name.startswith("toy-") or any(True for one in places for _ in path.glob(one))
    return "toy" if toy else "real"


def read_header(weights: Path) -> tuple[Config, dict[int, str] | None]:
    """Config and names of the classes of a file of weights; no weights are read.

    Raises:
        ValueError: not a safetensors file of this package.
    """
    try:
        with safe_open(weights, framework="numpy") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{weights} is not a readable safetensors checkpoint ({error}): copy it again, or "
            "make a new one with `tagvis train`"
        ) from error
    if "config" not in header:
        raise ValueError(f"{weights} carries no tagvis_lite config: this package did not write it")
    try:
        names = json.loads(header.get("categories", "null"))
        classes = None if names is None else {int(k): str(name) for k, name in names.items()}
        return config_from_dict(json.loads(header["config"])), classes
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"the weights in {weights} do not fit this version of tagvis_lite: {error}"
        ) from error
