"""From the words of a command line to a command that can be called."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from difflib import get_close_matches
from functools import partial, wraps
from importlib import import_module
from typing import Any

Commands = Mapping[str, tuple[str, str]]
"""Module and function in `tagvis_lite.commands` of each command, and what it does."""


def command_of(words: Sequence[str], commands: Commands) -> Callable[[], None]:
    """The command that the words ask for, with its options, ready to be called.

    Only the module of that command is imported. Help on all commands is a command, too.

    Raises:
        ValueError: no such command, or an option or value that it does not take.
        SystemExit: with code 0, after the help of the command.
    """
    for word in words:
        if any("\ud800" <= letter <= "\udfff" for letter in word):  # some libraries crash
            raise ValueError(f"{word!r} is no UTF-8: rename the file or folder")
    # a shell leaves --out=~/results as it is, and a folder named '~' is a trap
    home = os.path.expanduser("~")  # noqa: PTH111 - Path's own raises where there is none
    words = [re.sub(r"(^|(?<==))~(?=/)", lambda _: home, word) for word in words]
    name = next((n for n in (" ".join(words[:2]), *words[:1]) if n in commands), None)
    if name is None:
        return partial(print, _help(words, commands))
    module, function = commands[name][0].split(".")
    command = getattr(import_module(f"tagvis_lite.commands.{module}"), function)
    return _with_options(command, name, words[len(name.split()) :])


def _with_options(
    command: Callable[..., None], name: str, words: Sequence[str]
) -> Callable[[], None]:
    import tyro

    from tagvis_lite.commands.options import starting_values

    @wraps(command)
    def with_options(**options: Any) -> Callable[[], None]:
        return partial(command, **options)

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            start = starting_values(command, words)
            parsed: Callable[[], None] = tyro.cli(
                partial(with_options, **start),
                prog=f"tagvis {name}",
                args=words,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ValueError(f"{_one_line(said.getvalue())} (see tagvis {name} --help)") from None
    return parsed


def _one_line(box: str) -> str:
    """What tyro draws into a box on standard error, without the box and its advice."""
    rows = [re.sub(r"^[│╭╰]|[│╮╯]$", "", row.strip()).strip() for row in box.splitlines()][1:]
    parts = re.split(r"^[─-]{5,}$", "\n".join(rows), flags=re.MULTILINE)
    body, *advice = (part.strip() for part in parts if part.strip())
    words = " ".join(body.split())
    words = re.sub(r"^Error parsing \S*(fields|inference)(\.\w+)?: ", "", words)
    if len(words) > 300:
        words = words[:297] + "..."
    nearest = re.search(r"^Perhaps you meant:\s+(--\S+)", advice[0]) if advice else None
    return words[:1].lower() + words[1:] + (f"; perhaps {nearest[1]}" if nearest else "")


def _help(words: Sequence[str], commands: Commands) -> str:
    """What there is, of all commands or of those that begin with the first word."""
    asks = [word for word in words[:2] if word in ("--help", "-h")]
    names = [name for name in commands if asks == words or name.split()[0] in words[:1]]
    if not asks or not names:
        asked = " ".join(words[:2])
        near = get_close_matches(asked, names or commands, 1)
        there = f"perhaps {near[0]}" if near else f"there are {', '.join(names or commands)}"
        raise ValueError(f"no command {asked!r}, {there} (see tagvis --help)")
    return (
        "Tag-based video instance segmentation (Kini & Shah, 2022).\n\n"
        "usage: tagvis COMMAND [OPTIONS]\n       tagvis COMMAND --help\n\n"
        + "\n".join(f"  {name:<29} {commands[name][1]}" for name in names)
    )
