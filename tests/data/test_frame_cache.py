"""The cache of decoded frames: the same pixels, a size told before, and nothing stale."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from tagvis_lite.data.files import ImageFrames
from tagvis_lite.data.find import read_training_data
from tagvis_lite.data.frame_cache import (
    FOLDER,
    MappedFrames,
    frame_cache_size,
    from_frame_cache,
    write_frame_cache,
)
from tagvis_lite.video import Video

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"


@pytest.fixture(params=["davis", "youtube-vis"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE / request.param, tmp_path / "set"))


def is_davis(root: Path) -> bool:
    return (root / "ImageSets").is_dir()


def videos_of(root: Path, *, use_cache: bool = True) -> list[Video]:
    data = read_training_data(root, use_cache=use_cache)
    return [*data.train, *data.validation]


def test_training_reads_the_same_frames_from_the_cache(root: Path) -> None:
    plain = videos_of(root)
    write_frame_cache(plain, root, max_bytes=10**7)
    cached = videos_of(root)
    assert len(plain) == len(cached)
    for one, other in zip(plain, cached, strict=True):
        assert isinstance(other.frames, MappedFrames)
        assert isinstance(other.ids, MappedFrames) == is_davis(root)
        assert (one.name, one.frame_names) == (other.name, other.frame_names)
        times = [len(one) - 1, 0, 3, 3]
        assert np.array_equal(one.read_frames(times), other.read_frames(times))
        assert np.array_equal(one.read_ids(times), other.read_ids(times))
    assert not any(isinstance(v.frames, MappedFrames) for v in videos_of(root, use_cache=False))


def test_the_size_that_is_told_is_the_size_on_disk(root: Path) -> None:
    videos = videos_of(root)
    told = frame_cache_size(videos)
    pixels = sum(video.read_ids(range(len(video))).size for video in videos)
    assert told == (4 if is_davis(root) else 3) * pixels
    folder = write_frame_cache(videos, root, max_bytes=told)
    files = [path for path in folder.iterdir() if path.is_file()]
    header = 128
    assert sum(path.stat().st_size for path in files) == told + header * len(files)


def test_no_more_than_is_allowed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = videos_of(root)
    with pytest.raises(ValueError, match="are allowed: allow more"):
        write_frame_cache(videos, root, max_bytes=frame_cache_size(videos) - 1)
    usage = shutil.disk_usage(root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"but the disk has 0\.00 GB"):
        write_frame_cache(videos, root, max_bytes=10**9)
    assert not (root / FOLDER).exists()


def test_a_stale_cache_is_not_read(tmp_path: Path) -> None:
    root = Path(shutil.copytree(SAMPLE / "davis", tmp_path / "set"))
    write_frame_cache(videos_of(root), root, max_bytes=10**7)
    folder = root / "JPEGImages" / "480p" / "toy-train-00001"
    shutil.copyfile(folder / "00000.jpg", folder / "00005.jpg")
    for video in videos_of(root):
        assert isinstance(video.ids, MappedFrames), "no label map has changed"
        assert isinstance(video.frames, MappedFrames) == (video.name != "toy-train-00001")
        if video.name == "toy-train-00001":
            first, changed = video.read_frames([0, 5])
            assert np.array_equal(first, changed)


def test_a_killed_run_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    videos = videos_of(root)
    real, read = ImageFrames.__getitem__, []

    def killed(self: ImageFrames, index: int) -> np.ndarray:
        read.append(self.paths[0])
        if len(set(read)) == 3:
            raise Killed
        return real(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(ImageFrames, "__getitem__", killed)
        with pytest.raises(Killed):
            write_frame_cache(videos, root, max_bytes=10**7)
    before = {path: path.stat().st_mtime_ns for path in (root / FOLDER).iterdir()}
    assert len([path for path in before if "-frames-" in path.name]) == 2, "whole videos alone"
    assert not [path for path in before if path.name.startswith(".")]
    write_frame_cache(videos, root, max_bytes=10**7)
    assert all(isinstance(video.frames, MappedFrames) for video in videos_of(root))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_frames_in_memory_need_no_cache(tmp_path: Path) -> None:
    video = Video("v", np.zeros((3, 4, 5, 3), np.uint8))
    assert frame_cache_size([video]) == 0
    write_frame_cache([video], tmp_path, max_bytes=0)
    (tmp_path / FOLDER).mkdir(exist_ok=True)
    (again,) = from_frame_cache([video], tmp_path)
    assert again.frames is video.frames


def test_it_pickles_as_its_path(root: Path) -> None:
    write_frame_cache(videos_of(root), root, max_bytes=10**7)
    frames = videos_of(root)[0].frames
    packed = pickle.dumps(frames)
    assert len(packed) < 1000
    assert np.array_equal(pickle.loads(packed)[2], frames[2])
