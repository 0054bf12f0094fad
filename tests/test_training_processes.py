"""Two processes with one clip each do what one process does with two, and take its runs over."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric import Fabric
from lightning_fabric.strategies import FSDPStrategy
from tiny_network import TINY

from tagvis_lite.clips import ClipOrder, clips_per_step
from tagvis_lite.config import Config, TrainConfig
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.runs import load_state
from tagvis_lite.training import loop as training
from tagvis_lite.training import train

CLIPS, STEPS, HALF = 2, 4, 2
VIDEOS = 3  # an epoch ends amid a step
TOUCHES = 100
"""About how often a run touches its files."""
UNDETERMINED = {
    f"{layer}.{name}"
    for layer in ("bottleneck.expand", "tag_generator.layers", "decoder.layers")
    for name in ("0.bias", "1.running_mean")
}
"""Batch norm takes a bias before it away again: its gradient is rounding errors, which Adam scales
up, and the mean that is taken away moves along."""


def config(batch_size: int, **fields: Any) -> Config:
    return replace(
        TINY,
        loss=replace(TINY.loss, pixels_per_instance=8),
        train=replace(
            TINY.train,
            steps=STEPS,
            validate_every=HALF,
            batch_size=batch_size,
            learning_rate=1e-3,
            clip_gradient=1.0,
            **fields,
        ),
    )


def run(out: Path, devices: int, *, leave_half_way: bool = False, **fields: Any) -> None:
    toy = ToyConfig(size=(32, 32), num_frames=6)
    videos, validation = toy_split("train", VIDEOS, toy)[:], toy_split("validation", 1, toy)[:]
    for video in videos[1:]:  # void pixels and instances in some clips only
        video.ids[:, : 8 * len(video.name) // 16] = 255
    fabric = Fabric(accelerator="cpu", devices=devices)

    chosen = config(CLIPS // devices, **fields)
    step, count = training.step, itertools.count(1)

    def left(*arguments: Any) -> Any:
        if next(count) > HALF:
            raise KeyboardInterrupt
        return step(*arguments)

    try:
        if leave_half_way:
            training.step = left
        train(chosen, videos, validation, out, fabric=fabric)
    except KeyboardInterrupt:
        fabric.barrier()
    finally:
        training.step = step


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process, and of two: each from the start, and taken over from the other."""
    root = tmp_path_factory.mktemp("processes")
    run(root / "one", 1)
    run(root / "one then two", 1, leave_half_way=True)
    command = [sys.executable, __file__, root]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    shutil.copytree(root / "two half", root / "two then one")
    run(root / "two then one", 1)
    return root


def two_processes(root: Path) -> None:
    """What the child processes do: this file is their script, and Fabric starts it twice."""
    run(root / "two", 2)
    run(root / "two half", 2, leave_half_way=True)
    run(root / "one then two", 2)


@pytest.mark.parametrize("name", ["two", "one then two", "two then one"])
def test_the_number_of_processes_changes_no_result(name: str, folders: Path) -> None:
    expected, got = load_state(folders / "one" / "last.pt"), load_state(folders / name / "last.pt")
    assert got["step"] == expected["step"] == STEPS
    weights, others = (
        {k: v for k, v in state["network"].items() if k not in UNDETERMINED}
        for state in (expected, got)
    )
    torch.testing.assert_close(others, weights, rtol=1e-3, atol=1e-4)
    rows = [
        [json.loads(line) for line in (folders / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("one", name)
    ]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
    for first, second in zip(*rows, strict=True):
        for key in first.keys() - {"seconds", "J&F", "J", "F"}:
            assert second[key] == pytest.approx(first[key], rel=1e-3), (first["step"], key)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_two_processes_killed_at_any_moment_end_as_if_never_killed(folders: Path) -> None:
    """The first process dies as it touches a file of the run; TAGVIS_KILLS sets how often.

    The second must not live on. SIGTERM lets both leave together, after a step that is saved.
    """
    random.seed(0)
    codes = []
    moments = [random.randint(1, TOUCHES) for _ in range(int(os.environ.get("TAGVIS_KILLS", "2")))]
    for number, moment in enumerate([*moments, 0]):
        kill = (signal.SIGKILL, signal.SIGTERM)[number % 2]
        command = [sys.executable, __file__, folders, str(moment), str(int(kill))]
        child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        codes.append(child.returncode)
        ends = (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)  # before or in training
        assert child.returncode in ends, child.stderr[-2000:]
    assert codes[-1] == 0
    assert any(codes[:-1])
    expected, got = (load_state(folders / name / "last.pt") for name in ("two", "killed"))
    for part in ("network", "optimizer"):
        states = [state[part].get("state", state[part]) for state in (expected, got)]
        torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)
    assert got["step"] == expected["step"] == STEPS


def killed(root: Path, moment: int, number: int) -> None:
    """What its child does: train, and get a signal at the n-th touch of a file of the run."""
    touches = itertools.count(1)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        of_files = event == "open" or event.startswith("os.")
        if (
            of_files
            and any(str(each).startswith(str(root / "killed")) for each in arguments)
            and next(touches) == moment
        ):
            os.kill(os.getpid(), number)

    if "LOCAL_RANK" not in os.environ:
        sys.addaudithook(hook)
    run(root / "killed", 2, save_every=1)


def test_another_number_of_clips_a_step_is_no_resume(folders: Path) -> None:
    with pytest.raises(ValueError, match=r"differs in train\.accumulate: 1, now 2"):
        run(folders / "two", 1, accumulate=2)


def test_strategies_that_cannot_be_followed_are_refused(tmp_path: Path) -> None:
    toy = toy_split("train", 1, ToyConfig(size=(32, 32), num_frames=6))[:]
    forked = Fabric(accelerator="cpu", devices=2, strategy="ddp_fork")
    with pytest.raises(ValueError, match="use ddp"):
        train(config(1), toy, toy, tmp_path / "forked", fabric=forked)


def test_a_strategy_that_splits_the_network_is_refused(tmp_path: Path) -> None:
    toy = toy_split("train", 1, ToyConfig(size=(32, 32), num_frames=6))[:]
    fabric = cast(Fabric, SimpleNamespace(strategy=FSDPStrategy()))
    with pytest.raises(ValueError, match=r"FSDPStrategy splits or moves .*: use strategy ddp"):
        train(config(1), toy, toy, tmp_path, fabric=fabric)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_a_step_takes_the_same_clips_however_they_are_shared(
    batch_size: int, world_size: int, accumulate: int, done: int
) -> None:
    shared = TrainConfig(batch_size=batch_size, accumulate=accumulate)
    number = clips_per_step(shared, world_size)
    taken = []
    for rank in range(world_size):
        taken += next(iter(ClipOrder(shared, done, rank, world_size)))
    assert sorted(taken) == list(range(done * number, (done + 1) * number))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        killed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:
        two_processes(Path(sys.argv[1]))
