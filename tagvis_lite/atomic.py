"""Files and folders that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it takes the place of `path` at the end.

    After an exception or a kill, `path` is what it was before. Missing folders are made. What a
    kill leaves beside it, `remove_remains` removes.

    Raises:
        OSError: names `path` where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.partial{path.suffix}")
    try:
        with naming(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside `path` to fill; it becomes `path` at the end.

    After an exception or a kill there is no `path`; what a kill leaves is removed the next time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_remains(path: Path) -> bool:
    """Whether this is what a killed `replacing` left."""
    return re.match(r"\.[0-9a-f]{16}\.partial(\.|$)", path.name) is not None


def remove_remains(folder: Path) -> None:
    """Remove what killed writes left in a folder that no other process writes to now."""
    for path in filter(is_remains, folder.rglob(".*.partial*")):
        path.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an `OSError` within say which file it is of: that of a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
