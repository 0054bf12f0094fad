"""Files and folders of results that a killed process leaves whole, or known as its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it takes the place of `path` at the end.

    After an exception or a kill, `path` is what it was before. Missing folders are made.

    Raises:
        OSError: names `path` where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        with naming(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an `OSError` within say which file it is of: that of a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


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


def claim_folder(out: Path, mark: str, what: str) -> None:
    """Make a folder of results, or take an earlier one of the same kind, and nothing else.

    Args:
        out: the folder.
        mark: name of the file that says whose folder it is.
        what: what made it, for the message.

    Raises:
        FileExistsError: `out` holds files, but not that one.
    """
    if out.exists() and not (out / mark).exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds files that are not of {what}: choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / mark).touch()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a path to write to, as in `replacing`: for writes of one expression."""
    with replacing(path) as temporary:
        write(temporary)
