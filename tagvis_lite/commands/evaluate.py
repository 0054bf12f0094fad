"""`tagvis evaluate ...` and `tagvis check-submission ...`: what a benchmark's server would say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tagvis_lite.commands.options import Results, Root, Split


def evaluate_davis(
    root: Root,
    results: Results,
    split: Split = None,
    year: str = "2017",
    single_object: bool = False,
    processes: int | None = None,
    out: Path | None = None,
    figure: Path | None = None,
) -> None:
    """J, F and J&F of a folder of palette PNGs: DAVIS 2017 Unsupervised.

    Args:
        results: one folder of palette PNGs for each sequence, or the folder that predict filled.
        year: of ImageSets.
        single_object: the ground truth is DAVIS-2016 style, 255 for the object.
        processes: sequences scored at once; as many as there are cores when not given.
        out: folder for the official CSV tables; `results` when not given.
        figure: file for a bar for each sequence, such as scores.png.
    """
    from tagvis_lite.data.find import held_out_split
    from tagvis_lite.evaluation.davis import evaluate_davis_folder
    from tagvis_lite.evaluation.tables import davis_tables

    split = split or held_out_split(root)
    scores = evaluate_davis_folder(
        root,
        davis_results(results),
        split,
        year=year,
        single_object=single_object,
        processes=processes or cores(),
    )
    for path in scores.write_csv(out or results, split):
        print(path)
    if figure is not None:
        from tagvis_lite.views.figures import save, score_bars

        save(score_bars(scores), figure)
        print(figure)
    print(davis_tables(scores))


def evaluate_youtube_vis(root: Root, results: Results, split: Split = None) -> None:
    """AP and AR of a results.json or a zip of it: YouTube-VIS 2019 and 2021.

    Args:
        root: root of the data set, or one annotation file.
        results: results.json, a zip with it at the root, or the folder that predict filled.
    """
    from tagvis_lite.evaluation.tables import youtube_vis_tables
    from tagvis_lite.evaluation.youtube_vis import evaluate_youtube_vis_files

    print(
        youtube_vis_tables(
            evaluate_youtube_vis_files(youtube_vis_truth(root, split), youtube_vis_results(results))
        )
    )


def check_davis(root: Root, results: Results, split: Split = None, year: str = "2017") -> None:
    """Everything a DAVIS server would refuse in a folder of results, all at once.

    Args:
        results: one folder of palette PNGs for each sequence, or the folder that predict filled.
        year: of ImageSets.
    """
    from tagvis_lite.data.find import held_out_split
    from tagvis_lite.evaluation.davis_submission import check_davis_submission

    split = split or held_out_split(root)
    report(check_davis_submission(root, davis_results(results), split, year=year))


def check_youtube_vis(root: Root, results: Results, split: Split = None) -> None:
    """Everything a YouTube-VIS server would refuse in a results.json or zip, all at once.

    Args:
        root: root of the data set, or one annotation file: videos and categories are enough.
        results: results.json, a zip with it at the root, or the folder that predict filled.
    """
    from tagvis_lite.evaluation.youtube_vis_submission import check_results

    report(check_results(youtube_vis_truth(root, split), youtube_vis_results(results)))


def davis_results(results: Path) -> Path:
    """The folder of palette PNGs: `results`, or the one in what `tagvis predict` filled."""
    return results / "davis" if (results / "run.json").is_file() else results


def youtube_vis_results(results: Path) -> Path:
    """The file of results: `results`, or the one in what `tagvis predict` filled."""
    return results / "results.json" if results.is_dir() else results


def youtube_vis_truth(root: Path, split: str | None) -> Path:
    """The annotation file: `root` itself, or that of a split.

    Raises:
        FileNotFoundError: the root has no such split.
    """
    from tagvis_lite.data.find import held_out_split, youtube_vis_splits

    if root.is_file():
        return root
    split = split or held_out_split(root)
    splits = youtube_vis_splits(root)
    if split not in splits:
        raise FileNotFoundError(f"{root} holds neither {split}/instances.json nor {split}.json")
    return splits[split]


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
