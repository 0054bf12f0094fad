"""What to say where a package of an optional extra is missing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a missing module into one line with the command that installs the extra.

    It names the packages themselves, so it works for a checkout and for a wheel alike.

    Args:
        extra: `lab` or `export`, as pyproject.toml has it.

    Raises:
        ValueError: a module was missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        try:
            lines = requires("tagvis-lite") or []
        except PackageNotFoundError:  # used from a folder, without an installation
            lines = []
        wanted = [
            line.partition(";")[0].strip()
            for line in lines
            if re.search(rf"extra == ['\"]{extra}['\"]", line)
        ]
        packages = " ".join(f"'{line}'" for line in wanted) or str(error.name)
        raise ValueError(f"{error}: {sys.executable} -m pip install {packages}") from error
