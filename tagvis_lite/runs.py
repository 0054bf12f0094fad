"""What a run leaves on disk: whose folder it is, weights with their config, training state.

Weights are safetensors (nothing in them is executed) with the config as json in their header, so
one file is a whole model. Training state goes through `torch.load(weights_only=True)`.
Every file is written beside its target and then moved onto it: a killed run leaves the old one.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save

from tagvis_lite.atomic import is_remains, remove_remains, replacing
from tagvis_lite.checkpoint import read_header, weights_file
from tagvis_lite.checkpoint import shipped as shipped  # where lessons look for it
from tagvis_lite.config import SECTIONS, Config, config_to_dict
from tagvis_lite.model.network import TagVIS
from tagvis_lite.video import Frames, Video

# ---------------------------------------------------------------- whose folder


def check_run(out: Path, settings: Mapping[str, Any], may_change: Collection[str] = ()) -> bool:
    """Whether `out` holds a run of these settings, to go on with; nothing is written.

    Args:
        out: folder of the run.
        settings: all that results depend on, as json can hold it: config, data, weights.
        may_change: dotted names, such as 'train.workers', that results do not depend on.

    Raises:
        NotADirectoryError: `out` is a file.
        FileExistsError: `out` holds something else.
        ValueError: `out` holds a run of other settings; those that differ are named.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file: choose a folder")
    path = out / "run.json"
    if not path.exists():
        if out.exists() and not all(map(is_remains, out.iterdir())):
            command = f"tagvis {settings['command']}"
            raise FileExistsError(
                f"{out} holds files that are not of `{command}`: choose another folder"
            )
        return False
    differing = differences(read_json(path), settings, may_change)
    if differing:
        names = {words.split(":")[0] for words in differing}
        steps = names <= {"train.steps", "train.epochs"}
        raise ValueError(
            f"{out} holds a run that differs in {'; '.join(differing[:4])}: "
            + ("use --extend" if steps else "choose another folder, or delete it")
        )
    return True


def open_run(out: Path, settings: Mapping[str, Any], may_change: Collection[str] = ()) -> bool:
    """Make a folder of results, or take up an earlier one, without what a kill left half-written.

    Arguments and errors are those of `check_run`.
    """
    going_on = check_run(out, settings, may_change)
    out.mkdir(parents=True, exist_ok=True)
    remove_remains(out)
    write_json(out / "run.json", settings)
    return going_on


