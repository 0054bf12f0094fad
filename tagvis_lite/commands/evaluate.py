"""`tagvis evaluate ...` and `tagvis check-submission ...`: what a benchmark's server would say."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from tagvis_lite.commands.check import folder_problems, refuse
from tagvis_lite.commands.options import Results, Root, Split

if TYPE_CHECKING:
    from tagvis_lite.data.label_maps import LabelMaps
    from tagvis_lite.evaluation.davis import DavisScores
    from tagvis_lite.evaluation.explain import LostPoints
    from tagvis_lite.evaluation.findings import Finding
    from tagvis_lite.evaluation.outputs import Report, Rows

Methods = Annotated[Positional[tuple[Path, ...]], arg(metavar="RESULTS")]
Protocol = Literal["davis-2019-unsupervised", "davis-2017-semi", "davis-2016", "masks"]
Resolution = Literal["480p", "Full-Resolution"]


def evaluate_davis(
    root: Root,
    results: Methods,
    protocol: Protocol = "davis-2019-unsupervised",
    split: Split = None,
    sequences: tuple[str, ...] = (),
    resolution: Resolution = "480p",
    processes: int | None = None,
    out: Path | None = None,
    explain: bool = False,
) -> None:
    """J, F and J&F of label maps, side by side for several methods.

    Args:
        root: of the DAVIS data set; for masks and davis-2016 also a folder with a folder of label
            maps for each sequence.
        results: of each method: a folder of palette PNGs for each sequence, the zip of it that is
            uploaded, or the folder that `tagvis predict` filled.
        protocol: what counts: objects, frames, and who is compared with whom.
        sequences: only these.
        resolution: folder of the annotations.
        processes: sequences scored at once; as many as there are cores when not given.
        out: folder for json, CSV tables, pictures and a page; nothing is written when not given.
        explain: say what every object lost its points to; in `out`, with pictures of the worst.
    """
    from tagvis_lite.evaluation.davis import evaluate_davis_files, read_truth
    from tagvis_lite.evaluation.outputs import Report, davis_tables_of
    from tagvis_lite.evaluation.protocols import PROTOCOLS
    from tagvis_lite.evaluation.tables import davis_tables

    chosen = PROTOCOLS[protocol]
    methods = method_names(results)
    look_before(methods.values(), out)
    scores = {
        name: evaluate_davis_files(
            root,
            path,
            chosen,
            split=split,
            sequences=sequences,
            resolution=resolution,
            processes=processes or cores(),
        )
        for name, path in methods.items()
    }
    print(davis_tables(scores), flush=True)
    tables = davis_tables_of(scores)
    shown = ["global", "objects"]
    pictures: dict[str, bytes] = {}
    if explain:
        truths = read_truth(root, chosen, split=split, sequences=sequences, resolution=resolution)
        for name, path in methods.items():
            lost, worst = explain_davis_files(
                scores[name], truths, path, root / "JPEGImages" / resolution, out is not None
            )
            print_lost(name, lost)
            add_lost(tables, shown, name, lost)
            pictures |= {f"{name}: {text}": png for text, png in worst.items()}
    if out is not None:
        from tagvis_lite.views.figures import png
        from tagvis_lite.views.scores import score_bars

        bars = {f"{name}: J and F of sequences": png(score_bars(s)) for name, s in scores.items()}
        title = f"{protocol}-{split}" if split else protocol
        notes = dict.fromkeys(note for s in scores.values() for note in s.notes())
        rules = "; ".join([chosen.rules, *notes])
        write(out, Report(title, rules, tables, shown, bars | pictures))


def evaluate_youtube_vis(
    root: Root,
    results: Methods,
    protocol: Literal["youtube-vis-2019", "youtube-vis-2021"] | None = None,
    split: Split = None,
    sequences: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    out: Path | None = None,
    explain: bool = False,
) -> None:
    """AP and AR of instance tracks, side by side for several methods: YouTube-VIS 2019 and 2021.

    Args:
        root: annotation file, or root of the data set.
        results: of each method: results.json, a zip of it, or the folder that `tagvis predict`
            filled.
        protocol: that of the categories in the annotation file when not given.
        sequences: only videos of these names.
        categories: only these, by name or id.
        out: folder for json, CSV tables, curves and a page; nothing is written when not given.
        explain: say what every object lost its points to, and what AP lost to the ranking.
    """
    from tagvis_lite.data.youtube_vis_json import read_annotations, restrict
    from tagvis_lite.evaluation.outputs import Report, youtube_vis_tables_of
    from tagvis_lite.evaluation.tables import youtube_vis_tables
    from tagvis_lite.evaluation.youtube_vis import evaluate_parsed, notes, youtube_vis_protocol
    from tagvis_lite.evaluation.youtube_vis_submission import read_predictions

    methods = method_names(results)
    look_before(map(results_file, methods.values()), out)
    whole = read_annotations(annotation_file(root, split))
    name = youtube_vis_protocol(whole, protocol)
    scored = restrict(whole, sequences, categories)
    scores, lost = {}, {}
    for method, path in methods.items():
        predictions = read_predictions(results_file(path), whole)
        scores[method] = evaluate_parsed(scored, predictions)
        if explain:
            from tagvis_lite.evaluation.explain import explain_youtube_vis, ranking_and_category

            gains = ranking_and_category(scored, predictions)
            lost[method] = (list(explain_youtube_vis(scored, predictions)), gains)
        del predictions
    print(youtube_vis_tables(scores, name, notes(whole)), flush=True)
    tables = youtube_vis_tables_of(scores)
    shown = ["global", "categories"]
    for method, (objects, gains) in lost.items():
        print_lost(method, objects)
        told = ", ".join(f"{cause} {100 * gain:.1f}" for cause, gain in gains.items())
        print(f"points of AP lost by the whole result: {told}")
        add_lost(tables, shown, method, objects)
    if out is not None:
        from tagvis_lite.views.figures import png
        from tagvis_lite.views.scores import precision_recall

        curves = {"Precision against recall, mean of the categories": png(precision_recall(scores))}
        title = f"{name}-{split}" if split else name
        rules = "; ".join(["AP and AR of instance tracks", *notes(whole)])
        write(out, Report(title, rules, tables, shown, curves))


def check_davis(
    root: Root,
    results: Results,
    protocol: Protocol = "davis-2019-unsupervised",
    split: Split = None,
    sequences: tuple[str, ...] = (),
    resolution: Resolution = "480p",
) -> None:
    """Everything a DAVIS server would refuse in results, all at once; exit code 1 for errors.

    Args:
        root: of the data set, with JPEGImages and ImageSets.
        results: one folder of palette PNGs for each sequence, or the zip to submit.
        protocol: what the results are for.
        sequences: only these.
        resolution: folder of the frames.
    """
    from tagvis_lite.evaluation.davis_submission import check_davis_submission
    from tagvis_lite.evaluation.protocols import PROTOCOLS

    report(
        check_davis_submission(
            root,
            results / "davis" if (results / "run.json").is_file() else results,
            PROTOCOLS[protocol],
            split=split,
            sequences=sequences,
            resolution=resolution,
        )
    )


def check_youtube_vis(root: Root, results: Results, split: Split = None) -> None:
    """Everything a YouTube-VIS server would refuse in results; exit code 1 for errors.

    Args:
        root: annotation file, or the part of it that is public (videos and categories), or root of
            the data set.
        results: results.json, or a zip with it at the root.
    """
    from tagvis_lite.evaluation.youtube_vis_submission import check_results

    report(check_results(annotation_file(root, split), results_file(results)))


def look_before(results: Iterable[Path], out: Path | None) -> None:
    """Refuse, all at once and before anything is scored, what is not there or cannot be written."""
    missing = [f"{path}: no such results" for path in results if not path.exists()]
    refuse(missing + (folder_problems(out) if out is not None else []))


def report(findings: Sequence[Finding]) -> None:
    """Print what was found; exit code 1 if a server would refuse it."""
    from tagvis_lite.evaluation.findings import summary

    print(summary(findings))
    if any(not finding.warning for finding in findings):
        raise SystemExit(1)


def explain_davis_files(
    scores: DavisScores,
    truths: Mapping[str, LabelMaps],
    results: Path,
    frames: Path,
    with_pictures: bool,
) -> tuple[list[LostPoints], dict[str, bytes]]:
    """What every object lost, and pictures of the worst; `frames` may be missing."""
    from tagvis_lite.data.images import decode_image
    from tagvis_lite.evaluation.explain import explain_davis
    from tagvis_lite.evaluation.result_files import open_results, result_maps

    folder = open_results(results, truths)
    found = {}
    lost = []
    for of_sequence in scores.sequences:
        name, truth = of_sequence.name, truths[of_sequence.name]
        names = [path.stem for path in truth.paths]
        found[name] = result_maps(folder, name, names, truth.size)
        lost += explain_davis(of_sequence, truth, found[name], scores.protocol)
    if not with_pictures:
        return lost, {}
    from tagvis_lite.views.scores import worst_objects

    def read_frame(name: str, t: int) -> np.ndarray:
        path = frames / name / f"{truths[name].paths[t].stem}.jpg"
        grey = np.full((*truths[name].size, 3), 128, np.uint8)
        return decode_image(path) if path.is_file() else grey

    pictures = worst_objects(
        lost, read_frame, lambda name, t: truths[name][t], lambda name, t: found[name][t]
    )
    return lost, pictures


def print_lost(method: str, lost: Sequence[LostPoints]) -> None:
    """Points lost by sequence or category, and in all."""
    from tagvis_lite.evaluation.explain import summaries
    from tagvis_lite.evaluation.tables import markdown_table

    print(f"\n{method}: points lost, means over objects\n\n{markdown_table(summaries(lost))}")


def add_lost(
    tables: dict[str, Rows], shown: list[str], method: str, lost: Sequence[LostPoints]
) -> None:
    """Add the points lost to the tables of a report."""
    from tagvis_lite.evaluation.explain import summaries

    rows = {"lost": summaries(lost), "lost-objects": [of_object.row() for of_object in lost]}
    for name, table in rows.items():
        tables[name] = [*tables.get(name, ()), *({"Method": method, **row} for row in table)]
    if "lost" not in shown:
        shown.append("lost")


def write(folder: Path, report: Report) -> None:
    """Write the files of a report, saying which; those that cannot be written are warnings."""
    from tagvis_lite.evaluation.outputs import write_report

    written, warnings = write_report(folder, report)
    print()
    for path in written:
        print(path)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def annotation_file(path: Path, split: str | None) -> Path:
    """A file as it is, or the annotations of a split of a root, the held-out one by default."""
    from tagvis_lite.data.find import held_out_split, youtube_vis_splits

    if not path.is_dir():
        return path
    splits = youtube_vis_splits(path)
    if not splits:
        davis = (path / "ImageSets").is_dir()
        there = (
            "it is a DAVIS root: say davis in place of youtube-vis"
            if davis
            else "give the file itself"
        )
        raise FileNotFoundError(f"{path} holds no annotations of YouTube-VIS; {there}")
    split = split or held_out_split(path)
    if split not in splits:
        raise FileNotFoundError(
            f"{path} holds neither {split}/instances.json nor {split}.json: choose another split "
            f"({', '.join(splits)}), or give the annotation file itself"
        )
    return splits[split]


def results_file(path: Path) -> Path:
    """A file as it is, or the one in the folder that `tagvis predict` filled."""
    return path / "results.json" if path.is_dir() else path


def method_names(results: Sequence[Path]) -> dict[str, Path]:
    """Results by what their columns are called: the shortest ends of paths that differ."""
    if not results:
        raise ValueError("no results to score: give a folder, a zip or a results.json")
    paths = dict.fromkeys(results)
    for parts in range(1, max(len(path.absolute().parts) for path in paths) + 1):
        names = {"/".join(path.absolute().parts[-parts:]): path for path in paths}
        if len(names) == len(paths):
            return names
    return {str(path): path for path in paths}


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
