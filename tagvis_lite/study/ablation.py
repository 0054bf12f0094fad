"""Table III and the readings of the paper, each as a configuration, at equal budget and many seeds.

One run is one row and one seed: train from random weights, score on held-out videos, write one json
file. A file that is there is not made again, so a stopped command goes on where it was, and more
seeds only add runs.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from tagvis_lite.config import Config, config_from_dict, config_to_dict
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.study.statistics import mean_interval, plus_minus


@dataclass(frozen=True)
class Row:
    """One line of a table of ablations.

    Attributes:
        name: for files and code.
        title: as the paper prints it, or the reading in words.
        group: heading it stands under.
        change: fields by section of the config that differ from the full model.
        paper: J&F, J and F that Table III gives on DAVIS'19; None for what it has not.
    """

    name: str
    title: str
    group: str
    change: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    paper: tuple[float, float, float] | None = None

    def apply(self, config: Config) -> Config:
        """The full model's config with this row's change."""
        sections = {
            section: replace(getattr(config, section), **fields)
            for section, fields in self.change.items()
        }
        return replace(config, **sections)


_LOSSES, _ATTENTION, _COMPONENTS = "w/o Losses", "w/o Attention", "w/o Components"
TABLE_3 = (
    Row("full", "Ours", "full model", {}, (74.3, 72.2, 76.4)),
    Row("spectra", "L_spectra", _LOSSES, {"loss": {"spectra": 0.0}}, (67.2, 64.4, 70.0)),
    Row("specter", "L_specter", _LOSSES, {"loss": {"specter": 0.0}}, (67.5, 65.2, 69.8)),
    Row("tempra", "L_tempra", _LOSSES, {"loss": {"tempra": 0.0}}, (65.8, 63.3, 68.2)),
    Row("temper", "L_temper", _LOSSES, {"loss": {"temper": 0.0}}, (66.3, 63.9, 68.7)),
    Row(
        "spatio-temporal-attention",
        "Spatio-Temporal Attention",
        _ATTENTION,
        {"model": {"spatio_temporal_attention": "removed"}},
        (67.9, 65.4, 70.3),
    ),
    Row(
        "tag-based-attention",
        "Tag-Based Attention",
        _ATTENTION,
        {"model": {"tag_branch": "embedding"}},
        (65.9, 63.5, 68.3),
    ),
    Row(
        "self-attention",
        "Self-Attention",
        _ATTENTION,
        {"model": {"feature_branch": "identity"}},
        (70.3, 68.9, 71.6),
    ),
    Row(
        "location-embedding",
        "Location Embedding",
        _COMPONENTS,
        {"model": {"location_embedding": False}},
        (70.8, 69.8, 71.7),
    ),
    Row(
        "tag-based-attention-connector",
        "Tag-Based Attention + Connector",
        _COMPONENTS,
        {"model": {"tag_branch": "removed"}},
        (64.1, 62.6, 65.5),
    ),
    Row(
        "self-attention-connector",
        "Self-Attention + Connector",
        _COMPONENTS,
        {"model": {"feature_branch": "removed"}},
        (67.4, 65.0, 69.7),
    ),
    Row(
        "semantic-branch",
        "Tag-Based Attention + Self-Attention + Decoder + Connector",
        _COMPONENTS,
        {
            "model": {"tag_branch": "removed", "feature_branch": "removed"},
            "loss": {"background_as_instance": True},
        },
        (61.6, 60.1, 63.0),
    ),
)
"""The twelve rows of Table III, the full model first."""

_READINGS = "another reading"
READINGS = (
    Row("full", "as Table III's full model", "full model"),
    Row(
        "non-local",
        "ordinary non-local attention (D4)",
        _READINGS,
        {"model": {"spatio_temporal_attention": "non_local"}},
    ),
    Row(
        "no-residual",
        "no residual around attention (D5)",
        _READINGS,
        {"model": {"attention_residual": False}},
    ),
    Row("sigmoid", "tags in [0, 1] (D8)", _READINGS, {"model": {"tag_range": "sigmoid"}}),
    Row("frame-mean", "h_n of each frame (D9)", _READINGS, {"loss": {"h_n": "frame"}}),
    Row("sums", "sums as printed (D10)", _READINGS, {"loss": {"reduction": "sum"}}),
    Row(
        "random-pixels",
        "M' = 64 random pixels (D11)",
        _READINGS,
        {"loss": {"pixels_per_instance": 64}},
    ),
    Row(
        "unit-weights",
        "all weights 1 (D14)",
        _READINGS,
        {"loss": {"specter": 1.0, "temper": 1.0, "cross_entropy": 1.0}},
    ),
    Row(
        "half-push",
        "L_specter and L_temper at half weight (D14)",
        _READINGS,
        {"loss": {"specter": 2.0, "temper": 2.0}},
    ),
)
"""The paper's open questions that docs/decisions.md wants measured, each against the full model."""

Table = Literal["components", "readings"]
TABLES: dict[Table, tuple[Row, ...]] = {"components": TABLE_3, "readings": READINGS}


@dataclass(frozen=True)
class Run:
    """One row with one seed, at one budget; the folder its result goes to."""

    row: Row
    config: Config
    out: Path

    @property
    def result(self) -> Path:
        """The json file of the run."""
        return self.out / f"{self.row.name}-{self.config.train.seed}.json"

    @property
    def scratch(self) -> Path:
        """The folder of its training; the result comes out of it whole, or not at all."""
        return self.out / f".{self.result.stem}"


