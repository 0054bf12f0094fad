"""Tables I to III: the paper's claims beside what recorded runs of this project give.

A row of ours links its runs. `untraced` finds numbers that the linked runs do not give.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from tagvis_lite.shipped import shipped
from tagvis_lite.study.ablation import Row, difference_interval, read_results

CARD, ABLATION = "checkpoints/toy.json", "runs/ablation"
"""Recorded runs, in the project's data/."""

NOT_RUN, MEASURED = "not run", "measured here"
METRICS = {
    "mAP": "AP",
    "AP@50": "AP50",
    "AP@75": "AP75",
    "AR@1": "AR1",
    "AR@10": "AR10",
    "J&F": "J&F-Mean",
    "J": "J-Mean",
    "F": "F-Mean",
}
"""Name of a score in a recorded run, by column of the tables."""

TABLE_1 = (
    ("DeepSORT", "ImageNet, COCO; P/D", "26.1", "42.9", "26.1", "27.8", "31.3"),
    ("FEELVOS", "ImageNet, COCO; FF", "26.9", "42.0", "29.7", "29.9", "33.4"),
    ("OSMN", "ImageNet, COCO; P/D", "27.5", "45.1", "29.1", "28.6", "33.1"),
    ("MaskTrack", "ImageNet, COCO; P/D", "30.3", "51.1", "32.6", "31.0", "35.5"),
    ("STEM-Seg", "COCO", "34.6", "55.8", "37.9", "34.4", "41.6"),
    ("MaskProp", "ImageNet, COCO; P/D", "46.6", "-", "51.2", "44.0", "52.6"),
    ("Propose-Reduce", "COCO; P/D", "47.6", "71.6", "51.8", "46.3", "56.0"),
    ("Kini and Shah", "Kinetics-400", "51.2", "74.8", "57.9", "46.3", "57.6"),
)
"""Table I: method, what it uses, mAP, AP@50, AP@75, AR@1, AR@10 on YouTube-VIS validation."""

TABLE_2 = (
    ("RVOS", "", "41.2", "36.8", "45.7", "20+"),
    ("KIS", "P/D, RI", "59.9", "-", "-", "-"),
    ("AGNN", "P/D, OF", "61.1", "58.9", "63.2", "-"),
    ("STEM-Seg", "", "64.7", "61.5", "67.8", "7"),
    ("UnOVOST", "P/D, OF, RI", "67.0", "65.6", "68.4", "<1"),
    ("Propose-Reduce", "P/D", "70.4", "67.0", "73.8", "-"),
    ("Kini and Shah", "", "74.3", "72.2", "76.4", "17"),
)
"""Table II: method, what it uses, J&F, J, F, frames a second on DAVIS'19 Unsupervised."""

Line = dict[str, str]


def table_1() -> list[Line]:
    """Table I, with our rows below the paper's."""
    return _benchmark("YouTube-VIS", TABLE_1, ("mAP", "AP@50", "AP@75", "AR@1", "AR@10"))


def table_2() -> list[Line]:
    """Table II, with our rows below the paper's."""
    return _benchmark("DAVIS'19", TABLE_2, ("J&F", "J", "F", "fps"))


def table_3(rows: Sequence[Row], runs: Path) -> list[Line]:
    """Rows of an ablation: the paper's numbers on DAVIS'19 beside ours on toy videos.

    Args:
        rows: the full model first; see `ablation.TABLE_3` and `ablation.READINGS`.
        runs: folder of results, one json file per row and seed.

    Raises:
        ValueError: runs of unequal budget.
    """
    measured = {summary.row.name: summary for summary in read_results(runs, rows)}
    full = [_score(path, "J&F") for path in runs_of(rows[0], runs)]
    lines = []
    for row in rows:
        line = {"": row.group, "without": row.title}
        if row is rows[0]:
            line = {"": "", "without": f"nothing ({row.title})"}
        if row.paper:
            line |= {
                f"{column}, paper": f"{value:.1f}"
                for column, value in zip(("J&F", "J", "F"), row.paper, strict=True)
            }
        paths, summary = runs_of(row, runs), measured.get(row.name)
        for k, column in enumerate(("J&F", "J", "F")):
            line[f"{column}, here"] = (
                _plus_minus(summary.mean[k], summary.half_width[k]) if summary else NOT_RUN
            )
        line["J&F against full, here"] = "-" if row is rows[0] else NOT_RUN
        if summary and full and row is not rows[0]:
            values = [_score(path, "J&F") for path in paths]
            difference = difference_interval(values, full)
            line["J&F against full, here"] = _plus_minus(*difference, sign="+")
        seeds = [f"[{_seed(path)}](../data/{ABLATION}/{path.name})" for path in paths]
        line["seeds"] = " ".join(seeds) or "-"
        lines.append(line)
    return lines


