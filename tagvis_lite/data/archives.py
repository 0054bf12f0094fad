"""Unpack archives that others made: zip and tar, with nothing written outside the target folder.

Every member is looked at before the first byte is written. Files appear in the target whole or not
at all, and one that is there already with other content is an error, not overwritten.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import IO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from tqdm.auto import tqdm

from tagvis_lite.atomic import naming

MAX_FILES = 1_000_000
MAX_BYTES = 256 * 2**30
"""Far above any archive this project reads (YouTube-VIS 2021: tens of GiB), far below a bomb."""
CHUNK = 2**20
SPECIAL = "a link, a device or a pipe"
DAMAGED = (
    BadZipFile,
    tarfile.TarError,
    zlib.error,
    BadGzipFile,
    LZMAError,
    EOFError,
    RuntimeError,  # a password, an unknown compression
)


@dataclass(frozen=True)
class Member:
    """A regular file in an archive: its path inside, and its size in bytes."""

    name: str
    size: int


def list_members(
    archive: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> list[Member]:
    """Regular files of a zip or tar, after refusing what has no place in a data set.

    Folders are left out, and so is what macOS adds (`__MACOSX`, `.DS_Store`).

    Raises:
        FileNotFoundError: no such archive.
        ValueError: no zip or tar, damaged, encrypted; a member that is a link, a device or a pipe,
            whose path leaves the folder or stands twice; more files or bytes than allowed.
    """
    with _opened(archive) as opened:
        return _list(archive, opened, max_files, max_bytes)


def extract(
    archive: Path,
    out: Path,
    *,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
) -> list[Member]:
    """Unpack a zip or tar into `out`; a second call, or one after a kill, completes the first.

    Members are unpacked to a hidden folder inside `out` first, and moved in place when all of them
    are whole.

    Returns:
        The files of the archive, whether they were there already or not.

    Raises:
        FileExistsError: a file is there with other content. Nothing has been written.
        OSError: the disk has no room for all of it. Nothing has been written.
        FileNotFoundError, ValueError: see `list_members`.
    """
    with _opened(archive) as opened:
        members = _list(archive, opened, max_files, max_bytes)
        missing = [m for m in members if not _is_there(archive, opened, m, out / m.name)]
        out.mkdir(parents=True, exist_ok=True)
        needed, free = sum(member.size for member in missing), shutil.disk_usage(out).free
        if needed > free:
            raise OSError(
                f"{archive} needs {needed / 1e9:.1f} GB in {out}, but the disk has "
                f"{free / 1e9:.1f} GB: free some, or choose a folder on another disk"
            )
        staging = out / f".{archive.name}.partial"
        shutil.rmtree(staging, ignore_errors=True)
        try:
            for member in tqdm(missing, "extract", unit="file", mininterval=1.0, disable=None):
                _write(archive, opened, member, staging / member.name)
            for member in missing:
                target = out / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                (staging / member.name).replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return members


# ---------------------------------------------------------------- zip and tar alike


class _Archive(Protocol):
    def entries(self) -> Iterator[tuple[str, int, str]]:
        """Name, size and kind of each member; the kind is 'file', 'folder' or what it is else."""

    def open(self, name: str) -> IO[bytes]: ...


class _Zip:
    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive

    def entries(self) -> Iterator[tuple[str, int, str]]:
        for info in self.archive.infolist():
            yield info.orig_filename, info.file_size, self._kind(info)

    @staticmethod
    def _kind(info: ZipInfo) -> str:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 1:
            return "encrypted"
        if info.orig_filename.endswith("/") or kind == stat.S_IFDIR:
            return "folder"
        return "file" if kind in (0, stat.S_IFREG) else SPECIAL

    def open(self, name: str) -> IO[bytes]:
        return self.archive.open(name)


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive
        self.infos: dict[str, tarfile.TarInfo] = {}

    def entries(self) -> Iterator[tuple[str, int, str]]:
        end = 0
        for info in self.archive:
            blocks = -(-info.size // tarfile.BLOCKSIZE) if info.isreg() else 0
            end = info.offset_data + blocks * tarfile.BLOCKSIZE
            kind = "folder" if info.isdir() else "file" if info.isreg() else ""
            name = info.name.removeprefix("./")
            self.infos[name] = info
            if name != ".":
                yield name, info.size, kind or SPECIAL
        # tarfile takes a file that was cut off between two members for a whole one
        file = self.archive.fileobj
        assert file is not None
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise EOFError("its end is missing")

    def open(self, name: str) -> IO[bytes]:
        file = self.archive.extractfile(self.infos[name])
        assert file is not None
        return file


@contextmanager
def _opened(archive: Path) -> Iterator[_Archive]:
    """Open an archive; damage that is found inside, too, becomes one kind of error."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: no such archive")
    try:
        if archive.suffix.lower() == ".zip":
            with ZipFile(archive) as opened_zip:
                yield _Zip(opened_zip)
        else:
            with tarfile.open(archive) as opened_tar:
                yield _Tar(opened_tar)
    except DAMAGED as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({' '.join(str(error).split())}): it is cut off, "
            "damaged, or neither a zip nor a tar; download or copy it again"
        ) from error


