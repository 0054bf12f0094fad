"""`tagvis profile` and `tagvis ablate`: what a network costs, and what its parts are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagvis_lite.commands.check import folder_problems, memory_problems, refuse
from tagvis_lite.commands.options import Device, Fields, Precision, device_named


def profile(
    fields: Fields,
    device: Device = "auto",
    precision: Precision = "fp32",
    repeats: int = 3,
) -> None:
    """Count the network's parameters and operations, and time each stage of inference.

    Fields that are not given are those of `--profile`: toy, paper or smoke.

    Args:
        repeats: the median of so many runs is shown.
    """
    from tagvis_lite.study.speed import profile_inference

    refuse(memory_problems(fields))
    print(
        profile_inference(fields, device=device_named(device), precision=precision, repeats=repeats)
    )


def ablate(
    fields: Fields,
    out: Path = Path("runs/ablation"),
    table: Literal[
        "components", "readings", "control", "width", "temporal", "printed"
    ] = "components",
    row: tuple[str, ...] = (),
    seeds: int = 5,
    seed: int | None = None,
    train_on: Literal["toy", "strata"] = "toy",
    videos: int = 512,
    stratum_videos: int = 64,
    jobs: int = 1,
) -> None:
    """Train every row of Table III on toy videos at equal budget, or go on where that stopped.

    The profile is that of the full model; the budget is `--train.steps`, and the curve has a point
    at each `--train.validate-every`.

    Args:
        out: folder of the results: of each row and seed one json file, and its weights.
        table: components are the rows of Table III, readings the choices that the paper leaves
            open; control, width, temporal and printed are questions of docs/report.md.
        row: names of rows, such as full spectra; all of the table when not given.
        seeds: runs per row, with seeds 0, 1, ...
        seed: this one alone, for jobs that share a folder.
        train_on: the toy set, or the training videos of all strata.
        videos: of the toy test split that a run is scored on.
        stratum_videos: of each stratum, likewise.
        jobs: runs at a time, one thread each.
    """
    from tagvis_lite.study import runner
    from tagvis_lite.study.ablation import TABLES, markdown, read_results

    rows = TABLES[table]
    unknown = set(row) - {each.name for each in rows}
    if unknown:
        raise ValueError(
            f"no row {sorted(unknown)} in table {table}; it has {[each.name for each in rows]}"
        )
    if seeds < 1 or videos < 1 or stratum_videos < 0 or (seed is not None and seed < 0):
        raise ValueError(
            f"seeds is {seeds}, seed {seed}, videos {videos}, stratum_videos {stratum_videos}: "
            "expected 1, 0, 1 and 0 or more"
        )
    refuse(memory_problems(fields) + folder_problems(out))
    runs = runner.plan(
        fields,
        out,
        [each for each in rows if not row or each.name in row],
        range(seeds) if seed is None else [seed],
        train_on=train_on,
        videos=videos,
        stratum_videos=stratum_videos,
    )
    for path in runner.ablate(runs, jobs):
        print(path, flush=True)
    print(markdown(read_results(out, rows)))
