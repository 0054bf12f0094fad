"""The runs of `tagvis reproduce`, on the user's own data, beside the paper's rows.

One run is one row and one seed; its result is a json file, OUT/<row>-<seed>.json, with scores by
their official names, config and provenance. Nothing here trains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.study.ablation import TABLE_3, markdown, read_results
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
"""Official name of a score, by its column in the paper's Tables I and II."""


def read_runs(folder: Path, column: str) -> list[dict[str, Any]]:
    """Finished runs of the full model that have the score of a column, by seed."""
    runs = [json.loads(path.read_text()) for path in folder.glob("full-[0-9]*.json")]
    runs = [run for run in runs if OFFICIAL[column] in run["scores"]]
    return sorted(runs, key=lambda run: int(run["seed"]))


def own_row(data: str, columns: Sequence[str], folder: Path | None = None) -> tuple[str, ...]:
    """The line of this project in Table I or II: method, uses, data, origin and scores.

    Scores are means over seeds in percent, with Student's 95 % interval; or nobody has run it.

    Args:
        data: name of the benchmark.
        columns: of the table; one that is no score, such as fps, is not run.
        folder: of the runs; `RECORDED` when not given.
    """
    runs = read_runs(folder or RECORDED, columns[0])
    if not runs:
        return ("this project", "Kinetics-400", data, NOT_RUN, *["-"] * len(columns))
    first = runs[0]

    def mean(name: str) -> str:
        return plus_minus(*mean_interval([100 * run["scores"][OFFICIAL[name]] for run in runs]))

    return (
        "this project",
        "Kinetics-400" if first["config"]["model"]["pretrained"] else "no pre-training",
        f"{data}, split {first['split']}, {first['videos']} videos",
        f"measured, {first['config']['profile']} profile, "
        f"seed {', '.join(str(run['seed']) for run in runs)}",
        *(mean(name) if name in OFFICIAL else NOT_RUN for name in columns),
    )


def reproduction(folder: Path) -> str:
    """A page: what was measured beside what the paper reports, and where each number comes from."""
    parts = ["# Reproduction\n\nIn percent; means over seeds with Student's 95 % intervals."]
    if read_runs(folder, "mAP"):
        columns = tuple(OFFICIAL)[:5]
        names = ("method", "uses", "data", "origin", *columns)
        paper = ("51.2", "74.8", "57.9", "46.3", "57.6")
        rows = (
            ("Kini and Shah", "Kinetics-400", "validation", "the paper", *paper),
            own_row("YouTube-VIS", columns, folder),
        )
        table = markdown_table([dict(zip(names, row, strict=True)) for row in rows])
        parts.append(f"## Table I: YouTube-VIS\n\n{table}")
    elif any(folder.glob("*-[0-9]*.json")):
        words = "The first row is the paper's in Table II, the others are those of Table III."
        table = markdown(read_results(folder, TABLE_3))
        parts.append(f"## Tables II and III: DAVIS\n\n{words}\n\n{table}")
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
    if origins:
        parts.append(f"## Runs\n\n{markdown_table(origins)}")
    return "\n\n".join(parts) + "\n"
