"""How a step is computed is a choice; what it computes is not."""

from __future__ import annotations

import csv
import itertools
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
from tagvis_lite.evaluation.youtube_vis import evaluate_tracks
from tagvis_lite.inference import predict_video
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, load_state
from tagvis_lite.training import loop, train

SMALL = replace(TINY, loss=replace(TINY.loss, pixels_per_instance=8))
STEPS = 3


def config(**fields: Any) -> Config:
    usual = {"steps": STEPS, "batch_size": 2, "validate_every": STEPS}
    return replace(SMALL, train=replace(SMALL.train, **{**usual, **fields}))


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


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_network(out / "best.safetensors")[0].state_dict()


def test_the_weights_that_are_kept_are_the_running_mean(tmp_path: Path) -> None:
    """Of the states after each step, and after a resume; the training itself does not see it."""
    every = {"validate_every": 1, "save_every": 1, "keep": STEPS}
    plain, averaged = run(tmp_path / "plain", **every), tmp_path / "averaged"
    with pytest.MonkeyPatch.context() as patch:
        leave_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(averaged, **every, average=0.75)
    run(averaged, **every, average=0.75)
    states = [load_state(plain / f"state-{k:08d}.pt")["network"] for k in range(1, STEPS + 1)]
    torch.testing.assert_close(load_state(averaged / "last.pt")["network"], states[-1])
    means = dict(states[0])
    for state in states[1:]:
        means = {name: 0.75 * old + 0.25 * state[name] for name, old in means.items()}
    kept = load_state(averaged / "last.pt")["average"]
    for name, mean in means.items():
        if kept[f"module.{name}"].is_floating_point():
            torch.testing.assert_close(kept[f"module.{name}"], mean)
    best = load_state(averaged / "last.pt")["best_step"]
    assert best >= 1
    differs = [not torch.equal(weights(averaged)[k], weights(plain)[k]) for k in weights(plain)]
    assert best == 1 or any(differs)


def leave_after(patch: pytest.MonkeyPatch, steps: int) -> None:
    step, count = loop.step, itertools.count(1)

    def left(*arguments: Any) -> Any:
        if next(count) > steps:
            raise KeyboardInterrupt
        return step(*arguments)

    patch.setattr(loop, "step", left)


def test_the_encoder_has_a_rate_and_statistics_of_its_own(plain: Path, tmp_path: Path) -> None:
    """At a rate of 0 its weights stay as they were drawn, and so do its frozen statistics."""
    out = run(tmp_path / "run", encoder_rate=0.0, frozen_statistics=True)
    torch.manual_seed(0)
    drawn = TagVIS(SMALL.model).state_dict()
    state = load_state(out / "last.pt")["network"]
    for name, value in state.items():
        if name.startswith("encoder."):
            assert torch.equal(value, drawn[name]), name
        elif "running" in name:
            assert not torch.equal(value, drawn[name]), name


def test_deterministic_and_tf32_are_switched_and_switched_back(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []
    step = loop.step

    def states() -> tuple[object, ...]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.allow_tf32,
        )

    def noted(*arguments: Any) -> Any:
        seen.append(states())
        return step(*arguments)

    monkeypatch.setattr(loop, "step", noted)
    before = states()
    out = run(tmp_path / "run", deterministic=True, tf32=True)
    assert set(seen) == {(True, "high", True)}
    assert states() == before
    assert losses(out) == losses(plain)


def test_the_best_weights_may_be_those_of_the_best_ap(tmp_path: Path) -> None:
    """On toy videos, which have classes: the AP of the log is that of the tracks."""
    out = run(tmp_path / "run", best_by="ap")
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    toy = toy_split("validation", 1, ToyConfig(size=(32, 32), num_frames=6))[:]
    network, chosen = load_network(out / "best.safetensors")
    tracks = [predict_video(network, video, chosen) for video in toy]
    assert rows[-1]["AP"] == pytest.approx(evaluate_tracks(toy, tracks).AP, nan_ok=True)
    assert load_state(out / "last.pt")["best_score"] == rows[-1]["AP"]
