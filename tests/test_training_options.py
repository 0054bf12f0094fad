"""How a step is computed is a choice; what it computes is not."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from tiny_network import TINY

from tagvis_lite.config import Config
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.runs import load_state
from tagvis_lite.training import train

SMALL = replace(TINY, loss=replace(TINY.loss, pixels_per_instance=8))
STEPS = 3


def config(**fields: Any) -> Config:
    train = replace(SMALL.train, steps=STEPS, batch_size=2, validate_every=STEPS, **fields)
    return replace(SMALL, train=train)


def run(out: Path, **fields: Any) -> Path:
    toy = ToyConfig(size=(32, 32), num_frames=6)
    train(
        config(**fields),
        toy_split("train", 3, toy)[:],
        toy_split("validation", 1, toy)[:],
        out,
        fabric=Fabric(accelerator="cpu", devices=1),
    )
    return out


def losses(out: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows if "overall" in row]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("plain") / "run")


@pytest.mark.parametrize(
    "fields",
    [
        {"channels_last": False},
        {"workers": 2},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_losses_and_gradients_are_the_same(
    fields: dict[str, Any], plain: Path, tmp_path: Path
) -> None:
    """Adam's first moment is the mean of the gradients of all steps."""
    out = run(tmp_path / "run", **fields)
    expected, got = losses(plain), losses(out)
    assert len(got) == len(expected) == STEPS
    for first, second in zip(expected, got, strict=True):
        assert second == pytest.approx(first, rel=1e-3)
    moments = [
        torch.cat([values["exp_avg"].flatten() for values in state["optimizer"]["state"].values()])
        for state in (load_state(plain / "last.pt"), load_state(out / "last.pt"))
    ]
    assert (moments[1] - moments[0]).norm() < 1e-2 * moments[0].norm()


def test_a_resumed_run_may_change_how_but_not_what(plain: Path, tmp_path: Path) -> None:
    shutil.copytree(plain, tmp_path / "run")
    run(tmp_path / "run", channels_last=False, workers=1)
    with pytest.raises(ValueError, match=r"differs in train\.learning_rate: 0.001, now 0.5"):
        run(tmp_path / "run", learning_rate=0.5)


def test_the_table_has_a_row_per_line(plain: Path) -> None:
    lines = [json.loads(line) for line in (plain / "metrics.jsonl").read_text().splitlines()]
    with (plain / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lines) == STEPS + 1
    for row, line in zip(rows, lines, strict=True):
        assert {k: float(v) for k, v in row.items() if v} == line
