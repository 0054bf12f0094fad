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

from tagvis_lite.data.davis import read_label_map, write_label_map
from tagvis_lite.data.find import read_training_data
from tagvis_lite.data.integrity import check_files, check_root, report_table

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"
FRAMES, LABELS = "JPEGImages/480p", "Annotations_unsupervised/480p"
SEQUENCE = "toy-test-00002"


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE / "davis", tmp_path / "davis"))


@pytest.fixture
def youtube(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE / "youtube-vis", tmp_path / "youtube-vis"))


def problems(root: Path, *, decode: bool = True) -> list[str]:
    return [
        str(problem) for report in check_root(root, decode=decode) for problem in report.problems
    ]


@pytest.mark.parametrize("layout", ["davis", "youtube-vis"])
@pytest.mark.parametrize("decode", [True, False])
def test_a_good_root(layout: str, decode: bool) -> None:
    reports = check_root(SAMPLE / layout, decode=decode)
    assert [problem for report in reports for problem in report.problems] == []
    assert sorted(report.name.split("/")[-1].split(",")[0] for report in reports) == [
        "test",
        "train",
        "validation",
    ]
    assert sorted(report.videos for report in reports) == [2, 6, 6]
    test = next(report for report in reports if "test" in report.name)
    assert (test.frames, test.labelled, test.sizes) == (48, 48, {(64, 64)})
    assert 12 <= test.instances <= 30, "2 to 5 instances in each of 6 videos"
    rows = report_table(reports).splitlines()
    assert len(rows) == 5
    assert len({row.count("|") for row in rows}) == 1


def missing_frame(root: Path) -> str:
    (root / FRAMES / SEQUENCE / "00003.jpg").unlink()
    return f"{root / LABELS / SEQUENCE}: 00003 with a label map but no frame"


def gap(root: Path) -> str:
    (root / FRAMES / SEQUENCE / "00003.jpg").unlink()
    (root / LABELS / SEQUENCE / "00003.png").unlink()
    return f"{root / FRAMES / SEQUENCE}: 00003 missing among its frames"


def missing_label_maps(root: Path) -> str:
    for t in (1, 2):
        (root / LABELS / SEQUENCE / f"0000{t}.png").unlink()
    return f"{root / LABELS / SEQUENCE}: 2 (the first is 00001) without a label map"


def missing_sequence(root: Path) -> str:
    shutil.rmtree(root / FRAMES / SEQUENCE)
    return f"{root / FRAMES / SEQUENCE}: no such folder, but its split lists it"


def no_frames(root: Path) -> str:
    for path in (root / FRAMES / SEQUENCE).iterdir():
        path.rename(path.with_suffix(".jpeg2"))
    return f"{root / FRAMES / SEQUENCE}: holds no .jpg"


def cut_frame(root: Path) -> str:
    path = root / FRAMES / SEQUENCE / "00004.jpg"
    path.write_bytes(path.read_bytes()[:700])
    return f"{path}: cannot be decoded"


def small_frame(root: Path) -> str:
    path = root / FRAMES / SEQUENCE / "00004.jpg"
    Image.new("RGB", (32, 48)).save(path)
    return f"{path}: is 48 x 32 (height x width), but its video is 64 x 64"


def small_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    write_label_map(path, read_label_map(path)[:32])
    return f"{path}: is 32 x 64 (height x width), but its video is 64 x 64"


def rgb_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    Image.new("RGB", (64, 64)).save(path)
    return f"{path}: holds pixels of mode RGB, not ids"


def empty_masks(root: Path) -> str:
    for path in (root / LABELS / SEQUENCE).iterdir():
        write_label_map(path, np.zeros((64, 64), np.uint8))
    return f"{root / LABELS / SEQUENCE}: all masks are empty"


def unused_id(root: Path) -> str:
    for path in (root / LABELS / SEQUENCE).iterdir():
        ids = read_label_map(path)
        write_label_map(path, np.where(ids > 0, ids + 1, 0).astype(np.uint8))
    return f"{root / LABELS / SEQUENCE}: ids are [2, "


