"""`tagvis data ...` from the command line: each command does its job and says what it did."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
from tiny_network import OVERRIDES

from tagvis_lite.__main__ import main
from tagvis_lite.data.find import find_training_data

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"


def tagvis(command: str) -> None:
    main(command.split())


def test_check_says_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    tagvis(f"check {SAMPLE / 'davis'}")
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines()[1] == (
        "2017/train: 6 videos, 72 frames, 72 label maps, 0 problems"
    )


def test_check_prints_a_problem_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(shutil.copytree(SAMPLE / "davis", tmp_path / "davis"))
    frames = root / "JPEGImages" / "480p"
    (frames / "toy-test-00001" / "00003.jpg").unlink()
    cut = frames / "toy-train-00000" / "00007.jpg"
    cut.write_bytes(cut.read_bytes()[:-50])
    with pytest.raises(SystemExit) as caught:
        tagvis(f"check {root}")
    assert caught.value.code == 1
    *problems, test, train, _, _ = capsys.readouterr().out.splitlines()
    assert len(problems) == 3, "the lost frame is a gap, and its label map has no partner"
    assert problems[-1].startswith(f"{cut} cannot be decoded")
    assert (test[-10:], train[-10:]) == ("2 problems", "1 problems")
    with pytest.raises(SystemExit):
        tagvis(f"check {root} --fast")
    assert f"{cut} is truncated" in capsys.readouterr().out


def test_composites_can_be_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Moving toy shapes stand for the real objects."""
    command = (
        f"data composite {SAMPLE / 'davis'} --out {tmp_path}/set --train 2 --validation 1 "
        "--test 0 --objects 2 3 --frames 6 --size 48 64 --seed 4"
    )
    for _ in range(2):
        tagvis(command)
        printed = capsys.readouterr().out.splitlines()
        assert printed == [
            f"{tmp_path}/set: 2 train composites of 4 sequences",
            f"{tmp_path}/set: 1 validation composites of 2 sequences",
        ]
    tagvis(f"check {tmp_path}/set")
    assert "train: 2 videos, 12 frames, 12 label maps, 0 problems" in capsys.readouterr().out
    tagvis(
        f"train --data {tmp_path}/set --out {tmp_path}/run --profile smoke --device cpu "
        f"{OVERRIDES} --train.steps 2"
    )
    assert re.search(r"best\.safetensors: validation J&F \d", capsys.readouterr().out)


def test_youtube_vis_from_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = SAMPLE / "youtube-vis" / "train"
    (tmp_path / "archives").mkdir()
    with ZipFile(tmp_path / "archives" / "train.zip", "w") as archive:
        for path in source.rglob("*"):
            archive.write(path, f"train/{path.relative_to(source)}")
    tagvis(f"data youtube-vis --archives {tmp_path}/archives --out {tmp_path}/set")
    assert f"{tmp_path}/set: train unpacked" in capsys.readouterr().out
    assert len(find_training_data(tmp_path / "set").train) == 5


def test_davis_from_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in (SAMPLE / "davis").rglob("*"):
            archive.write(path, f"DAVIS/{path.relative_to(SAMPLE / 'davis')}")
    tagvis(f"data davis --archive {tmp_path}/set.zip --out {tmp_path}/out")
    assert f"{tmp_path}/out/DAVIS is ready" in capsys.readouterr().out
