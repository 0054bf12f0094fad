"""The tables of the reproduction report: ours from recorded runs, and the paper's as printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagvis_lite.runs import shipped
from tagvis_lite.study.ablation import (
    EXPERIMENTS,
    READINGS,
    TABLE_3,
    TABLES,
    Experiment,
    Row,
    read_results,
)
from tagvis_lite.study.claims import TABLE_1, TABLE_2
from tagvis_lite.study.reproduction import NOT_RUN, OFFICIAL, own_row
from tagvis_lite.study.statistics import Interval, dunnett_intervals, plus_minus, welch_interval

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks" / "results"
COMPOSITES, STRATA = BENCHMARKS / "composites.json", BENCHMARKS / "strata.json"
CARD, ABLATION = "checkpoints/toy.json", "runs/ablation"
"""Recorded runs, in the project's data/."""
CARDS = {"one": CARD, "two": "checkpoints/toy2.json"}
"""Of the weights that ship, by the numbers in a tag."""

Line = dict[str, str]


# Tables of ours


def toy_scores() -> list[Line]:
    """What ships, by the rules of both benchmarks."""
    rows = []
    for numbers, name in CARDS.items():
        path = shipped(name)
        card = read_run(path)
        rows.append(
            {
                "numbers in a tag": f"[{numbers}](../data/{name})",
                "seed": str(card["config"]["train"]["seed"]),
                "videos": str(card["test_videos"]),
                **{column: f"{score_of(path, column):.1f}" for column in OFFICIAL},
                "count error": f"{card['test']['instances']['instance-count error']:.2f}",
            }
        )
    return rows


def part_rows() -> list[Line]:
    """Where J&F is lost on the test videos, of both networks that ship."""
    test = read_run(STRATA)["sets"]["test"]
    return [
        {
            "J&F": row,
            "one number": f"{100 * test['toy']['jf'][row]:.1f}",
            "two numbers": f"{100 * test['toy2']['jf'][row]:.1f}",
        }
        for row in test["toy"]["jf"]
        if not row.startswith("position")
    ]


def strata_rows() -> list[Line]:
    """Both networks, the position control and trivial baselines, side by side in every stratum."""
    true = "true foreground, nearest true clip mean"
    rows = []
    for name, found in read_run(STRATA)["sets"].items():
        one, two = found["toy"]["jf"], found["toy2"]["jf"]
        scores = {
            "all as one": one["one instance"],
            "components": one["tracked components"],
            "one number": one["as it is"],
            "two numbers": two["as it is"],
            "one, true outline and clustering": one[true],
            "two, true outline and clustering": two[true],
            "truth of the frames seen": one["truth, at the size of the tags"],
        }
        rows.append(
            {
                "": name,
                "videos": str(found["videos for networks"]),
                "place alone": f"{100 * found['position']:.1f} ({found['videos']} videos)",
                **{column: f"{100 * score:.1f}" for column, score in scores.items()},
            }
        )
    return rows


def table_3(rows: Sequence[Row], runs: Path) -> list[Line]:
    """Rows of an ablation on toy videos.

    Args:
        rows: the full model first; see `ablation.TABLES`.
        runs: folder of results, one json file per row and seed.

    Raises:
        ValueError: runs of unequal budget.
    """
    measured = {summary.row.name: summary for summary in read_results(runs, rows)}
    against_full = differences(rows, runs)
    lines = []
    for row in rows:
        line = {"": row.group, "without": row.title}
        if row is rows[0]:
            line = {"": "", "without": f"nothing ({row.title})"}
        summary = measured.get(row.name)
        for k, column in enumerate(("J&F", "J", "F")):
            line[f"{column}, here"] = (
                plus_minus(summary.mean[k], summary.half_width[k]) if summary else NOT_RUN
            )
        difference = "-" if row is rows[0] else NOT_RUN
        if row.name in against_full:
            difference = plus_minus(*against_full[row.name], sign="+")
        line["J&F against full, here"] = difference
        seeds = [f"[{seed_of(p)}](../data/runs/{runs.name}/{p.name})" for p in runs_of(row, runs)]
        line["seeds"] = " ".join(seeds) or "-"
        lines.append(line)
    return lines


