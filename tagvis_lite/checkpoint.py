"""Files of a run: weights that carry their own config, and the state a resumed run needs.

Weights are safetensors (nothing in them is executed) with the config as json in their header, so
one file is a whole model. Training state goes through `torch.load(weights_only=True)`.
Every file is written beside its target and then moved onto it: a killed run leaves the old one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tagvis_lite.atomic import write_atomically
from tagvis_lite.config import Config, config_from_dict, config_to_dict
from tagvis_lite.model.network import TagVIS


def save_network(path: Path, network: TagVIS, config: Config, *, half: bool = False) -> None:
    """Write weights and config as one safetensors file.

    Args:
        path: the file.
        network: whose weights.
        config: of the network.
        half: store convolution weights in float16, for a file of half the size.

    Raises:
        OSError: the file cannot be written, as on a full disk.
    """
    tensors = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    if half:
        tensors = {k: v.to(torch.float16) if v.ndim > 1 else v for k, v in tensors.items()}
    metadata = {"config": json.dumps(config_to_dict(config))}
    with _failing_as_files_do(path):
        write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_network(path: Path) -> tuple[TagVIS, Config]:
    """Read what `save_network` wrote: the network, float32 in evaluation mode, and its config.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a safetensors file of this package, or weights that do not fit its config.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is not a readable safetensors checkpoint ({error}): copy it again, or make a "
            "new one with `tagvis train`"
        ) from error
    if "config" not in metadata:
        raise ValueError(
            f"{path} carries no tagvis_lite config: it was not written by this package"
        )
    try:
        config = config_from_dict(json.loads(metadata["config"]))
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


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training run.

    Raises:
        OSError: the file cannot be written, as on a full disk.
    """
    with _failing_as_files_do(path):
        write_atomically(path, lambda temporary: torch.save(dict(state), temporary))


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


@contextmanager
def _failing_as_files_do(path: Path) -> Iterator[None]:
    """Both libraries have errors of their own for a disk that is full."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        message = " ".join(str(error).split())[:200]
        raise OSError(f"cannot write {path} ({message}): is the disk full?") from error
