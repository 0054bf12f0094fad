"""docs/training.md from its first command to its last, at toy size: composites to tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_network import OVERRIDES, TINY

from tagvis_lite.__main__ import main
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, load_state
from tagvis_lite.study import report_tables, reproduction
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.study.speed import count_flops
from tagvis_lite.training import loop
from tagvis_lite.training.budget import budget

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SCRIPT = next(block for block in BLOCKS if block.startswith("#!"))
COMMANDS = [line.split() for block in BLOCKS if block != SCRIPT for line in block.splitlines()]
FIELDS = f"{OVERRIDES} --train.batch-size 1 --train.validate-every 2 --train.save-every 1"
SMALL = {
    "data": "--train 3 --validation 1 --test 2 --frames 6 --size 40 64",
    "train": f"{FIELDS} --device cpu",
    "tune": "--foreground 0.1 0.5 --bandwidth 0.4 --prominence 0.1 --device cpu",
    "predict": "--device cpu",
    "evaluate": "--processes 1",
    "reproduce": f"--profile smoke {FIELDS} --train.steps 2 --split test --device cpu",
}
"""What makes a command small."""


def small(words: list[str], folder: Path) -> list[str]:
    """A command of the page with folders in place of names, and of toy size."""
    names = {word: str(folder / word) for word in re.findall(r"[A-Z]+(?:-\d)?", " ".join(words))}
    names["SEQUENCES"] = str(ROOT / "data" / "toy" / "davis")
    there = [
        re.sub(r"^[A-Z]+(-\d)?", lambda m: names[m[0]], w) if w[0] != "-" else w for w in words
    ]
    there = ["smoke" if word == "paper" else word for word in there]
    more = SMALL.get(words[1], "")
    if words[1] == "train":
        more += f" --train.steps {3 if '--extend' in words else 2}"
    if words[1:] == ["reproduce", "--data", "ROOT", "--out", "TABLES"]:
        more += " --row full temper"
    return [*there[1:], *more.split()]


def test_the_road_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [words[0] for words in COMMANDS] == ["tagvis"] * len(COMMANDS)
    left = False
    step = loop.step

    def leave(*arguments: Any) -> Any:
        nonlocal left
        if (tmp_path / "RUN" / "last.pt").exists() and not left:
            left = True
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(loop, "step", leave)
    for words in COMMANDS:
        command = small(words, tmp_path)
        if words[1] == "train" and not left:
            with pytest.raises(SystemExit) as stop:
                main(command)
            assert stop.value.code == 130
            assert load_state(tmp_path / "RUN" / "last.pt")["step"] == 1
        main(command)

    assert load_state(tmp_path / "RUN" / "last.pt")["step"] == 3
    assert len(list((tmp_path / "RUN" / "examples").glob("*.jpg"))) == 2
    assert load_network(tmp_path / "RUN-3")[1].loss.margin == 2
    tables, page = tmp_path / "TABLES", (tmp_path / "TABLES" / "report.md").read_text()
    assert {path.name for path in tables.glob("*.json")} == {"full-0.json", "temper-0.json"}
    assert re.findall(r"^\| (Ours|L_\w+) ", page, re.MULTILINE) == ["Ours", "L_temper"]
    assert "74.3" in page
    assert "[temper-0](temper-0.json)" in page

    scores = json.loads((tables / "full-0.json").read_text())["scores"]
    monkeypatch.setattr(reproduction, "RECORDED", tables)
    (own,) = [row for row in report_tables.table_2() if "split test" in row["data"]]
    assert own["J&F"] == f"{100 * scores['J&F-Mean']:.1f}"
    assert own["origin"] == "measured, smoke profile, seed 0"
    assert not any(row["origin"] == "not run" for row in report_tables.table_2())
    assert any(row["origin"] == "not run" for row in report_tables.table_1())


def test_table_1_is_the_full_model_on_youtube_vis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ROOT / "data" / "toy" / "youtube-vis"
    command = f"reproduce --data {data} --out {tmp_path}/T {SMALL['reproduce']}".split()
    main(command)
    scores = json.loads((tmp_path / "T" / "full-0.json").read_text())["scores"]
    monkeypatch.setattr(reproduction, "RECORDED", tmp_path / "T")
    (own,) = [row for row in report_tables.table_1() if "split test" in row["data"]]
    assert own["mAP"] == f"{100 * scores['AP']:.1f}"
    assert f"| {own['mAP']} |" in (tmp_path / "T" / "report.md").read_text().replace("  ", " ")
    capsys.readouterr()
    main(command)
    assert "1 runs, 1 of them finished\nnothing is left to do" in capsys.readouterr().out
    for words in ("--row spectra", "--loss.margin 2"):
        with pytest.raises(SystemExit):
            main([*command, *words.split()])
    said = capsys.readouterr().err
    assert "expected rows of full" in said
    assert "differs in loss.margin: 3.0, now 2.0" in said


def test_the_script_for_a_scheduler_names_every_row_and_seed(tmp_path: Path) -> None:
    """Run by bash, with programs in the place of srun and tagvis that say what they got."""
    for name, line in (("srun", 'exec "$@"'), ("tagvis", 'echo "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "tables.sh").write_text(SCRIPT)
    count = 1 + int(re.findall(r"--array=0-(\d+)", SCRIPT)[0])
    assert count % len(TABLE_3) == 0
    for task in (0, len(TABLE_3) - 1, count - 1):
        done = subprocess.run(
            ["bash", tmp_path / "tables.sh"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "ROOT": "my data",
                "TABLES": "out",
                "SLURM_ARRAY_TASK_ID": str(task),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        seed, row = divmod(task, len(TABLE_3))
        expected = f"--row {TABLE_3[row].name} --seed {seed}"
        assert done.stdout == f"reproduce --data my data --out out {expected}\n"


def test_videos_that_a_training_sees_are_not_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ROOT / "data" / "toy" / "davis"
    with pytest.raises(SystemExit) as stop:
        main(f"reproduce --data {data} --out {tmp_path}/x --split validation --estimate".split())
    assert stop.value.code == 2
    assert "holds videos that a training sees, such as toy-validation" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_budget_counts_operations_and_what_is_kept_for_the_way_back() -> None:
    """Forward is a third of it, but for the first layer, whose input needs no gradient."""
    config = replace(TINY, train=replace(TINY.train, steps=10, batch_size=2, accumulate=3))
    found, alone = (
        budget(config, 5),
        budget(replace(config, train=replace(config.train, batch_size=1)), 5),
    )
    frames = torch.zeros(3, config.data.clip_frames, *config.data.size)
    forward = count_flops(TagVIS(config.model).eval(), frames)
    assert 2.3 < found.operations / (60 * forward) < 3.01
    weights = 4 * sum(p.numel() for p in TagVIS(config.model).parameters())
    assert found.disk == 4 * weights
    assert found.memory - 4 * weights == 2 * (alone.memory - 4 * weights)
    assert alone.memory - 4 * weights > frames.numel() * 4 * 10
    assert found.hours(found.operations / 3600) == pytest.approx(1)