def differences(
    kept: Mapping[str, Any], now: Mapping[str, Any], may_change: Collection[str] = ()
) -> list[str]:
    """What differs between two settings, each as 'train.steps: 40, now 60'.

    A field of the config that settings of an earlier version lack has its default there.
    """
    defaults = {name: vars(section()) for name, section in SECTIONS.items() if name in kept}
    before = _flat(json.loads(json.dumps(defaults))) | _flat(kept)
    after = _flat(json.loads(json.dumps(now)))
    missing = "not there"
    return [
        f"{name}: {before.get(name, missing)}, now {after.get(name, missing)}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name, missing) != after.get(name, missing) and name not in may_change
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        flat |= _flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat


def fingerprint(videos: Sequence[Video]) -> str:
    """Tells sets of videos apart, as '60 videos, 1f3a9c02b7de'.

    Of files it takes the names and sizes, and the content of the first frame and label map: what a
    copy on another disk keeps, as times are not. Of arrays in memory it takes the content.
    """
    digest = hashlib.sha256()
    if isinstance(videos, list | tuple):
        for video in videos:
            digest.update(repr((video.name, list(video.frame_names))).encode())
            for source in (video.frames, video.ids):
                _take(digest, source)
    else:  # made when asked for
        _take(digest, videos)
    return f"{len(videos)} videos, {digest.hexdigest()[:12]}"


def number_of_videos(run: Path) -> int | None:
    """How many training videos the run in a folder has, by their fingerprint; None without one."""
    if not (run / "run.json").is_file():
        return None
    settings = _flat(read_json(run / "run.json"))
    found = re.match(r"\d+(?= videos)", str(settings.get("videos.train")))
    return int(found[0]) if found else None


def _take(digest: hashlib._Hash, source: Frames | Sequence[Video] | None) -> None:
    paths = getattr(source, "paths", None) or [getattr(source, "path", None)]
    if isinstance(paths[0], Path):
        digest.update(repr([(path.name, path.stat().st_size) for path in paths]).encode())
        digest.update(paths[0].read_bytes()[: 2**24])
    elif isinstance(source, np.ndarray):
        digest.update(np.ascontiguousarray(source).data)
    elif source is not None:
        digest.update(pickle.dumps(source))


def weights_fingerprint(network: torch.nn.Module) -> str:
    """Tells weights apart, whichever file they came in."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read an object that `write_json` wrote, with these keys. Raises ValueError if damaged."""
    try:
        value = json.loads(path.read_bytes())
        missing = [key for key in keys if key not in value]
        if not isinstance(value, dict) or missing:
            raise ValueError(f"it holds no {', '.join(missing) or 'object'}")
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it") from error
    return value


def write_json(path: Path, value: object) -> None:
    """Write plain values as json."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


# ---------------------------------------------------------------- weights and state


def save_network(
    path: Path,
    network: TagVIS,
    config: Config,
    *,
    categories: Mapping[int, str] | None = None,
    half: bool = False,
) -> None:
    """Write weights and config as one safetensors file.

    Args:
        path: the file.
        network: whose weights.
        config: of the network.
        categories: name of each class; data of other names are then told apart.
        half: store convolution weights in float16, for a file of half the size.

    Raises:
        OSError: the file cannot be written, as on a full disk.
    """
    tensors = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    if half:
        tensors = {k: v.to(torch.float16) if v.ndim > 1 else v for k, v in tensors.items()}
    metadata = {"config": json.dumps(config_to_dict(config))}
    if categories is not None:
        metadata["categories"] = json.dumps(categories)
    with replacing(path) as temporary:  # save_file would make a file that only its owner reads
        temporary.write_bytes(save(tensors, metadata))


def load_network(path: str | Path) -> tuple[TagVIS, Config]:
    """Read what `save_network` wrote: the network, float32 in evaluation mode, and its config.

    Args:
        path: of a safetensors file or of the folder of a run, or the name of weights that ship:
            "toy" or "toy2".

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a safetensors file of this package, or weights that do not fit its config.
    """
    path = weights_file(path)
    config, _ = read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        with torch.device("meta"):  # no memory, whatever sizes the file asks for
            network = TagVIS(replace(config.model, pretrained=False))
        network.load_state_dict(tensors, assign=True)
        network = network.float()
    except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError) as error:
        message = " ".join(str(error).split())[:300]
        raise ValueError(
            f"the weights in {path} do not fit this version of tagvis_lite: {message}"
        ) from error
    return network.eval(), config


def save_state(path: Path, state: Mapping[str, Any], keep: int = 1) -> None:
    """Write the state of a training run.

    Args:
        path: the file.
        state: tensors and plain values; `step` among them.
        keep: with more than one, so many of the latest stay as `state-<step>.pt` beside it.

    Raises:
        OSError: the file cannot be written, as on a full disk.
    """
    with replacing(path) as temporary:
        try:
            torch.save(dict(state), temporary)
        except RuntimeError as error:  # torch's own for a disk that is full
            message = " ".join(str(error).split())[:200]
            raise OSError(f"cannot write {path} ({message}): is the disk full?") from error
    if keep > 1:
        with replacing(path.with_name(f"state-{state['step']:08d}.pt")) as temporary:
            shutil.copyfile(path, temporary)
        for old in sorted(path.parent.glob("state-*.pt"))[:-keep]:
            old.unlink()


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote; never executes anything in the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a truncated or foreign file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no training state at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle raises nearly anything
        message = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is not a readable training state ({message}): delete it to start the run anew"
        ) from error
    if not isinstance(state, dict) or "step" not in state:
        raise ValueError(
            f"{path} holds no training state of this package: delete it to start the run anew"
        )
    return state
