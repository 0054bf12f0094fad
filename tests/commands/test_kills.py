"""A command that is killed at any moment, and started again, leaves the files of one that was not.

A moment is one at which the process touches a file of its folder, drawn at random from all of them;
of `ablate`, whose work is done in other processes, it is a time. TAGVIS_KILLS sets their number.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_network import OVERRIDES, save_tiny

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"
MOMENTS = int(os.environ.get("TAGVIS_KILLS", "2"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
TRAIN = (
    f"--profile smoke {OVERRIDES} --train.batch-size 1 --train.steps 3 --train.validate-every 2 "
    "--train.precision 32-true"
)
COMMANDS = {
    "predict": "predict {sample}/davis --split test --checkpoint {folder}/w.safetensors",
    "train": f"train --data {{sample}}/davis --device cpu --train.save-every 1 {TRAIN}",
    "evaluate": "evaluate davis {sample}/davis {sample}/davis/Annotations_unsupervised/480p "
    "--split test --processes 1 --explain",
    "ablate": f"ablate {TRAIN} --row full spectra --seeds 1 --videos 2 --stratum-videos 0",
}
# Each command is a fork of a process that has imported what takes seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tagvis_lite.training", "tagvis_lite.commands.demo"])


def work(words: list[str], out: Path, moment: int, number: int, seen: Any) -> None:
    """Run a command; it gets a signal when it touches a file of `out` for the n-th time."""
    from tagvis_lite.__main__ import main

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        of_files = event == "open" or event.startswith("os.")
        if of_files and any(str(argument).startswith(str(out)) for argument in arguments):
            seen.value += 1
            if seen.value == moment:
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    main(words)


def run(command: str, out: Path, folder: Path, moment: int = 0, number: int = 0) -> tuple[int, int]:
    """Exit code, and how often a file of `out` was touched."""
    words = COMMANDS[command].format(sample=SAMPLE, folder=folder).split()
    seen = FORKS.Value("i", 0, lock=False)
    arguments = ([*words, "--out", str(out)], out, moment, number, seen)
    process = FORKS.Process(target=work, args=arguments)
    process.start()
    if command == "ablate" and number:
        process.join(moment / 1000)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, number)
    process.join()
    assert process.exitcode is not None
    return process.exitcode, seen.value


def content(out: Path) -> dict[str, object]:
    """Every file of a folder, hidden ones too; without times, and with what a state holds."""
    files: dict[str, object] = {}
    for path in sorted(path for path in out.rglob("*") if not path.is_dir()):
        name = str(path.relative_to(out))
        files[name] = path.read_bytes()
        if path.suffix == ".jsonl":
            lines = map(json.loads, path.read_text().splitlines())
            files[name] = [{**line, "seconds": None} for line in lines]
        elif name == "metrics.csv":
            rows = csv.DictReader(io.StringIO(path.read_text()))
            files[name] = [{**row, "seconds": None} for row in rows]
        elif path.suffix == ".pt":
            import torch

            state = torch.load(path, weights_only=True)
            state["log"]["seconds"] = None
            files[name] = repr(state)
        elif path.suffix == ".json" and "training_seconds" in path.read_text():
            files[name] = {**json.loads(path.read_text()), "training_seconds": 0, "provenance": 0}
    return files


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_goes_on(command: str, tmp_path: Path) -> None:
    save_tiny(tmp_path / "w.safetensors")
    start = time.monotonic()
    code, touched = run(command, tmp_path / "whole", tmp_path)
    assert code == 0
    last = int(1000 * (time.monotonic() - start)) if command == "ablate" else touched
    whole = content(tmp_path / "whole")
    assert last > 10
    draw = random.Random(os.environ.get("TAGVIS_SEED", command))
    for k, moment in enumerate(sorted(draw.randint(1, last) for _ in range(MOMENTS))):
        out = tmp_path / f"killed-{k}"
        number = SIGNALS[k % 2]
        code, _ = run(command, out, tmp_path, moment, number)
        done = {0} if command == "ablate" or number == signal.SIGTERM else set()  # by then
        assert code in {-number, 128 + number} | done, f"{code} at {moment}"
        code, _ = run(command, out, tmp_path)
        assert code == 0, f"{command} after {number.name} at {moment} of {last}"
        found = content(out)
        differing = [name for name in whole.keys() | found if whole.get(name) != found.get(name)]
        assert not differing, f"{command} after {number.name} at {moment} of {last}"
        shutil.rmtree(out)
    beside = {path.name for path in tmp_path.iterdir()}
    assert beside == {"w.safetensors", "whole"}, "nothing is left beside it"
