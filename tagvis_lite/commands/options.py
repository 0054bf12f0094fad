"""The words that all commands share, and from where the values of their options start.

ROOT, INPUT    positional: a data set, or anything that can be predicted
--out          the folder or file to write
--split        of a root; the held-out one that is there when not given
--device       cpu, cuda, cuda:1, mps or auto
--precision    fp32 or bf16; in training 16-mixed, too
--checkpoint   weights, or the folder of a run
--profile      toy, paper or smoke; with it every field of the config is an option by name
"""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from tagvis_lite.checkpoint import read_header, weights_file, weights_for
from tagvis_lite.config import PROFILES, TOY, Config, config_from_dict, config_to_dict

Root = Annotated[
    Positional[Path], arg(metavar="ROOT", help="root of a data set, of DAVIS or YouTube-VIS.")
]
Input = Annotated[
    Positional[Path],
    arg(
        metavar="INPUT", help="a video file, a folder of frames, or a root of DAVIS or YouTube-VIS."
    ),
]
Results = Annotated[Positional[Path], arg(metavar="RESULTS")]
Split = Annotated[str | None, arg(help="which videos of a root; the held-out ones when not given.")]
Device = Annotated[
    str, arg(help="cpu, cuda, cuda:1, mps; auto is a GPU where there is one, and else the CPU.")
]
Precision = Annotated[
    Literal["fp32", "bf16"],
    arg(help="arithmetic of the network: bf16 is faster where the processor has it."),
]
Checkpoint = Annotated[
    Path | None,
    arg(
        help="weights, the folder of a run, or the name of weights that ship: toy (the default for "
        "toy videos), toy2, real (the default for all others)."
    ),
]
Fields = Annotated[Config, arg(name="")]
"""The profile, and every field of the config by name."""


def device_named(name: str) -> str:
    """The device that `--device` means, tried out.

    Raises:
        ValueError: this machine or this torch does not have it.
    """
    import torch

    if name == "auto":
        here = torch.accelerator.current_accelerator(check_available=True)
        return "cpu" if here is None else here.type
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        message = str(error).split(". ")[0]
        raise ValueError(f"device {name!r} cannot be used here: {message}") from error
    return name


# ---------------------------------------------------------------- where options start


def starting_values(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """Values of a command's options that other options on the same command line decide."""
    options = inspect.signature(command).parameters
    if "fields" in options:
        own = options["fields"].default
        return {"fields": _starting_config(words, own if isinstance(own, Config) else TOY)}
    if "inference" in options:
        weights = weights_file(_value(words, "--checkpoint") or weights_for(_input(words)))
        return {"inference": read_header(weights)[0].inference}
    return {}


def _starting_config(words: Sequence[str], otherwise: Config) -> Config:
    """`--from`, `--config` or `--profile`: the values that all other fields start from."""
    file, profile = _value(words, "--config"), _value(words, "--profile")
    if file is not None:
        return read_config(Path(file), profile)
    if profile is not None:
        return named_profile(profile)
    weights = _value(words, "--from")
    if weights is not None:
        return read_header(weights_file(weights))[0]
    return otherwise


def _input(words: Sequence[str]) -> str:
    """The first word that is a path and no value of an option; '' where there is none."""
    from tagvis_lite.data.images import at_home

    left = iter(words)
    for word in left:
        if word.startswith("-"):
            if "=" not in word:
                next(left, None)
        elif (path := at_home(word)).exists():
            return str(path)
    return ""


def _value(words: Sequence[str], option: str) -> str | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(option, nargs="?", dest="value", const="")
    value: str | None = parser.parse_known_args(words)[0].value
    return value


def named_profile(name: str) -> Config:
    """The profile of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in PROFILES:
        raise ValueError(f"unknown profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]


def read_config(path: Path, profile: str | None = None) -> Config:
    """A config from a json file: that of a run, or one of some fields.

    Args:
        path: the file. Fields that it does not hold are those of its profile.
        profile: of a file that names none; toy when not given.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no json, no config, or one of another profile than `profile`.
    """
    try:
        values = json.loads(path.read_bytes())
        if not isinstance(values, Mapping):
            raise ValueError("it holds no fields")
        named = values.get("profile", profile or "toy")
        if profile is not None and named != profile:
            raise ValueError(f"its profile is {named!r}, not {profile!r} as --profile says")
        base = config_to_dict(named_profile(named))
        for name, section in values.items():
            same = isinstance(section, Mapping) and isinstance(base.get(name), Mapping)
            base[name] = base[name] | section if same else section
        return config_from_dict(base)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such config file") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no config: {error}") from error
