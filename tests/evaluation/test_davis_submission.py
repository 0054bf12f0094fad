"""The check finds what a server would refuse: all of it, file by file, and nothing else."""

import zipfile
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
    write_davis_result,
    write_davis_zip,
)
from tagvis_lite.evaluation.findings import Finding, summary
from tagvis_lite.evaluation.protocols import SEMI_SUPERVISED
from tagvis_lite.evaluation.result_files import open_results, result_maps
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
    write_davis(tmp_path / "DAVIS", videos, "test-challenge")
    lists = tmp_path / "DAVIS" / "ImageSets"
    (lists / "2017").rename(lists / "2019")
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
    return [str(f) for f in check_davis_submission(root, results, split="test-challenge")]


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
        (cows / "00000.png", "no such label map; of 4 frames, 1 have none"),
        (cows / "00001.png", "is 32 x 24 (height x width), but the frames are 24 x 32"),
        (cows / "00002.png", "has id 21: at most 20"),
        (cows / "00003.png", "has id 255: a result has no void"),
        (bmx / "00000.png", "holds pixels of mode RGB, not ids"),
        (bmx / "00001.png", "cannot be decoded as PNG"),
        (bmx / "00002.png", "cannot be decoded as PNG"),
        (results / "dogs-jump", "no such folder; the sequence needs 2 label maps"),
    ]
    found = check(root, results)
    assert len(found) == len(expected)
    for problem, (path, message) in zip(found, expected, strict=True):
        assert problem.startswith(f"{path}: {message}")


@pytest.mark.parametrize(("mode", "warning"), [("L", True), ("1", True), ("RGBA", False)])
def test_images_without_a_palette(root: Path, results: Path, mode: str, warning: bool) -> None:
    """Grey ids are scored as they are meant; colours are not."""
    path = results / "cows" / "00002.png"
    Image.new(mode, (WIDTH, HEIGHT)).save(path)
    [finding] = check_davis_submission(root, results, split="test-challenge")
    assert (finding.where, finding.warning) == (str(path), warning)


def test_an_empty_result_is_a_warning_and_a_wrapped_zip_an_error(
    root: Path, results: Path, tmp_path: Path
) -> None:
    for path in (results / "cows").iterdir():
        write_label_map(path, np.zeros((HEIGHT, WIDTH), np.uint8))
    wrapped = tmp_path / "wrapped" / "davis"
    wrapped.parent.mkdir()
    results.rename(wrapped)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        for path in wrapped.rglob("*.png"):
            archive.write(path, path.relative_to(wrapped.parent))
    for where, as_warning in ((wrapped.parent, True), (tmp_path / "r.zip", False)):
        around, empty = check_davis_submission(root, where, split="test-challenge")
        assert (around.kind, around.warning) == ("wrapped", as_warning)
        assert (empty.kind, empty.warning) == ("all background", True)


def test_ids_of_semi_supervised_results_are_those_of_the_first_frame(
    root: Path, results: Path
) -> None:
    """Of `Annotations`, the first frame is enough: more is not public for the test splits."""
    for name in LENGTHS:
        ids = np.full((HEIGHT, WIDTH), 19, np.uint8)
        write_label_map(root / "Annotations" / "480p" / name / "00000.png", ids)
    findings = check_davis_submission(root, results, SEMI_SUPERVISED, split="test-challenge")
    assert {f.kind for f in findings} == {"too many ids"}
    assert all("has id 20: at most 19" in f.message for f in findings)


def test_findings_are_grouped_and_capped() -> None:
    grey = [Finding("no palette", f"{k}.png", "is grey", warning=True) for k in range(9)]
    text = summary([*grey, Finding("size", "x.png", "is small")])
    assert text.split("\n") == [
        "error: x.png: is small",
        "warning: 0.png: is grey",
        "warning: 1.png: is grey",
        "warning: 2.png: is grey",
        "  and 6 more like this (no palette)",
        "errors: 1, warnings: 9",
    ]
    assert summary(grey).endswith("nothing a server would refuse; warnings: 9")


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
        assert problem.where in (str(path), str(path.parent))
        assert "\n" not in problem.message
        assert not problem.message.startswith(str(path))


def test_no_results_at_all(root: Path, tmp_path: Path) -> None:
    [problem] = check(root, tmp_path / "nowhere")
    assert problem.startswith(f"{tmp_path / 'nowhere'}: no such folder or zip")
    (tmp_path / "empty").mkdir()
    [problem] = check(root, tmp_path / "empty")
    assert "holds no results of this split" in problem


def test_a_root_that_cannot_be_read(root: Path, results: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"val.txt: no such list"):
        check_davis_submission(root, results, split="val")
    with pytest.raises(NotADirectoryError, match="nowhere"):
        check_davis_submission(root / "nowhere", results)
    with pytest.raises(ValueError, match=r"is no DAVIS root.*did you mean .*DAVIS\?"):
        check_davis_submission(root.parent, results)
    (root.parent / "valid").mkdir()
    (root.parent / "valid.json").write_text("{}")
    with pytest.raises(ValueError, match="is a YouTube-VIS root: say youtube-vis in place of dav"):
        check_davis_submission(root.parent, results)


def test_what_is_written_is_read_back_and_zipped(root: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    written = {}
    for name, length in LENGTHS.items():
        written[name] = rng.integers(0, 21, (length, HEIGHT, WIDTH), np.uint8)
        write_davis_result(tracks(name, written[name]), tmp_path / "r")
    write_davis_zip(tmp_path / "r", tmp_path / "r.zip", list(LENGTHS))
    write_davis_zip(tmp_path / "r", tmp_path / "again.zip", list(reversed(LENGTHS)))
    assert (tmp_path / "r.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert check(root, tmp_path / "r.zip") == []
    for path in (tmp_path / "r", tmp_path / "r.zip"):
        folder = open_results(path, LENGTHS)
        for name, ids in written.items():
            names = [f"{t:05d}" for t in range(len(ids))]
            maps = result_maps(folder, name, names, (HEIGHT, WIDTH))
            np.testing.assert_array_equal([maps[t] for t in range(len(maps))], ids)


def test_tracks_that_would_leave_their_folder_are_not_written(tmp_path: Path) -> None:
    ids = np.full((1, HEIGHT, WIDTH), 1, np.uint8)
    with pytest.raises(ValueError, match=r"'\.\./cows' cannot be the name"):
        write_davis_result(tracks("../cows", ids), tmp_path)
    assert list(tmp_path.iterdir()) == []