def beyond_chance(lines: Sequence[Line]) -> list[Line]:
    """Lines of `table_3` that differ from the full model by more than seeds scatter.

    Their 95 % interval of the difference in J&F leaves out zero.
    """
    found = []
    for line in lines:
        difference, _, half = line["J&F against full, here"].partition(" ± ")
        if half and abs(float(difference)) > float(half):
            found.append(line)
    return found


def untraced(text: str) -> list[str]:
    """Numbers of a report 'measured here' that the runs linked in their own row do not give.

    They are worked out anew from the files that the links name.

    Args:
        text: tables in Markdown, as `report` writes them.

    Returns:
        Each as 'row, column: number'.

    Raises:
        FileNotFoundError: a run that is linked is not there.
    """
    found = []
    for table in read_tables(text):
        full: list[Path] = []
        for row in table:
            links = re.findall(r"\]\(\.\./data/([^)]+\.json)\)", " ".join(row.values()))
            runs = [shipped(link) for link in links]
            full = full or runs
            of_us = row.get("method") == "this project"
            for column, cell in row.items():
                name, _, side = column.partition(", ")
                ours = side == "here" or (of_us and column in (*METRICS, "fps"))
                if ours and cell not in ("-", NOT_RUN, _expected(name, runs, full)):
                    found.append(f"{row.get('method') or row.get('without')}, {column}: {cell}")
    return found


def read_tables(text: str) -> list[list[Line]]:
    """The Markdown tables of a text, each as rows by column."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        cells = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in block.splitlines()]
        tables.append([dict(zip(cells[0], row, strict=True)) for row in cells[2:]])
    return tables


def read_run(path: Path) -> dict[str, Any]:
    """Content of a recorded run."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def runs_of(row: Row, folder: Path) -> list[Path]:
    """Result files of a row of an ablation, by seed."""
    return sorted(folder.glob(f"{row.name}-[0-9]*.json"), key=_seed)


def _seed(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _score(run: Path, column: str) -> float:
    """A score of a recorded run, in percent."""
    values = read_run(run)
    scores = values.get("scores") or values["test"]["davis"] | values["test"]["youtube_vis"]
    return 100 * float(scores[METRICS[column]])


def _expected(column: str, runs: Sequence[Path], full: Sequence[Path]) -> str | None:
    """What has to stand in a cell of a row with these runs; None if they do not give it."""
    if not runs or (column not in METRICS and column != "J&F against full"):
        return None
    if column in METRICS:
        values = [_score(run, column) for run in runs]
        half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1) if runs[1:] else math.inf
        return _plus_minus(float(np.mean(values)), half)
    values, others = ([_score(run, "J&F") for run in paths] for paths in (runs, full))
    return _plus_minus(*difference_interval(values, others), sign="+")


def _plus_minus(mean: float, half_width: float, sign: str = "") -> str:
    text = f"{round(mean, 1) + 0.0:{sign}.1f}"  # + 0.0 turns -0.0 into 0.0
    return text if math.isinf(half_width) else f"{text} ± {half_width:.1f}"


def _benchmark(data: str, claims: Sequence[tuple[str, ...]], columns: Sequence[str]) -> list[Line]:
    """Rows of Table I or II: the paper's, then ours on its data, then ours on toy videos."""
    card_path = shipped(CARD)
    card = read_run(card_path)
    train = card["config"]["train"]
    origin = f"[{MEASURED}](../data/{CARD}), {card['config']['profile']} profile, seed"
    measured = [
        f"{_score(card_path, name):.1f}" if name in METRICS else NOT_RUN for name in columns
    ]
    toy = f"{card['test_videos']} toy videos"
    rows = [(method, uses, data, "the paper", *values) for method, uses, *values in claims]
    rows.append(("this project", "Kinetics-400", data, NOT_RUN, *["-"] * len(columns)))
    rows.append(("this project", "no pre-training", toy, f"{origin} {train['seed']}", *measured))
    names = ("method", "uses", "data", "origin", *columns)
    return [dict(zip(names, row, strict=True)) for row in rows]
