"""The check finds what a server would refuse: all of it, file by file, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tagvis_lite.data.davis import write_davis
from tagvis_lite.data.label_maps import write_label_map
from tagvis_lite.evaluation.davis_submission import (
    check_davis_submission,
    read_davis_result,
    write_davis_result,
)
from tagvis_lite.video import Tracks, Video

LENGTHS = {"cows": 4, "bmx-trees": 3, "dogs-jump": 2}
HEIGHT, WIDTH = 24, 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A DAVIS root without annotations, as for the test splits."""
    videos = [
        Video(name, np.zeros((num_frames, HEIGHT, WIDTH, 3), np.uint8))
        for name, num_frames in LENGTHS.items()
    ]
    write_davis(tmp_path / "DAVIS", videos, "test-challenge", year="2019")
    return tmp_path / "DAVIS"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, num_frames in LENGTHS.items():
        ids = rng.integers(0, 21, (num_frames, HEIGHT, WIDTH), np.uint8)
        known = dict.fromkeys(range(1, 21), 1)
        write_davis_result(
            Tracks(name, ids, known, dict.fromkeys(known, 1.0)), tmp_path / "results"
        )
    return tmp_path / "results"


def tracks(name: str, ids: np.ndarray, frame_names: Sequence[str] = ()) -> Tracks:
    known = range(1, 255)
    return Tracks(name, ids, dict.fromkeys(known, 1), dict.fromkeys(known, 1.0), frame_names)


def check(root: Path, results: Path) -> list[str]:
    return [str(p) for p in check_davis_submission(root, results, "test-challenge", year="2019")]


def test_what_we_write_is_accepted(root: Path, results: Path) -> None:
    (results / "cows" / "Thumbs.db").write_bytes(b"not looked at")
    (results / "another sequence").mkdir()
    assert check(root, results) == []


def test_everything_wrong_is_found_at_once(root: Path, results: Path) -> None:
    cows, bmx = results / "cows", results / "bmx-trees"
    for path in (results / "dogs-jump").iterdir():
        path.unlink()
    (results / "dogs-jump").rmdir()
    (cows / "00000.png").unlink()
    write_label_map(cows / "00001.png", np.zeros((WIDTH, HEIGHT), np.uint8))
    write_label_map(cows / "00002.png", np.full((HEIGHT, WIDTH), 21, np.uint8))
    write_label_map(cows / "00003.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    Image.new("RGB", (WIDTH, HEIGHT)).save(bmx / "00000.png")
    Image.new("RGB", (WIDTH, HEIGHT)).save(bmx / "00001.png", "JPEG")
    (bmx / "00002.png").write_bytes((bmx / "00002.png").read_bytes()[:-30])

    expected = [
        (cows / "00000.png", "no such label map"),
        (cows / "00001.png", "is 32 x 24 (height x width), but the frames are 24 x 32"),
        (cows / "00002.png", "has id 21: at most 20"),
        (cows / "00003.png", "has id 255: a result has no void"),
        (bmx / "00000.png", "has no palette (its mode is 'RGB')"),
        (bmx / "00001.png", "cannot be decoded as PNG"),
        (bmx / "00002.png", "cannot be decoded as PNG"),
        (results / "dogs-jump", "no such folder; the sequence needs 2 label maps"),
    ]
    found = check(root, results)
    assert len(found) == len(expected)
    for problem, (path, message) in zip(found, expected, strict=True):
        assert problem.startswith(f"{path}: {message}")


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "I;16", "LA"])
def test_images_without_a_palette(root: Path, results: Path, mode: str) -> None:
    path = results / "cows" / "00002.png"
    Image.new(mode, (WIDTH, HEIGHT)).save(path)
    [problem] = check(root, results)
    assert problem.startswith(f"{path}: has no palette")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_files_are_problems_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    write_davis(folder / "DAVIS", [Video("cows", np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))], "val")
    path = folder / "results" / "cows" / "00000.png"
    write_label_map(path, np.zeros((HEIGHT, WIDTH), np.uint8))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    content[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    path.write_bytes(content)
    for problem in check_davis_submission(folder / "DAVIS", folder / "results"):
        assert problem.startswith(f"{path}: ")
        assert "\n" not in problem


def test_no_results_at_all(root: Path, tmp_path: Path) -> None:
    [problem] = check(root, tmp_path / "nowhere")
    assert problem.startswith(f"{tmp_path / 'nowhere'}: no such folder")
    assert len(check(root, tmp_path)) == len(LENGTHS)


def test_a_root_that_cannot_be_read(root: Path, results: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"2017/val.txt"):
        check_davis_submission(root, results)


def test_results_are_read_back(tmp_path: Path) -> None:
    ids = np.random.default_rng(1).integers(0, 21, (3, HEIGHT, WIDTH), np.uint8)
    names = ["00000", "00005", "00010"]
    write_davis_result(tracks("cows", ids, names), tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")) == [
        f"cows/{name}.png" for name in names
    ]
    video = Video("cows", np.zeros((3, HEIGHT, WIDTH, 3), np.uint8), ids, frame_names=names)
    read = read_davis_result(tmp_path, video)
    np.testing.assert_array_equal([read[t] for t in range(len(read))], ids)


def test_tracks_a_server_would_refuse_are_not_written(tmp_path: Path) -> None:
    ids = np.full((1, HEIGHT, WIDTH), 21, np.uint8)
    with pytest.raises(ValueError, match="'cows' have id 21"):
        write_davis_result(tracks("cows", ids), tmp_path)
    with pytest.raises(ValueError, match=r"'\.\./cows' cannot be the name"):
        write_davis_result(tracks("../cows", 0 * ids), tmp_path)
    assert list(tmp_path.iterdir()) == []
