"""Downloads from a server on this machine that does what servers and networks do."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tagvis_lite.data import download as module
from tagvis_lite.data.download import ATTEMPTS, download

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does, and what it was asked for."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    drop_after: list[int] = field(default_factory=list)
    """Bytes after which the first, second, ... connection is cut."""
    ranges: bool = True
    status: int = 200
    declare: bool = True
    wrong_range: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def __init__(self, behaviour: Behaviour, *args: object) -> None:
        self.behaviour = behaviour
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        b = self.behaviour
        b.asked.append(dict(self.headers))
        if b.status != 200:
            self.send_error(b.status)
            return
        start, wanted = 0, self.headers.get("Range")
        vouched = self.headers.get("If-Range") in (b.etag, b.modified)
        if wanted and b.ranges and vouched:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
            self.send_response(206)
            last, length = len(b.content) - 1, len(b.content)
            self.send_header("Content-Range", f"bytes {start + b.wrong_range}-{last}/{length}")
        else:
            self.send_response(200)
        body = b.content[start:]
        if b.declare:
            self.send_header("Content-Length", str(len(body)))
        if b.etag:
            self.send_header("ETag", b.etag)
        if b.modified:
            self.send_header("Last-Modified", b.modified)
        self.end_headers()
        self.wfile.write(body[: b.drop_after.pop(0)] if b.drop_after else body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, behaviour))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/set.zip"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


fetch = partial(download, wait=0.0)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "set.zip"


def ranges(behaviour: Behaviour) -> list[str | None]:
    return [headers.get("Range") for headers in behaviour.asked]


def test_a_whole_file_and_its_hash(target: Path) -> None:
    behaviour = Behaviour()
    with serving(behaviour) as url:
        assert fetch(url, target) == SHA256
        assert fetch(url, target, sha256=SHA256.upper()) == SHA256
    assert target.read_bytes() == CONTENT
    assert len(behaviour.asked) == 1, "a file that is there is not fetched again"
    assert (target.parent / "set.zip.sha256").read_text() == f"{SHA256}  set.zip\n"
    names = sorted(path.name for path in target.parent.iterdir())
    assert names == ["set.zip", "set.zip.sha256"]


@pytest.mark.parametrize(
    ("etag", "modified"),
    [('"one"', None), (None, "Mon, 01 Jan 2024 00:00:00 GMT"), ('W/"1"', "Mon, 01 Jan 2024")],
)
def test_a_dropped_connection_goes_on(target: Path, etag: str, modified: str) -> None:
    behaviour = Behaviour(etag=etag, modified=modified, drop_after=[1, 100_000, 0, 50_000])
    with serving(behaviour) as url:
        assert fetch(url, target) == SHA256
    assert target.read_bytes() == CONTENT
    assert ranges(behaviour) == [
        None,
        "bytes=1-",
        "bytes=100001-",
        "bytes=100001-",
        "bytes=150001-",
    ]
    assert behaviour.asked[1]["If-Range"] == (etag if modified is None else modified)


def test_a_later_call_goes_on(target: Path) -> None:
    behaviour = Behaviour(drop_after=[70_000] + [0] * ATTEMPTS)
    with serving(behaviour) as url:
        with pytest.raises(OSError, match=r"ended after 70000 of 300000 bytes, 5 times in a row"):
            fetch(url, target)
        assert (target.parent / "set.zip.part").read_bytes() == CONTENT[:70_000]
        assert not target.exists()
        behaviour.asked.clear()
        assert fetch(url, target) == SHA256
    assert ranges(behaviour) == ["bytes=70000-"]
    assert target.read_bytes() == CONTENT


def test_a_kill_leaves_a_part_that_goes_on(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    behaviour = Behaviour(drop_after=[1000])
    with serving(behaviour) as url:
        with monkeypatch.context() as patch:
            patch.setattr(module.time, "sleep", killed)
            with pytest.raises(Killed):
                fetch(url, target)
        assert fetch(url, target) == SHA256
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": None}, {"etag": 'W/"weak"'}])
def test_a_server_that_cannot_resume_starts_over(target: Path, change: dict[str, object]) -> None:
    behaviour = Behaviour(drop_after=[200_000, 10], **change)  # type: ignore[arg-type]
    with serving(behaviour) as url:
        assert fetch(url, target) == SHA256
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_starts_over(target: Path) -> None:
    behaviour = Behaviour(drop_after=[70_000] + [0] * ATTEMPTS)
    with serving(behaviour) as url:
        with pytest.raises(OSError, match="in a row"):
            fetch(url, target)
        behaviour.content, behaviour.etag = CONTENT[::-1][:80_000], '"two"'
        fetch(url, target)
    assert target.read_bytes() == CONTENT[::-1][:80_000]


def test_a_part_of_another_address_is_not_gone_on_with(target: Path) -> None:
    other = Behaviour(content=b"x" * 500, drop_after=[100] + [0] * ATTEMPTS)
    with serving(other) as url, pytest.raises(OSError, match="in a row"):
        fetch(url, target)
    with serving(Behaviour()) as url:
        assert fetch(url, target) == SHA256
    assert target.read_bytes() == CONTENT


def test_the_wrong_range_is_not_taken(target: Path) -> None:
    behaviour = Behaviour(drop_after=[100], wrong_range=True)
    with serving(behaviour) as url:
        assert fetch(url, target) == SHA256
    assert ranges(behaviour) == [None, "bytes=100-", None]


def damaged_record(part: Path) -> None:
    part.with_name("set.zip.part.json").write_text("{")


def longer_than_the_file(part: Path) -> None:
    part.write_bytes(b"x" * 400_000)


def no_record(part: Path) -> None:
    part.with_name("set.zip.part.json").unlink()


@pytest.mark.parametrize("damage", [damaged_record, longer_than_the_file, no_record])
def test_a_damaged_part_starts_over(target: Path, damage: Callable[[Path], None]) -> None:
    with serving(Behaviour(drop_after=[100] + [0] * ATTEMPTS)) as url:
        with pytest.raises(OSError, match="in a row"):
            fetch(url, target)
        damage(target.with_name("set.zip.part"))
        assert fetch(url, target) == SHA256
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "tries"), [(404, 1), (403, 1), (503, ATTEMPTS), (429, ATTEMPTS)]
)
def test_what_the_server_refuses(target: Path, status: int, tries: int) -> None:
    behaviour = Behaviour(status=status)
    with serving(behaviour) as url, pytest.raises(OSError, match=rf"set\.zip: HTTP {status} \w+"):
        fetch(url, target)
    assert len(behaviour.asked) == tries
    assert not target.exists()


def test_a_range_that_is_no_longer_there_starts_over(target: Path) -> None:
    behaviour = Behaviour(drop_after=[70_000] + [0] * ATTEMPTS)
    with serving(behaviour) as url:
        with pytest.raises(OSError, match="in a row"):
            fetch(url, target)
        behaviour.status = 416
        with pytest.raises(OSError, match="416"):
            fetch(url, target)
        behaviour.status = 200
        assert fetch(url, target) == SHA256


def test_a_body_of_unknown_length_is_refused(target: Path) -> None:
    with serving(Behaviour(declare=False)) as url, pytest.raises(OSError, match="how long"):
        fetch(url, target)
    assert not target.exists()


def test_nobody_answers(target: Path) -> None:
    with serving(Behaviour()) as url:
        pass
    with pytest.raises(OSError, match=r"refused, 5 times in a row") as caught:
        fetch(url, target)
    assert url in str(caught.value)


def test_another_hash(target: Path) -> None:
    with serving(Behaviour()) as url, pytest.raises(ValueError, match=f"has SHA-256 {SHA256}"):
        fetch(url, target, sha256="0" * 64)
    assert not target.exists()


def test_a_later_file_is_held_to_the_recorded_hash(target: Path) -> None:
    with serving(Behaviour()) as url:
        fetch(url, target)
    target.write_bytes(CONTENT[:-1] + b"x")
    with serving(Behaviour()) as url, pytest.raises(ValueError, match="changed where it comes"):
        fetch(url, target)
    target.unlink()
    with serving(Behaviour(content=b"other")) as url, pytest.raises(ValueError, match="expected"):
        fetch(url, target)
    assert not target.exists()


@pytest.mark.parametrize("sha256", ["", "0" * 63, "g" * 64, "0" * 65])
def test_a_hash_that_is_none(target: Path, sha256: str) -> None:
    with pytest.raises(ValueError, match="is no SHA-256"):
        fetch("http://127.0.0.1:9/set.zip", target, sha256=sha256)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/set.zip", "set.zip"])
def test_other_kinds_of_address(target: Path, url: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        fetch(url, target)


def test_a_disk_without_room_is_told_before_the_first_byte(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(target.parents[1])._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    behaviour = Behaviour()
    with serving(behaviour) as url, pytest.raises(OSError, match="on another disk"):
        fetch(url, target)
    assert len(behaviour.asked) == 1
    record = json.loads(target.with_name("set.zip.part.json").read_text())
    assert record["length"] == len(CONTENT)
