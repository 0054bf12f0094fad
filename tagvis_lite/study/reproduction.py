"""Tables I to III on the user's own data: the runs of `tagvis reproduce`, beside the paper's rows.

One run is one row and one seed; its result is a json file, OUT/<row>-<seed>.json, with scores by
their official names, config and provenance. Nothing here trains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.study.statistics import mean_interval, plus_minus

RECORDED = Path(__file__).parents[2] / "data" / "runs" / "reproduction"
"""Where a reproduction lies that docs/report.md is to show."""
NOT_RUN = "not run"
OFFICIAL = {
    "mAP": "AP",
    "AP@50": "AP50",
    "AP@75": "AP75",
    "AR@1": "AR1",
    "AR@10": "AR10",
    "J&F": "J&F-Mean",
    "J": "J-Mean",
    "F": "F-Mean",
}
"""Official name of a score, by its column in the paper's tables."""
PAPER_TABLE_1 = ("51.2", "74.8", "57.9", "46.3", "57.6")
DAVIS, YOUTUBE_VIS = ("J&F", "J", "F"), ("mAP", "AP@50", "AP@75", "AR@1", "AR@10")


def read_runs(folder: Path, row: str, column: str) -> list[dict[str, Any]]:
    """Finished runs of a row that have the score of a column, by seed."""
    runs = [json.loads(path.read_text()) for path in folder.glob(f"{row}-[0-9]*.json")]
    runs = [run for run in runs if run["row"] == row and OFFICIAL[column] in run["scores"]]
    return sorted(runs, key=lambda run: int(run["seed"]))


def measured(folder: Path, row: str, column: str) -> str:
    """Mean of a score in percent, with Student's 95 % interval over seeds; or 'not run'."""
    runs = read_runs(folder, row, column)
    if not runs:
        return NOT_RUN
    return plus_minus(*mean_interval([100 * run["scores"][OFFICIAL[column]] for run in runs]))


def own_row(data: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The line of this project in Table I or II: method, uses, data, origin and scores."""
    known = [column for column in columns if column in OFFICIAL]
    runs = read_runs(RECORDED, "full", known[0])
    if not runs:
        return ("this project", "Kinetics-400", data, NOT_RUN, *["-"] * len(columns))
    of_run = runs[0]
    seeds = ", ".join(str(run["seed"]) for run in runs)
    uses = "Kinetics-400" if of_run["config"]["model"]["pretrained"] else "no pre-training"
    return (
        "this project",
        uses,
        f"{data}, split {of_run['split']}, {of_run['videos']} videos",
        f"measured, {of_run['config']['profile']} profile, seed {seeds}",
        *(measured(RECORDED, "full", name) if name in known else NOT_RUN for name in columns),
    )


def reproduction(folder: Path) -> str:
    """A page: what was measured beside what the paper reports, and where each number comes from."""
    parts = ["# Reproduction\n\nIn percent; means over seeds with Student's 95 % intervals."]
    if read_runs(folder, "full", "mAP"):
        lines = [
            {"": "the paper", **dict(zip(YOUTUBE_VIS, PAPER_TABLE_1, strict=True))},
            {"": "here", **{name: measured(folder, "full", name) for name in YOUTUBE_VIS}},
        ]
        parts.append(f"## Table I: YouTube-VIS\n\n{markdown_table(lines)}")
    if any(read_runs(folder, row.name, "J&F") for row in TABLE_3):
        lines = []
        for row in TABLE_3:
            line = {"group": row.group, "without": "nothing" if row is TABLE_3[0] else row.title}
            paper = dict(zip(DAVIS, map(plus_minus, row.paper or ()), strict=True))
            line |= {f"{name}, paper": paper[name] for name in DAVIS}
            lines.append(
                line | {f"{name}, here": measured(folder, row.name, name) for name in DAVIS}
            )
        words = "The first row is the paper's in Table II, the others are those of Table III."
        parts.append(f"## Tables II and III: DAVIS\n\n{words}\n\n{markdown_table(lines)}")
    origins = []
    for path in sorted(folder.glob("*-[0-9]*.json")):
        run = json.loads(path.read_text())
        made = (run["provenance"][name] for name in ("date", "revision", "torch"))
        origins.append(
            {
                "run": f"[{path.stem}]({path.name})",
                "split": f"{run['split']}, {run['videos']} videos",
                "steps": f"{run['steps']:,}, best {run['best_step']:,}",
                "date, revision, torch": ", ".join(made),
                "device": str(run["device"]),
            }
        )
    table = markdown_table(origins) if origins else "None is finished yet."
    return "\n\n".join([*parts, f"## Runs\n\n{table}"]) + "\n"
