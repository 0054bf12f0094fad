"""Download one large file: resumed after a dropped connection, and checked by its SHA-256.

    <file>.part          what has arrived so far; kept after every failure
    <file>.part.json     which file of the server it is the beginning of
    <file>.sha256        the hash of the whole file, as `sha256sum -c` reads it

Where nobody published a hash there is none to check a first download against. It is written down
then, so that a later download or copy is held to it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm.auto import tqdm

from tagvis_lite.atomic import naming, write_atomically

CHUNK = 2**20
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dropped."""
ATTEMPTS = 5
"""Connections in a row that bring nothing new, after which the download stops."""
LOST = (ConnectionError, TimeoutError, HTTPException, SSLError)
"""How a connection ends before its time."""
AGAIN = "what has arrived is kept; the same command goes on from there"


def download(url: str, path: Path, *, sha256: str | None = None, wait: float = 0.5) -> str:
    """Fetch `url` to `path`, going on where an earlier call stopped.

    A part is only added to while the server vouches that its file is the same (a strong ETag, or
    else Last-Modified, in If-Range); otherwise, or from a server that cannot send ranges, the
    download starts over. A file that is there already is checked and not fetched.

    Args:
        url: http or https.
        path: where the whole file goes.
        sha256: what it must be, in hex; the one in `<path>.sha256`, if any, when not given.
        wait: seconds before the second attempt in a row, doubled for each further one.

    Returns:
        SHA-256 of the file in hex, which `<path>.sha256` holds too.

    Raises:
        ValueError: another kind of address, a hash that is none, or a file with another hash (it
            is kept as `<path>.part`, without its place in a download).
        OSError: the server refuses, cannot be reached, keeps dropping the connection, or does not
            say how long the file is; the disk is full. `<path>.part` is kept.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url}: expected an address that begins with https:// or http://")
    expected = _expected_hash(path, sha256)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        _fetch(url, part, part.with_name(f"{part.name}.json"), wait)
        found = file_sha256(part)
        _require_hash(part, found, expected)
        part.with_name(f"{part.name}.json").unlink()
        part.replace(path)
    else:
        found = file_sha256(path)
        _require_hash(path, found, expected)
    record = f"{found}  {path.name}\n"
    write_atomically(_record(path), lambda temporary: temporary.write_text(record))
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _expected_hash(path: Path, sha256: str | None) -> str | None:
    where = "--sha256"
    if sha256 is None and _record(path).is_file():
        where = str(_record(path))
        sha256 = "".join(_record(path).read_text().split()[:1])
    if sha256 is not None and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise ValueError(f"{where}: {sha256!r:.80} is no SHA-256, expected 64 hex digits")
    return None if sha256 is None else sha256.lower()


def _require_hash(path: Path, found: str, expected: str | None) -> None:
    if expected is not None and found != expected:
        raise ValueError(
            f"{path} has SHA-256 {found}, expected {expected}: it is damaged, or the file was "
            "changed where it comes from; delete it (and its .sha256 if the change is meant) and "
            "run the command again"
        )


# ---------------------------------------------------------------- the connection


@dataclass(frozen=True)
class _Origin:
    """What the server said about the file that a part is the beginning of."""

    url: str
    validator: str | None
    """ETag or Last-Modified; without one a part cannot be added to."""
    length: int


class _DroppedError(Exception):
    """This connection has failed; the next may do better."""


def _fetch(url: str, part: Path, beside: Path, wait: float) -> None:
    """Fill `part` with all of the file, in as many connections as it takes."""
    idle = 0
    while True:
        before = _size(part)
        try:
            _continue(url, part, beside)
        except _DroppedError as error:
            idle = 0 if _size(part) > before else idle + 1
            if idle == ATTEMPTS:
                raise OSError(f"{url}: {error}, {ATTEMPTS} times in a row; {AGAIN}") from error
            time.sleep(wait * 2 ** max(0, idle - 1))
        else:
            return


def _continue(url: str, part: Path, beside: Path) -> None:
    """One connection. Returns when the part is whole, and raises _DroppedError when it is not."""
    origin, has = _read_origin(beside), _size(part)
    if origin is None or origin.url != url or origin.validator is None or has > origin.length:
        origin, has = None, 0
    if origin is not None and has == origin.length:
        return
    headers = {"User-Agent": "tagvis-lite", "Accept-Encoding": "identity"}
    if origin is not None and origin.validator is not None and has:
        headers |= {"Range": f"bytes={has}-", "If-Range": origin.validator}
    with _connected(Request(url, headers=headers), beside) as response:
        if response.status == 206 and origin is not None:
            if response.headers.get("Content-Range") != _range(has, origin.length):
                beside.unlink()
                raise _DroppedError("the server sent another part of the file than was asked for")
        else:
            origin, has = _new_origin(url, response), 0
            record = json.dumps(asdict(origin))
            part.unlink(missing_ok=True)
            write_atomically(beside, lambda temporary: temporary.write_text(record))
        needed, free = origin.length - has, shutil.disk_usage(part.parent).free
        if needed > free:
            raise OSError(
                f"{part.parent}: {needed / 1e9:.1f} GB are still to come, but the disk has "
                f"{free / 1e9:.1f} GB: free some, or choose a folder on another disk"
            )
        _receive(response, part, has, origin.length)


def _connected(request: Request, beside: Path) -> HTTPResponse:
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        problem = f"HTTP {error.code} {error.reason}"
        if error.code == 416:  # the file is shorter than it was: start over
            beside.unlink(missing_ok=True)
        elif error.code < 500 and error.code not in (408, 429):
            raise OSError(f"{request.full_url}: {problem}: is this still its address?") from error
        raise _DroppedError(problem) from error
    except (*LOST, URLError) as error:
        raise _DroppedError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    return response


def _receive(response: HTTPResponse, part: Path, has: int, length: int) -> None:
    bar = tqdm(
        total=length,
        initial=has,
        desc=part.stem,
        unit="B",
        unit_scale=True,
        mininterval=1.0,
        disable=None,
    )
    with bar, naming(part), part.open("ab") as file:
        while has < length:
            try:
                chunk = response.read1(min(CHUNK, length - has))
            except LOST as error:
                raise _DroppedError(str(error) or type(error).__name__) from error
            if not chunk:
                raise _DroppedError(f"the connection ended after {has} of {length} bytes")
            file.write(chunk)
            has += len(chunk)
            bar.update(len(chunk))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _range(first: int, length: int) -> str:
    return f"bytes {first}-{length - 1}/{length}"


def _read_origin(beside: Path) -> _Origin | None:
    try:
        return _Origin(**json.loads(beside.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _new_origin(url: str, response: HTTPResponse) -> _Origin:
    length = response.headers.get("Content-Length", "")
    if not length.isdigit():
        raise OSError(
            f"{url}: the server does not say how long the file is, so none could tell whether it "
            "is whole: fetch it in another way"
        )
    tag = response.headers.get("ETag", "")
    strong = tag if tag.startswith('"') else None  # W/"..." promises less than equal bytes
    return _Origin(url, strong or response.headers.get("Last-Modified"), int(length))
