"""Obtaining the benchmarks, from a small server and small archives with the layout of the real."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

from tagvis_lite.data import obtain
from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.find import find_training_data
from tagvis_lite.data.obtain import obtain_davis, obtain_youtube_vis

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"


def pack(archive: Path, folder: Path, prefix: str) -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, prefix + str(path.relative_to(folder)))
        opened.writestr("__MACOSX/._x", "left by an archiver")
    return archive


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; of `cut.zip` only the first half, and then it hangs up."""

    def log_message(self, *_: object) -> None:
        pass

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        content = source.read()
        outputfile.write(content[: len(content) // 2] if "cut" in self.path else content)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A folder of this machine at an address, which ends in a slash."""
    handler = partial(Server, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def davis_zip(tmp_path: Path) -> Path:
    return pack(tmp_path / "served" / "davis.zip", SAMPLE / "davis", "DAVIS/")


# ---------------------------------------------------------------- DAVIS


def test_davis_is_downloaded_and_unpacked_ready_to_read(
    server: str, davis_zip: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        root = obtain_davis(tmp_path / "out", url=f"{server}davis.zip")
        assert root == tmp_path / "out" / "DAVIS"
        davis_zip.unlink(missing_ok=True)  # the second call needs no server
    assert len(read_davis(root, "train")) == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["DAVIS", "davis.zip"]


@pytest.mark.parametrize("name", ["cut.zip", "missing.zip"])
def test_a_failed_download_leaves_nothing_and_says_how_to_do_it_by_hand(
    server: str, davis_zip: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(davis_zip, davis_zip.with_name("cut.zip"))
    with pytest.raises(OSError, match=rf"{name}: .*curl -C - -LO {server}{name}.*--archive"):
        obtain_davis(tmp_path / "out", url=server + name)
    assert list((tmp_path / "out").iterdir()) == []


def test_davis_from_an_archive_of_one_s_own(davis_zip: Path, tmp_path: Path) -> None:
    root = obtain_davis(tmp_path / "out", davis_zip)
    assert len(read_davis(root, "train")) == 6
    (root / "ImageSets" / "2017" / "train.txt").unlink()
    with pytest.raises(FileExistsError, match=r"DAVIS is there already, but its ImageSets/2017/tr"):
        obtain_davis(tmp_path / "out", davis_zip)


def test_davis_of_another_layout(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", SAMPLE / "davis" / "JPEGImages", "DAVIS/JPEGImages/")
    with pytest.raises(ValueError, match=r"a\.zip holds no folder Annotations_unsupervised"):
        obtain_davis(tmp_path / "out", archive)
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_told_before_the_first_file(
    davis_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        obtain.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**5)
    )
    with pytest.raises(OSError, match=r"davis\.zip needs .* GB in .*the disk has 0\.0 GB"):
        obtain_davis(tmp_path / "out", davis_zip)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_killed_unpacking_is_completed_by_the_same_command(
    davis_zip: Path, tmp_path: Path
) -> None:
    code = (
        "import time, zipfile; from pathlib import Path; from tagvis_lite.data import obtain\n"
        "real = zipfile.ZipFile.extract\n"
        "def slow(*args): time.sleep(0.02); return real(*args)\n"
        "zipfile.ZipFile.extract = slow\n"
        f"obtain.obtain_davis(Path({str(tmp_path / 'out')!r}), Path({str(davis_zip)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ})
    partial_folder = tmp_path / "out" / ".DAVIS.partial"
    while process.poll() is None and not list(partial_folder.rglob("*.jpg")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "DAVIS").exists()
    root = obtain_davis(tmp_path / "out", davis_zip)
    there = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert there == {
        str(p.relative_to(SAMPLE / "davis")) for p in (SAMPLE / "davis").rglob("*") if p.is_file()
    }
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["DAVIS"]


def test_what_is_no_whole_zip_is_one_clear_error(davis_zip: Path, tmp_path: Path) -> None:
    content = davis_zip.read_bytes()
    broken = tmp_path / "broken.zip"
    middle = len(content) // 3
    damaged = content[:middle] + bytes(64) + content[middle + 64 :]
    for data in (b"", b"words", content[: len(content) // 2], damaged):
        broken.write_bytes(data)
        with pytest.raises(ValueError, match=r"broken\.zip cannot be unpacked"):
            obtain_davis(tmp_path / "out", broken)
    assert not (tmp_path / "out" / "DAVIS").exists()


def test_nothing_is_written_outside_the_folder(davis_zip: Path, tmp_path: Path) -> None:
    link = ZipInfo("DAVIS/link")
    link.external_attr = 0o120777 << 16
    with ZipFile(davis_zip, "a") as archive:
        for name in ("DAVIS/../../up.txt", "/abs.txt", "DAVIS/a/../../../b.txt"):
            archive.writestr(name, "x")
        archive.writestr(link, "../../up.txt")
    obtain_davis(tmp_path / "deep" / "out", davis_zip)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == ["DAVIS"]
    assert not (tmp_path / "deep" / "out" / "DAVIS" / "link").is_symlink()


# ---------------------------------------------------------------- YouTube-VIS


@pytest.fixture(params=["2021", "2021, no folder of the split", "2019"])
def archives(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    for split, sample in (("train", "train"), ("valid", "validation")):
        source = SAMPLE / "youtube-vis" / sample
        if request.param == "2019":
            pack(folder / f"{split}.zip", source / "JPEGImages", f"{split}/JPEGImages/")
            (folder / f"{split}.json").write_bytes((source / "instances.json").read_bytes())
        else:
            pack(folder / f"{split}.zip", source, "" if "no" in request.param else f"{split}/")
    return folder


def test_youtube_vis_is_unpacked_ready_to_read(archives: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert obtain_youtube_vis(archives, tmp_path / "out") == ["train", "valid"]
    data = find_training_data(tmp_path / "out")
    assert len(data.train) + len(data.validation) == 6


def test_nothing_is_unpacked_unless_all_is_there(archives: Path, tmp_path: Path) -> None:
    pack(archives / "test.zip", SAMPLE / "davis" / "JPEGImages" / "480p", "test/JPEGImages/")
    with pytest.raises(FileNotFoundError, match=r"test\.json: no such file"):
        obtain_youtube_vis(archives, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_archives(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"register at youtube-vos\.org"):
        obtain_youtube_vis(tmp_path / "none", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"holds no train\.zip: register"):
        obtain_youtube_vis(tmp_path, tmp_path / "out")


def test_an_archive_of_another_layout(tmp_path: Path) -> None:
    pack(tmp_path / "train.zip", SAMPLE / "davis" / "ImageSets", "train/")
    with pytest.raises(ValueError, match="holds no train/JPEGImages"):
        obtain_youtube_vis(tmp_path, tmp_path / "out")