def _list(archive: Path, opened: _Archive, max_files: int, max_bytes: int) -> list[Member]:
    members: list[Member] = []
    seen: set[str] = set()
    total = 0
    for name, size, kind in opened.entries():
        if kind not in ("file", "folder"):
            raise ValueError(f"{archive}: member {name!r:.200} is {kind}; it is not unpacked")
        _check_path(archive, name.rstrip("/") if kind == "folder" else name)
        parts = name.split("/")
        if kind == "folder" or parts[0] == "__MACOSX" or parts[-1] == ".DS_Store":
            continue
        if name.casefold() in seen:
            raise ValueError(f"{archive}: member {name!r:.200} stands in it twice")
        seen.add(name.casefold())
        members.append(Member(name, size))
        total += size
        if len(members) > max_files or total > max_bytes:
            raise ValueError(
                f"{archive} unpacks to more than {max_files} files or {max_bytes / 2**30:.1f} GiB: "
                "it is not the archive this is for, or a bomb"
            )
    return members


def _check_path(archive: Path, name: str) -> None:
    """Refuse a path that leaves the folder, on this system or another."""
    parts = name.split("/")
    plain = name.isprintable() and not set('\\:*?"<>|') & set(name)
    if not plain or any(not part.strip(" .") for part in parts):
        raise ValueError(
            f"{archive}: member {name!r:.200} has a path that could leave its folder, or that not "
            "every system can write; it is not unpacked"
        )


def _is_there(archive: Path, opened: _Archive, member: Member, target: Path) -> bool:
    """Whether the file is in place with the same content. Raises FileExistsError if another is."""
    if not target.exists() and not target.is_symlink():
        return False
    if target.is_file() and not target.is_symlink() and target.stat().st_size == member.size:
        with opened.open(member.name) as packed, target.open("rb") as lying:
            if all(chunk == lying.read(len(chunk)) for chunk in _chunks(packed)):
                return True
    raise FileExistsError(
        f"{target} is there already and differs from the one in {archive}: choose another folder, "
        "or delete it"
    )


def _write(archive: Path, opened: _Archive, member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member.name) as packed, naming(target), target.open("wb") as file:
        for chunk in _chunks(packed):
            written += len(chunk)
            if written > member.size:
                break
            file.write(chunk)
    if written != member.size:
        raise ValueError(
            f"{archive}: member {member.name!r:.200} is not of the {member.size} bytes that it "
            "declares: the archive is damaged; download or copy it again"
        )


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def common_folder(members: Sequence[Member]) -> str | None:
    """The one folder at the top that holds all members, if there is one."""
    tops = {member.name.split("/")[0] if "/" in member.name else "" for member in members}
    return tops.pop() or None if len(tops) == 1 else None