def differences(rows: Sequence[Row], runs: Path) -> dict[str, Interval]:
    """J&F of each row that has runs minus that of the full model, by the row's name.

    Rows of Table III scatter alike, so Dunnett's test pools them. Readings do not, since with some
    of them a training may fail altogether: Welch's interval takes each alone with the full model.
    """
    scores = {row.name: [score_of(path, "J&F") for path in runs_of(row, runs)] for row in rows}
    full = scores.pop(rows[0].name)
    others = {name: values for name, values in scores.items() if values}
    if not full or not others:
        return {}
    if rows is READINGS:
        return {name: welch_interval(values, full) for name, values in others.items()}
    return dict(zip(others, dunnett_intervals(list(others.values()), full), strict=True))


def runs_of(row: Row, folder: Path) -> list[Path]:
    """Result files of a row of an ablation, by seed."""
    return sorted(folder.glob(f"{row.name}-[0-9]*.json"), key=seed_of)


def read_run(path: Path) -> dict[str, Any]:
    """Content of a recorded run."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def seed_of(path: Path) -> int:
    """In the name of the file."""
    return int(path.stem.rpartition("-")[2])


def score_of(run: Path, column: str) -> float:
    """A score of a recorded run, in percent."""
    values = read_run(run)
    scores = values.get("scores") or values["test"]["davis"] | values["test"]["youtube_vis"]
    return 100 * float(scores[OFFICIAL[column]])


def planned() -> list[Line]:
    """What is to be run, with its commands, and how much of it is there."""
    lines = []
    for experiment in EXPERIMENTS:
        made = [p for row in TABLES[experiment.table] for p in runs_of(row, folder_of(experiment))]
        lines.append(
            {
                "question": experiment.question,
                "runs": str(len(made)) if made else NOT_RUN,
                "commands": "; ".join(f"`{command}`" for command in experiment.commands),
            }
        )
    return lines


def folder_of(experiment: Experiment) -> Path:
    """Of the runs of an experiment, whether there are any or not."""
    return shipped("runs") / experiment.name


def composite_rows() -> list[Line]:
    """Scores on composites: a row for each run and each kind of sequences, J&F in percent."""
    rows = []
    for name, run in read_run(COMPOSITES)["runs"].items():
        start, _, seed = name.partition("-")
        for kind, scores in run["scores"].items():
            held_out = ", ".join(run["sequences"]["test"])
            rows.append(
                {
                    "composites of": f"sequences {kind}" + f" ({held_out})" * (kind == "held out"),
                    "start": f"{start} weights",
                    "seed": seed,
                    "J&F": f"{100 * scores['J&F']:.1f}",
                    "all instances as one": f"{100 * scores['J&F, all instances as one']:.1f}",
                    "told what is an object": f"{100 * scores['J&F, told what is an object']:.1f}",
                    "told everything": f"{100 * scores['J&F, told everything']:.1f}",
                    "instance-count error": f"{scores['instance-count error']:.2f}",
                }
            )
    return rows


# The paper's tables


def table_1() -> list[Line]:
    """Table I as the paper has it, and a row for a run of ours on the paper's data."""
    return _papers("YouTube-VIS", TABLE_1, ("mAP", "AP@50", "AP@75", "AR@1", "AR@10"))


def table_2() -> list[Line]:
    """Table II as the paper has it, and a row for a run of ours on the paper's data."""
    return _papers("DAVIS'19", TABLE_2, ("J&F", "J", "F", "fps"))


def _papers(data: str, rows: Sequence[tuple[str, ...]], columns: Sequence[str]) -> list[Line]:
    theirs = [(method, uses, data, "the paper", *scores) for method, uses, *scores in rows]
    names = ("method", "uses", "data", "origin", *columns)
    return [dict(zip(names, r, strict=True)) for r in (*theirs, own_row(data, columns))]


def papers_table_3() -> list[Line]:
    """Table III as the paper has it."""
    return [
        {
            "": "" if row is TABLE_3[0] else row.group,
            "without": f"nothing ({row.title})" if row is TABLE_3[0] else row.title,
            **dict(zip(("J&F", "J", "F"), map(plus_minus, row.paper or ()), strict=True)),
        }
        for row in TABLE_3
    ]
