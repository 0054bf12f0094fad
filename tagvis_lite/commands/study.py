"""`tagvis profile` and `tagvis ablate`: what a network costs, and what its parts are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tagvis_lite.commands.check import memory_problems, refuse
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
    table: Literal["components", "readings"] = "components",
    only: tuple[str, ...] = (),
    seeds: int = 5,
    jobs: int = 1,
) -> None:
    """Train every row of Table III on toy videos at equal budget, or go on where that stopped.

    The profile is that of the full model; the budget is `--train.steps`.

    Args:
        out: folder of the results, one json file per row and seed.
        table: components are the rows of Table III; readings are the choices that the paper leaves
            open.
        only: names of rows, such as full spectra; all of the table when not given.
        seeds: runs per row.
        jobs: runs at a time, one thread each.
    """
    from tagvis_lite.study.ablation import TABLES, markdown, read_results
    from tagvis_lite.study.ablation import ablate as run_rows

    rows = TABLES[table]
    unknown = set(only) - {row.name for row in rows}
    if unknown:
        raise ValueError(
            f"no row {sorted(unknown)} in table {table}; it has {[row.name for row in rows]}"
        )
    refuse(memory_problems(fields))
    chosen = [row for row in rows if not only or row.name in only]
    for path in run_rows(fields, out, chosen, seeds, jobs):
        print(path, flush=True)
    print(markdown(read_results(out, rows)))