def ablate(
    config: Config, out: Path, rows: Sequence[Row], seeds: int, jobs: int = 1
) -> Iterator[Path]:
    """Make the runs that are not there yet; yields the result of each as it is done.

    Seeds go round first: after every pass all rows have one more. Toy videos are rendered for
    training, as many as the budget draws; the score is on the toy test split.

    Args:
        config: of the full model, with the budget in `config.train`.
        out: folder of the results.
        rows: see `TABLE_3` and `READINGS`.
        seeds: runs per row.
        jobs: runs at a time, each in its own process on one thread.

    Raises:
        ValueError: less than one seed or job, or `out` holds a run of another config.
    """
    if seeds < 1 or jobs < 1:
        raise ValueError(f"seeds is {seeds} and jobs {jobs}: both must be 1 or more")
    runs = [
        Run(row, row.apply(replace(config, train=replace(config.train, seed=seed))), out)
        for seed in range(seeds)
        for row in rows
    ]
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
    """Train and score one run, then write its result."""
    import torch

    from tagvis_lite.evaluation.davis import evaluate_tracks
    from tagvis_lite.inference import predict_video
    from tagvis_lite.model.network import TagVIS
    from tagvis_lite.runs import load_state
    from tagvis_lite.study.provenance import provenance
    from tagvis_lite.training import train

    torch.set_num_threads(1)
    config = run.config
    number = (config.train.steps or 0) * config.train.batch_size * config.train.accumulate
    videos, test = _toy_videos(number, config.data.clip_frames)
    start = time.perf_counter()
    shutil.rmtree(run.scratch, ignore_errors=True)
    train(config, videos, test[:1], run.scratch)
    seconds = time.perf_counter() - start

    network = TagVIS(config.model)
    network.load_state_dict(load_state(run.scratch / "last.pt")["network"])
    tracks = [predict_video(network, video, config) for video in test]
    scores, count_error = evaluate_tracks(test, tracks)
    values = {
        "row": run.row.name,
        "seed": config.train.seed,
        "scores": scores.global_table(),
        "instance_count_error": count_error,
        "test_videos": len(test),
        "training_seconds": round(seconds, 1),
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    text = json.dumps(values, indent=1) + "\n"
    whole = run.scratch / "result.json"
    whole.write_text(text, encoding="utf-8")
    whole.replace(run.result)
    shutil.rmtree(run.scratch, ignore_errors=True)
    return run.result


@dataclass(frozen=True)
class Summary:
    """Scores of a row over its seeds: means, and half the width of their 95 % intervals."""

    row: Row
    seeds: int
    mean: tuple[float, ...]
    half_width: tuple[float, ...]

    @classmethod
    def of(cls, row: Row, results: Sequence[Mapping[str, Any]]) -> Summary:
        """Of J&F, J and F in percent."""
        names = ("J&F-Mean", "J-Mean", "F-Mean")
        found = [mean_interval([100 * r["scores"][name] for r in results]) for name in names]
        means, halves = zip(*found, strict=True)
        return cls(row, len(results), means, halves)


def read_results(out: Path, rows: Sequence[Row]) -> list[Summary]:
    """Summaries of the rows that have results in `out`, in the order of `rows`.

    Raises:
        ValueError: results of unequal budget, which must not be compared.
    """
    found: list[Summary] = []
    budgets = set()
    for row in rows:
        pattern = f"{row.name}-[0-9]*.json"
        results = [json.loads(path.read_text()) for path in sorted(out.glob(pattern))]
        results = [result for result in results if result["row"] == row.name]
        budgets |= {replace(config_from_dict(r["config"]).train, seed=0) for r in results}
        if results:
            found.append(Summary.of(row, results))
    if len(budgets) > 1:
        raise ValueError(f"{out} holds results of unequal training: use one folder for each budget")
    return found


def markdown(summaries: Sequence[Summary]) -> str:
    """A table for people: measured here beside the paper's numbers."""
    return markdown_table(
        [
            {
                "row": summary.row.title,
                "J&F here (95 %)": plus_minus(summary.mean[0], summary.half_width[0]),
                "J here": plus_minus(summary.mean[1]),
                "F here": plus_minus(summary.mean[2]),
                "seeds": summary.seeds,
                "J&F in the paper": plus_minus(summary.row.paper[0]) if summary.row.paper else "-",
            }
            for summary in summaries
        ]
    )


def _is_done(run: Run) -> bool:
    if not run.result.exists():
        return False
    kept = json.loads(run.result.read_text(encoding="utf-8"))["config"]
    if config_from_dict(kept) != run.config:  # a field that is younger than the run is at default
        raise ValueError(
            f"{run.result} is a run of another config: choose another folder, or delete it"
        )
    shutil.rmtree(run.scratch, ignore_errors=True)  # a kill may have left it
    return True


@cache
def _toy_videos(number: int, clip_frames: int) -> tuple[list[Any], list[Any]]:
    """Videos for training and the test split; rendered once per process."""
    from tagvis_lite.data.find import toy_training_data
    from tagvis_lite.data.toy import TEST_VIDEOS, ToyConfig, toy_split

    data = toy_training_data(number, 1, clip_frames)
    test = list(toy_split("test", TEST_VIDEOS, ToyConfig(num_frames=clip_frames)))
    return list(data.train), test
