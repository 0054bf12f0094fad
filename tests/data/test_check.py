"""The check of a root: all problems at once, none in a good one, each named by its file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tagvis_lite.data.check import check_path, problems_in
from tagvis_lite.data.find import find_training_data
from tagvis_lite.data.label_maps import read_label_map, write_label_map
from tagvis_lite.data.video_file import write_video_file

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"
FRAMES, LABELS = "JPEGImages/480p", "Annotations_unsupervised/480p"
SEQUENCE = "toy-test-00002"


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE / "davis", tmp_path / "davis"))


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE / "youtube-vis", tmp_path / "youtube-vis"))


def problems(root: Path, *, fast: bool = False) -> list[str]:
    return [problem for report in check_path(root, fast=fast) for problem in report.problems]


@pytest.mark.parametrize("layout", ["davis", "youtube-vis"])
@pytest.mark.parametrize("fast", [True, False])
def test_a_good_root(layout: str, fast: bool) -> None:
    reports = check_path(SAMPLE / layout, fast=fast)
    assert [problem for report in reports for problem in report.problems] == []
    assert {r.name.split("/")[-1]: (r.videos, r.frames, r.label_maps) for r in reports} == {
        "test": (6, 48, 48),
        "train": (6, 72, 72),
        "validation": (2, 16, 16),
    }


def missing_frame(root: Path) -> str:
    (root / FRAMES / SEQUENCE / "00003.jpg").unlink()
    return f"sequence {SEQUENCE!r}: 7 frames in {root / FRAMES / SEQUENCE} but 8 label maps"


def gap(root: Path) -> str:
    (root / FRAMES / SEQUENCE / "00003.jpg").unlink()
    (root / LABELS / SEQUENCE / "00003.png").unlink()
    return f"{root / FRAMES / SEQUENCE}: 00003 missing among its frames"


def missing_label_maps(root: Path) -> str:
    for t in (1, 2):
        (root / LABELS / SEQUENCE / f"0000{t}.png").unlink()
    return f"sequence {SEQUENCE!r}: 8 frames in {root / FRAMES / SEQUENCE} but 6 label maps"


def cut_frame(root: Path) -> str:
    path = root / FRAMES / SEQUENCE / "00004.jpg"
    path.write_bytes(path.read_bytes()[:700])
    return f"{path} cannot be decoded"


def small_frame(root: Path) -> str:
    path = root / FRAMES / SEQUENCE / "00004.jpg"
    Image.new("RGB", (32, 48)).save(path)
    return f"{path} is 48 x 32 (height x width), its video 64 x 64"


def small_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    write_label_map(path, read_label_map(path)[:32])
    return f"{path} is 32 x 64 (height x width), its video 64 x 64"


def rgb_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    Image.new("RGB", (64, 64)).save(path)
    return f"{path} holds pixels of mode RGB, not ids"


def empty_masks(root: Path) -> str:
    for path in (root / LABELS / SEQUENCE).iterdir():
        write_label_map(path, np.zeros((64, 64), np.uint8))
    return f"{root / LABELS / SEQUENCE}: no label map shows an object"


def unused_id(root: Path) -> str:
    for path in (root / LABELS / SEQUENCE).iterdir():
        ids = read_label_map(path)
        write_label_map(path, np.where(ids > 0, ids + 1, 0).astype(np.uint8))
    return f"{root / LABELS / SEQUENCE}: ids are [2, "


def empty_list(root: Path) -> str:
    path = root / "ImageSets" / "2017" / "test.txt"
    path.write_text("\n")
    return f"{path} is empty"


DAMAGE_TO_DAVIS = [
    missing_frame,
    gap,
    missing_label_maps,
    cut_frame,
    small_frame,
    small_label_map,
    rgb_label_map,
    empty_masks,
    unused_id,
    empty_list,
]


@pytest.mark.parametrize("damage", DAMAGE_TO_DAVIS)
def test_damage_to_a_davis_root(damage: Callable[[Path], str], davis: Path) -> None:
    expected = damage(davis)
    found = problems(davis)
    assert any(problem.startswith(expected) for problem in found), found
    assert len(found) <= 2, "one thing is wrong, seen from two sides at most"


def test_all_problems_at_once(davis: Path) -> None:
    expected = [damage(davis) for damage in (missing_label_maps, cut_frame, rgb_label_map)]
    found = problems(davis)
    assert len(found) == 3
    for start in expected:
        assert any(problem.startswith(start) for problem in found), start


def test_without_decoding_a_cut_is_found_and_damage_inside_is_not(davis: Path) -> None:
    path = davis / FRAMES / SEQUENCE / "00004.jpg"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert len(problems(davis)) == len(problems(davis, fast=True)) == 1
    tables = whole.index(b"\xff\xc4") + 5  # a Huffman table that there cannot be
    path.write_bytes(whole[:tables] + b"\xff" * 16 + whole[tables + 16 :])
    assert len(problems(davis)) == 1
    assert problems(davis, fast=True) == []


def missing_frames(root: Path) -> str:
    for t in (0, 5):
        (root / "test" / "JPEGImages" / SEQUENCE / f"0000{t}.jpg").unlink()
    folder = root / "test" / "JPEGImages" / SEQUENCE
    return f"{folder}: 2 (the first is 00000.jpg) missing"


def another_size(root: Path) -> str:
    path = root / "test" / "JPEGImages" / SEQUENCE / "00004.jpg"
    Image.new("RGB", (32, 48)).save(path)
    return f"{path} is 48 x 32 (height x width), its video 64 x 64"


def cut_json(root: Path) -> str:
    path = root / "test" / "instances.json"
    path.write_bytes(path.read_bytes()[:1000])
    return f"{path} is not valid json"


def change(root: Path, edit: Callable[[dict], object]) -> Path:  # type: ignore[type-arg]
    path = root / "test" / "instances.json"
    data = json.loads(path.read_text())
    edit(data["annotations"][0])
    path.write_text(json.dumps(data))
    return path


def empty_instance(root: Path) -> str:
    change(root, lambda entry: entry.update(segmentations=[None] * 8))
    return "video 'toy-test-00000': ids are [2"


def damaged_rle(root: Path) -> str:
    path = change(root, lambda entry: entry["segmentations"][2].update(counts="0"))
    return f"{path}, annotations[0], segmentation 2 does not fill"


@pytest.mark.parametrize(
    "damage", [missing_frames, another_size, cut_json, empty_instance, damaged_rle]
)
def test_damage_to_a_youtube_vis_root(damage: Callable[[Path], str], youtube: Path) -> None:
    expected = damage(youtube)
    (problem,) = problems(youtube)
    assert problem.startswith(expected)


def test_the_layout_of_2019(youtube: Path) -> None:
    for split in ("train", "validation", "test"):
        (youtube / split / "instances.json").rename(youtube / f"{split}.json")
    assert problems(youtube) == []
    assert len(check_path(youtube)) == 3


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none: no such folder"):
        check_path(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds no image"):
        check_path(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match="holds neither"):
        check_path(tmp_path)


def test_folders_and_files_that_are_no_root(davis: Path, tmp_path: Path) -> None:
    folder = davis / FRAMES / SEQUENCE
    (report,) = check_path(folder)
    assert (report.name, report.videos, report.frames) == (SEQUENCE, 1, 8)
    assert report.problems == []
    (folder / "00003.jpg").unlink()
    assert problems(folder) == [f"{folder}: 00003 missing among its frames"]
    write_video_file(tmp_path / "walk.mp4", np.zeros((3, 16, 16, 3), np.uint8), 12)
    (report,) = check_path(tmp_path / "walk.mp4")
    assert (report.videos, report.frames, report.problems) == (1, 3, [])


def test_real_davis_2016() -> None:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    reports = check_path(Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016", fast=True)
    assert [(r.name, r.videos, r.frames, r.label_maps, r.problems) for r in reports] == [
        ("2016/train", 9, 487, 487, []),
        ("2016/val", 10, 753, 753, []),
    ]


def cut_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    path.write_bytes(path.read_bytes()[:-16])
    return f"{path} is truncated"


@pytest.mark.parametrize(
    "damage", [cut_frame, small_frame, small_label_map, rgb_label_map, cut_label_map]
)
def test_one_bad_file_among_all_is_found_without_decoding(
    davis: Path, damage: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.SEQUENCE", "toy-train-00004")
    expected = damage(davis).replace(" cannot be decoded", " ")
    source = find_training_data(davis)
    assert problems_in(source.validation, fast=True) == []
    (problem,) = problems_in([*source.train, *source.validation], fast=True)
    assert problem.startswith(expected)


def test_a_frame_that_goes_missing_is_found(davis: Path) -> None:
    source = find_training_data(davis)
    folder = davis / FRAMES / "toy-train-00001"
    (folder / "00003.jpg").unlink()
    assert problems_in(source.train, fast=True) == [f"{folder}: 00003.jpg missing"]
