"""Table III and other questions to the method as tables of configurations, and their recorded runs.

One run is one row with one seed; `runner` makes them, each a json file in the folder of its table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tagvis_lite.config import Config, config_from_dict
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

_CONTROL = "control"
CONTROL = (
    Row("full", "as Table III's full model", "full model"),
    Row(
        "background-instance",
        "background as one more instance (D13)",
        _CONTROL,
        {"loss": {"background_as_instance": True}},
    ),
)
"""The other change of Table III's last row, alone."""

_WIDTH = "numbers in a tag"
WIDTH = (
    Row("full", "one, the paper's", _WIDTH),
    *(
        Row(
            f"width-{k}",
            name,
            _WIDTH,
            {"model": {"tag_channels": k}, "inference": {"bandwidth": 0.75}},
        )
        for k, name in ((2, "two"), (4, "four"))
    ),
)
"""Numbers in a tag (D23)."""

_ALONE: dict[str, dict[str, Any]] = {
    "model": {"temporal_convolutions": False},
    "data": {"clip_frames": 16},
}
TEMPORAL = tuple(
    Row(
        name,
        title,
        "attention alone in time",
        {**_ALONE, "model": {**_ALONE["model"], "spatio_temporal_attention": kind}},
    )
    for name, title, kind in (
        ("literal", "to the letter (D4 a)", "pooled"),
        ("maximum", "maximum over time (D4 b)", "max_pooled"),
        ("non-local", "non-local (D4 c)", "non_local"),
        ("removed", "none", "removed"),
    )
)
"""Attention as the only path over more than a few frames, 16 frames a clip."""

PRINTED = (
    Row("full", "as Table III's full model", "full model"),
    *(
        Row(
            f"{name}-{rate}",
            f"{title}, learning rate {rate}",
            "as printed",
            {
                "loss": {
                    "reduction": "sum",
                    "pixels_per_instance": 64,
                    "specter": 1.0,
                    "temper": 1.0,
                    "cross_entropy": 1.0,
                },
                "train": {"learning_rate": float(rate)},
                **model,
            },
        )
        for name, title, model in (
            ("printed", "loss as printed (D10)", {}),
            ("printed-sigmoid", "and tags in [0, 1] (D8)", {"model": {"tag_range": "sigmoid"}}),
        )
        for rate in ("1e-4", "3e-4", "1e-3")
    ),
)
"""The loss with sums, weights 1 and M' pixels; which rate is its own, validation says."""

Table = Literal["components", "readings", "control", "width", "temporal", "printed"]
TABLES: dict[Table, tuple[Row, ...]] = {
    "components": TABLE_3,
    "readings": READINGS,
    "control": CONTROL,
    "width": WIDTH,
    "temporal": TEMPORAL,
    "printed": PRINTED,
}


@dataclass(frozen=True)
class Experiment:
    """A question, the table that answers it, and the commands that make its runs.

    Attributes:
        name: of the folder of its runs in data/runs.
        question: as a heading.
        table: a key of `TABLES`.
        options: of `tagvis ablate`, one command each, without table and folder.
    """

    name: str
    question: str
    table: Table
    options: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """What makes all its runs; each goes on where it was stopped."""
        start = f"tagvis ablate --table {self.table} --out data/runs/{self.name}"
        return tuple(f"{start} {options}" for options in self.options)


_CURVE = "--train.validate-every 100"
_LONG = "--train.steps 12000"
EXPERIMENTS = (
    Experiment(
        "table-3",
        "Table III with power",
        "components",
        (f"--seeds 4 {_CURVE}", f"--row full --seeds 14 {_CURVE}"),
    ),
    Experiment("control", "Background as an instance", "control", (f"--seeds 4 {_CURVE}",)),
    Experiment("width", "Numbers in a tag", "width", (f"--seeds 5 {_CURVE}",)),
    Experiment(
        "width-long",
        "Numbers in a tag, long",
        "width",
        (f"--row full width-2 --seeds 2 {_LONG} {_CURVE}",),
    ),
    Experiment(
        "temporal",
        "Attention as the only path in time",
        "temporal",
        (f"--seeds 5 --train-on strata {_CURVE}",),
    ),
    Experiment("printed", "The loss as printed", "printed", (f"--seeds 4 {_CURVE}",)),
    Experiment(
        "losses-long",
        "Losses, long",
        "components",
        (f"--row full specter temper tempra --seeds 2 {_LONG} {_CURVE}",),
    ),
)
"""What is planned beyond the recorded 400 steps."""


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
        budgets |= {_budget(config_from_dict(r["config"])) for r in results}
        if results:
            found.append(Summary.of(row, results))
    if len(budgets) > 1:
        raise ValueError(f"{out} holds results of unequal training: use one folder for each budget")
    return found


def _budget(config: Config) -> tuple[int | None, int]:
    """Steps, and clips of each."""
    return config.train.steps, config.train.batch_size * config.train.accumulate


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
