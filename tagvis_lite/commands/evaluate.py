"""`tagvis evaluate ...` and `tagvis check-submission ...`: what a benchmark's server would say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from tyro.conf import arg, subcommand


def evaluate_davis(
    gt: Path,
    results: Path,
    set: str = "val",
    year: str = "2017",
    single_object: bool = False,
    processes: int | None = None,
    out: Path | None = None,
    figure: Path | None = None,
) -> None:
    """J, F and J&F of a folder of palette PNGs: DAVIS 2017 Unsupervised.

    Args:
        gt: root of the data set, with Annotations_unsupervised and ImageSets.
        results: one folder of palette PNGs for each sequence.
        set: split to score.
        year: of ImageSets.
        single_object: the ground truth is DAVIS-2016 style, 255 for the object.
        processes: sequences scored at once; as many as there are cores when not given.
        out: folder for the official CSV tables; `results` when not given.
        figure: file for a bar for each sequence, such as scores.png.
    """
    from tagvis_lite.evaluation.davis import evaluate_davis_folder
    from tagvis_lite.evaluation.tables import davis_tables

    scores = evaluate_davis_folder(
        gt, results, set, year=year, single_object=single_object, processes=processes or cores()
    )
    for path in scores.write_csv(out or results, set):
        print(path)
    if figure is not None:
        from tagvis_lite.views.figures import save, score_bars

        save(score_bars(scores), figure)
        print(figure)
    print(davis_tables(scores))


def evaluate_youtube_vis(gt: Path, results: Path) -> None:
    """AP and AR of a results.json or a zip of it: YouTube-VIS 2019 and 2021.

    Args:
        gt: annotation file.
        results: results.json, or a zip with it at the root.
    """
    from tagvis_lite.evaluation.tables import youtube_vis_tables
    from tagvis_lite.evaluation.youtube_vis import evaluate_youtube_vis_files

    print(youtube_vis_tables(evaluate_youtube_vis_files(gt, results)))


def check_davis(gt: Path, results: Path, set: str = "val", year: str = "2017") -> None:
    """Everything a DAVIS server would refuse in a folder of results, all at once.

    Args:
        gt: root of the data set, with JPEGImages and ImageSets.
        results: one folder of palette PNGs for each sequence.
        set: split the results are for.
        year: of ImageSets.
    """
    from tagvis_lite.evaluation.davis_submission import check_davis_submission

    report(check_davis_submission(gt, results, set, year=year))


def check_youtube_vis(gt: Path, results: Path) -> None:
    """Everything a YouTube-VIS server would refuse in a results.json or zip, all at once.

    Args:
        gt: annotation file, or the part of it that is public: videos and categories.
        results: results.json, or a zip with it at the root.
    """
    from tagvis_lite.evaluation.youtube_vis_submission import check_results

    report(check_results(gt, results))


def report(problems: Sequence[object]) -> None:
    """Print one problem a line; exit code 1 if there are any."""
    for problem in problems:
        print(problem)
    if problems:
        raise SystemExit(1)
    print("nothing a server would refuse")


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Evaluate = (
    Annotated[None, subcommand("davis", constructor=evaluate_davis)]
    | Annotated[None, subcommand("youtube-vis", constructor=evaluate_youtube_vis)]
)
Check = (
    Annotated[None, subcommand("davis", constructor=check_davis)]
    | Annotated[None, subcommand("youtube-vis", constructor=check_youtube_vis)]
)


def evaluate(benchmark: Annotated[Evaluate, arg(name="")]) -> None:
    """Score results as the benchmark's own tool does."""


def check_submission(benchmark: Annotated[Check, arg(name="")]) -> None:
    """Find what a benchmark's server would refuse, before it does."""
