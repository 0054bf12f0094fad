"""The runs of an ablation: train one row with one seed, score it part by part, write it down.

A run leaves two files, `<row>-<seed>.json` and the weights beside it, which git does not take. A
result that is there is not made again and a training that was stopped goes on, so the same command
can be given again and again, and more seeds only add runs. Several processes may share a folder as
long as no two make the same run.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from tagvis_lite.config import Config, config_from_dict, config_to_dict
from tagvis_lite.runs import differences, read_json, write_json
from tagvis_lite.study.ablation import Row
from tagvis_lite.video import Video

VALIDATION = 16
"""Toy videos of the curve."""


@dataclass(frozen=True)
class Run:
    """One row with one seed: what it is trained and scored on, and where its result goes.

    Attributes:
        row: of a table.
        config: of the row, with its seed and budget.
        out: folder of the results.
        train_on: the toy set, or the training splits of all strata in turn.
        videos: of the toy test split, for its scores.
        stratum_videos: of each stratum, likewise; none with 0.
    """

    row: Row
    config: Config
    out: Path
    train_on: Literal["toy", "strata"] = "toy"
    videos: int = 512
    stratum_videos: int = 64

    @property
    def result(self) -> Path:
        """The json file of the run."""
        return self.out / f"{self.row.name}-{self.config.train.seed}.json"

    @property
    def weights(self) -> Path:
        """The weights after the last step, beside the result."""
        return self.result.with_suffix(".safetensors")

    @property
    def scratch(self) -> Path:
        """The folder of its training, which is gone when the result is there."""
        return self.out / f".{self.result.stem}"

    def settings(self) -> dict[str, Any]:
        """What the result depends on."""
        return {
            "train_on": self.train_on,
            "test_videos": self.videos,
            "stratum_videos": self.stratum_videos,
            "config": config_to_dict(self.config),
        }


def plan(
    config: Config, out: Path, rows: Sequence[Row], seeds: Sequence[int], **settings: Any
) -> list[Run]:
    """The runs of a table; seeds go round first, so that after each all rows have one more.

    Args:
        config: of the full model, with the budget in `config.train`.
        out: folder of the results.
        rows: one of `ablation.TABLES`, or some of it.
        seeds: of each row.
        settings: `train_on`, `videos` and `stratum_videos` of a `Run`.
    """
    return [
        Run(
            row, row.apply(replace(config, train=replace(config.train, seed=seed))), out, **settings
        )
        for seed in seeds
        for row in rows
    ]


def ablate(runs: Sequence[Run], jobs: int = 1) -> Iterator[Path]:
    """Make the runs that are not there yet; yields the result of each as it is done.

    Args:
        runs: see `plan`.
        jobs: runs at a time, each in its own process on one thread.

    Raises:
        ValueError: no run or less than one job, or a folder holds a run of other settings.
    """
    if not runs or jobs < 1:
        raise ValueError(f"{len(runs)} runs and {jobs} jobs: both must be 1 or more")
    missing = [run for run in runs if not _is_done(run)]
    spawn = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_end_with_parent) as pool:
        yield from pool.map(run_one, missing)


def _end_with_parent() -> None:
    """Let a worker not outlive a killed `ablate`, and then write where the next one writes."""

    def watch() -> None:
        parent = parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def run_one(run: Run) -> Path:
    """Train and score one run, then write its weights and its result."""
    import torch

    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.runs import load_state, save_network
    from tagvis_lite.study.provenance import provenance
    from tagvis_lite.training import chosen_precision, train

    torch.set_num_threads(1)
    config = run.config
    number = (config.train.steps or 0) * config.train.batch_size * config.train.accumulate
    videos, validation = _training_videos(run.train_on, number, config.data.clip_frames)
    start = time.perf_counter()
    train(config, videos, validation, run.scratch)
    seconds = time.perf_counter() - start
    lines = map(json.loads, (run.scratch / "metrics.jsonl").read_text().splitlines())
    curve = {line["step"]: line["J&F"] for line in lines if "J&F" in line}

    network = TagVIS(replace(config.model, pretrained=False))
    network.load_state_dict(load_state(run.scratch / "last.pt")["network"])
    parts = _score(run, network)
    # Both are written in the scratch folder, which a killed run leaves for the next to clean up.
    weights, result = run.scratch / "whole.safetensors", run.scratch / "whole.json"
    save_network(weights, network, config)
    weights.replace(run.weights)
    values = {
        "row": run.row.name,
        "seed": config.train.seed,
        "scores": parts["test"]["table"],
        "instance_count_error": parts["test"]["count_error"],
        "parts": parts,
        "curve": curve,
        "precision": chosen_precision(config.train),
        "training_seconds": round(seconds, 1),
        **run.settings(),
        "provenance": provenance(),
    }
    write_json(result, values)
    result.replace(run.result)
    shutil.rmtree(run.scratch, ignore_errors=True)
    return run.result


def _score(run: Run, network: Any) -> dict[str, dict[str, Any]]:
    """Every row of `oracles`, on the toy test split and on each stratum."""
    from tagvis_lite.data.toy import ToyConfig, toy_split
    from tagvis_lite.data.toy_strata import strata
    from tagvis_lite.study.oracles import score_parts

    config = ToyConfig(num_frames=run.config.data.clip_frames)
    sets: dict[str, Sequence[Video]] = {"test": toy_split("test", run.videos, config)}
    if run.stratum_videos:
        sets.update(strata(run.stratum_videos).items())
    return {name: score_parts(network, held, run.config).as_dict() for name, held in sets.items()}


def _is_done(run: Run) -> bool:
    """Whether the result is there; refuses a folder with one of other settings before any work."""
    from tagvis_lite.training.loop import MAY_CHANGE

    may_change = {f"config.{name}" for name in MAY_CHANGE - {"train.batch_size", "train.precision"}}
    if not run.result.exists():
        return False
    kept = read_json(run.result, "config")
    earlier = {"train_on": "toy", "stratum_videos": 0, **kept}
    # A field that is younger than the run has its default.
    earlier["config"] = config_to_dict(config_from_dict(kept["config"]))
    wanted = run.settings()
    before = json.loads(json.dumps({name: earlier.get(name) for name in wanted}))
    differing = differences(before, wanted, may_change)
    if differing:
        raise ValueError(
            f"{run.result} is a run of other settings ({'; '.join(differing[:4])}): choose another "
            "folder, or delete it"
        )
    shutil.rmtree(run.scratch, ignore_errors=True)  # of one that was killed at its very end
    return True


@cache
def _training_videos(train_on: str, number: int, clip_frames: int) -> tuple[Any, list[Any]]:
    """Videos to train on, and those of the curve; once per process."""
    from tagvis_lite.data.find import toy_training_data
    from tagvis_lite.data.toy_strata import Mixture

    if train_on == "strata":
        return Mixture(number), list(Mixture(VALIDATION, "validation"))
    data = toy_training_data(number, VALIDATION, clip_frames)
    return data.train, list(data.validation)
