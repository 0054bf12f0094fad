"""Obtaining the benchmarks, from a small server and small archives with the layout of the real."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import pytest

from tagvis_lite.data.davis import read_davis
from tagvis_lite.data.find import read_training_data
from tagvis_lite.data.integrity import check_root
from tagvis_lite.data.obtain import obtain_davis, obtain_youtube_vis

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"


def pack(archive: Path, folder: Path, prefix: str) -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, prefix + str(path.relative_to(folder)))
    return archive


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A folder of this machine at an address, which ends in a slash."""
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


# ---------------------------------------------------------------- DAVIS


def test_what_follows_the_path_of_an_address_names_no_file(server: str, tmp_path: Path) -> None:
    pack(tmp_path / "served" / "davis.zip", SAMPLE / "davis", "DAVIS/")
    obtain_davis(tmp_path / "out", url=f"{server}davis.zip?version=1#part")
    assert (tmp_path / "out" / "davis.zip").is_file()


def test_davis_arrives_ready_to_read(server: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / "served" / "davis.zip", SAMPLE / "davis", "DAVIS/")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    for _ in range(2):
        root, found = obtain_davis(tmp_path / "out", url=f"{server}davis.zip")
        assert (root, found) == (tmp_path / "out" / "DAVIS", sha256)
    assert len(read_davis(root, "train")) == 6
    assert [problem for report in check_root(root) for problem in report.problems] == []


def test_davis_of_another_layout(server: str, tmp_path: Path) -> None:
    pack(tmp_path / "served" / "davis.zip", SAMPLE / "davis" / "JPEGImages", "DAVIS/JPEGImages/")
    with pytest.raises(ValueError, match=r"davis\.zip holds no folder Annotations_unsupervised"):
        obtain_davis(tmp_path / "out", url=f"{server}davis.zip")
    assert not (tmp_path / "out" / "DAVIS").exists()


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
    data = read_training_data(tmp_path / "out")
    assert len(data.train) + len(data.validation) == 6
    reports = check_root(tmp_path / "out")
    assert sorted((r.name, r.videos) for r in reports) == [("train", 6), ("valid", 2)]
    assert [problem for report in reports for problem in report.problems] == []


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
