"""Label maps of results wherever they lie: a folder, or the zip that is uploaded, wrapped or not.

    <path>/[<wrapping folders>/]<sequence>/<frame>.png

Nothing is unpacked to disk.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np

from tagvis_lite.data.images import check_size
from tagvis_lite.data.label_maps import decode_label_map

UNREADABLE = (
    BadZipFile,
    EOFError,
    LZMAError,
    NotImplementedError,
    OSError,
    RuntimeError,
    UnicodeDecodeError,
    struct.error,
    zlib.error,
)
"""What `zipfile` raises about damaged or encrypted files."""
DEEPEST = 3
"""Folders that may be wrapped around those of the sequences."""


@dataclass(frozen=True)
class ResultFolder:
    """The folder that holds a folder of label maps for each sequence.

    Attributes:
        path: a folder or a zip.
        prefix: what is wrapped around the sequences in it: '' or 'some/folders/'.
    """

    path: Path
    prefix: str

    def member(self, sequence: str, frame: str = "") -> str:
        """Path of a label map, or of the folder of a sequence, inside `path`."""
        return f"{self.prefix}{sequence}/{frame}.png" if frame else f"{self.prefix}{sequence}"

    def frames(self, sequence: str) -> set[str]:
        """Names of the label maps of a sequence, without '.png'; none where it has no folder."""
        folder = self.member(sequence)
        if self.path.is_dir():
            found = (self.path / folder).glob("*.png") if (self.path / folder).is_dir() else ()
            return {path.stem for path in found}
        names = map(PurePosixPath, members(self.path))
        return {n.stem for n in names if n.suffix == ".png" and str(n.parent) == folder}

    def read(self, member: str) -> bytes:
        """Content of a file. Raises FileNotFoundError, or ValueError if the zip is damaged."""
        if self.path.is_dir():
            return (self.path / member).read_bytes()
        try:
            return _archive(self.path, self.path.stat().st_mtime_ns).read(member)
        except KeyError:
            raise FileNotFoundError(f"{self.path / member}: no such file") from None
        except UNREADABLE as error:
            raise ValueError(f"{self.path / member} cannot be read ({error})") from error


def open_results(path: str | Path, sequences: Collection[str]) -> ResultFolder:
    """Find the folders of these sequences in a folder or a zip.

    Raises:
        FileNotFoundError: nothing is at `path`, or none of the sequences.
        ValueError: no zip that can be read.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder or zip of results")
    if not path.is_dir():
        found = {PurePosixPath(name).parent for name in members(path) if name.endswith(".png")}
        parents = [str(folder.parent) for folder in found if folder.name in sequences]
    else:
        parents = list(_parents(path, sequences, DEEPEST))
    if parents:
        count = Counter(parents)  # the shallowest of those with the most sequences
        best = min(count, key=lambda parent: (-count[parent], parent.count("/"), parent))
        return ResultFolder(path, "" if best == "." else f"{best}/")
    expected = f"expected a folder for each sequence: {', '.join(sorted(sequences)[:3])}, ..."
    if path.name in sequences:
        expected += f"; did you mean {path.parent}?"
    raise FileNotFoundError(f"{path} holds no results of this split; {expected}")


def _parents(folder: Path, sequences: Collection[str], deepest: int) -> Iterator[str]:
    """The folder, relative to the first, above each folder with the name of a sequence."""
    folders = [path for path in folder.iterdir() if path.is_dir()]
    matching = [path for path in folders if path.name in sequences and any(path.glob("*.png"))]
    yield from ["."] * len(matching)
    if not matching and deepest:
        for sub in folders:
            for parent in _parents(sub, sequences, deepest - 1):
                yield sub.name if parent == "." else f"{sub.name}/{parent}"


def members(path: Path) -> list[str]:
    """Files in a zip, but for what macOS adds. Raises ValueError if it cannot be read."""
    try:
        names = _archive(path, path.stat().st_mtime_ns).namelist()
    except UNREADABLE as error:
        raise ValueError(
            f"{path} is neither a folder nor a zip that can be read ({error}): zip the results "
            "again, without a password"
        ) from error
    return [name for name in names if not name.startswith("__MACOSX/") and name[-1:] != "/"]


@lru_cache(maxsize=4)
def _archive(path: Path, _changed: int) -> ZipFile:
    return ZipFile(path)


@dataclass(frozen=True)
class ResultMaps:
    """The label maps of one sequence, each decoded to uint8 H x W when it is asked for.

    Attributes:
        folder: where they are.
        members: T files in it.
        size: H x W that every label map must have.
    """

    folder: ResultFolder
    members: tuple[str, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int, /) -> np.ndarray:
        path = self.folder.path / self.members[index]
        ids = decode_label_map(self.folder.read(self.members[index]), path)
        check_size(path, ids.shape, self.size)
        return ids


def result_maps(
    folder: ResultFolder, sequence: str, frame_names: Sequence[str], size: tuple[int, int]
) -> ResultMaps:
    """The result of a sequence: a label map for each of these frames, by name.

    Raises:
        FileNotFoundError: frames without a label map; the message names the first.
    """
    there = folder.frames(sequence)
    missing = [name for name in frame_names if name not in there]
    if missing:
        first = folder.path / folder.member(sequence, missing[0])
        raise FileNotFoundError(
            f"{first}: no such label map; of the {len(frame_names)} frames of sequence "
            f"{sequence!r}, {len(missing)} have none. Every frame needs one, empty or not"
        )
    wanted = tuple(folder.member(sequence, name) for name in frame_names)
    return ResultMaps(folder, wanted, size)
