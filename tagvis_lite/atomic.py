"""Files and folders that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def trial_folder(out: Path) -> Iterator[Path]:
    """Try whether a folder can be written to, before the work whose results go there.

    Gives an empty folder in `out`, or in the first folder above it that is there, and removes it.

    Raises:
        OSError: names `out` and says why not.
    """
    try:
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"{out} is a file: choose a folder")
        there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        trial = there / ".tagvis.partial"
        trial.mkdir(exist_ok=True)
    except OSError as error:
        if error.strerror is None:
            raise
        raise OSError(
            f"{out} cannot be written ({error.strerror}): choose another folder"
        ) from error
    try:
        yield trial
    finally:
        with suppress(FileNotFoundError):  # another process may try the same
            trial.rmdir()


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