def empty_list(root: Path) -> str:
    path = root / "ImageSets" / "2017" / "test.txt"
    path.write_text("\n")
    return f"{path}: is empty"


DAMAGE_TO_DAVIS = [
    missing_frame,
    gap,
    missing_label_maps,
    missing_sequence,
    no_frames,
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
    assert len(problems(davis)) == len(problems(davis, decode=False)) == 1
    tables = whole.index(b"\xff\xc4") + 5  # a Huffman table that there cannot be
    path.write_bytes(whole[:tables] + b"\xff" * 16 + whole[tables + 16 :])
    assert len(problems(davis)) == 1
    assert problems(davis, decode=False) == []


def missing_frames(root: Path) -> str:
    for t in (0, 5):
        (root / "test" / "JPEGImages" / SEQUENCE / f"0000{t}.jpg").unlink()
    folder = root / "test" / "JPEGImages" / SEQUENCE
    return f"{folder}: 2 (the first is 00000.jpg) missing"


def another_size(root: Path) -> str:
    path = root / "test" / "JPEGImages" / SEQUENCE / "00004.jpg"
    Image.new("RGB", (32, 48)).save(path)
    return f"{path}: is 48 x 32 (height x width), but its video is 64 x 64"


def cut_json(root: Path) -> str:
    path = root / "test" / "instances.json"
    path.write_bytes(path.read_bytes()[:1000])
    return f"{path}: is not valid json"


def change(root: Path, edit: Callable[[dict], object]) -> Path:  # type: ignore[type-arg]
    path = root / "test" / "instances.json"
    data = json.loads(path.read_text())
    edit(data["annotations"][0])
    path.write_text(json.dumps(data))
    return path


def empty_instance(root: Path) -> str:
    path = change(root, lambda entry: entry.update(segmentations=[None] * 8))
    return f"{path}: video 'toy-test-00000': masks of instances 1 are all empty"


def damaged_rle(root: Path) -> str:
    path = change(root, lambda entry: entry["segmentations"][2].update(counts="0"))
    return f"{path}: annotations[0], segmentation 2: its RLE is damaged"


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
    assert len(check_root(youtube)) == 3


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        check_root(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds neither"):
        check_root(tmp_path)


def test_real_davis_2016() -> None:
    if "TAGVIS_REAL_DATA" not in os.environ:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    (report,) = check_root(Path(os.environ["TAGVIS_REAL_DATA"]) / "DAVIS-2016", decode=False)
    assert report.problems == []
    assert (report.videos, report.frames, report.labelled) == (9, 487, 487)
    assert report.instances == 9
    assert report.empty > 0, "its README says that some frames are without the object"


def cut_label_map(root: Path) -> str:
    path = root / LABELS / SEQUENCE / "00004.png"
    path.write_bytes(path.read_bytes()[:-16])
    return f"{path}: is truncated"


@pytest.mark.parametrize(
    "damage", [cut_frame, small_frame, small_label_map, rgb_label_map, cut_label_map]
)
def test_one_bad_file_among_all_is_found_without_decoding(
    davis: Path, damage: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.SEQUENCE", "toy-train-00004")
    path = damage(davis).split(": ")[0]
    source = read_training_data(davis)
    check_files(source.validation)
    with pytest.raises(ValueError, match=path):
        check_files([*source.train, *source.validation])


def test_a_frame_that_goes_missing_is_found(davis: Path) -> None:
    source = read_training_data(davis)
    (davis / FRAMES / "toy-train-00001" / "00003.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"toy-train-00001/00003\.jpg: no such image"):
        check_files(source.train)


def test_a_little_more_behind_the_end_of_an_image_is_no_damage(davis: Path) -> None:
    for path in davis.rglob("*/*/toy-train-00001/*"):
        path.write_bytes(path.read_bytes() + bytes(100))
    source = read_training_data(davis)
    check_files(source.train)
    assert source.train[1].read_frames([0]).shape == (1, 64, 64, 3)
