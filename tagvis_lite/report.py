"""The reproduction report: what the paper claims, what was measured here, and what nobody ran.

    python -m tagvis_lite.report                            (part of make notebooks)

writes docs/report.md and its pictures from recorded runs: the card of the shipped checkpoint and
the ablation runs in data/. No number of ours is typed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tagvis_lite.ablation import READINGS, TABLE_3, Row, Summary, read_results
from tagvis_lite.atomic import write_atomically
from tagvis_lite.checkpoint import load_network
from tagvis_lite.data.clips import spread_indices
from tagvis_lite.data.toy import CATEGORIES, toy_split
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.figures import save
from tagvis_lite.inference import merge_repeats, predict_clip, read_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.overlay import overlay
from tagvis_lite.shipped import shipped

REPORT = Path(__file__).parents[1] / "docs" / "report.md"
NOT_RUN = "not run"

TABLE_1 = (
    ("DeepSORT", "26.1", "42.9", "26.1", "27.8", "31.3"),
    ("FEELVOS", "26.9", "42.0", "29.7", "29.9", "33.4"),
    ("OSMN", "27.5", "45.1", "29.1", "28.6", "33.1"),
    ("MaskTrack", "30.3", "51.1", "32.6", "31.0", "35.5"),
    ("STEM-Seg", "34.6", "55.8", "37.9", "34.4", "41.6"),
    ("MaskProp", "46.6", "-", "51.2", "44.0", "52.6"),
    ("Propose-Reduce", "47.6", "71.6", "51.8", "46.3", "56.0"),
    ("Kini and Shah", "51.2", "74.8", "57.9", "46.3", "57.6"),
)
"""Table I: method, mAP, AP@50, AP@75, AR@1, AR@10 on the validation set of YouTube-VIS."""

TABLE_2 = (
    ("RVOS", "41.2", "36.8", "45.7", "20+"),
    ("KIS", "59.9", "-", "-", "-"),
    ("AGNN", "61.1", "58.9", "63.2", "-"),
    ("STEM-Seg", "64.7", "61.5", "67.8", "7"),
    ("UnOVOST", "67.0", "65.6", "68.4", "<1"),
    ("Propose-Reduce", "70.4", "67.0", "73.8", "-"),
    ("Kini and Shah", "74.3", "72.2", "76.4", "17"),
)
"""Table II: method, J&F, J, F, frames a second on the validation set of DAVIS'19 Unsupervised."""

INTRODUCTION = """# Reproduction report

Three kinds of numbers stand here, and no others. *The paper's* are copied from its tables.
*Measured here* come from recorded runs of this project, linked below each table; all of them are on
synthetic toy videos with the toy profile, since no real data set was at hand, and say nothing about
how the method does on real video. *Not run* means that nobody has: no public reproduction of the
paper's own rows is known to us.

`make notebooks` writes this page from the runs.
"""


def table_1(card: Mapping[str, Any]) -> str:
    """Table I, with our rows below the paper's."""
    names = ("mAP", "AP@50", "AP@75", "AR@1", "AR@10")
    ours = [f"{100 * card['test']['youtube_vis'][key]:.1f}" for key in _AP_KEYS]
    rows = [
        *(_row(names, method, "YouTube-VIS", "the paper", values) for method, *values in TABLE_1),
        _row(names, "this project", "YouTube-VIS", NOT_RUN, ["-"] * 5),
        _row(names, "this project", _toy(card), "measured here", ours),
    ]
    return markdown_table(rows)


def table_2(card: Mapping[str, Any]) -> str:
    """Table II, with our rows below the paper's."""
    names = ("J&F", "J", "F", "fps")
    ours = [f"{100 * card['test']['davis'][f'{key}-Mean']:.1f}" for key in ("J&F", "J", "F")]
    rows = [
        *(_row(names, method, "DAVIS'19", "the paper", values) for method, *values in TABLE_2),
        _row(names, "this project", "DAVIS'19", NOT_RUN, ["-"] * 4),
        _row(names, "this project", _toy(card), "measured here", [*ours, NOT_RUN]),
    ]
    return markdown_table(rows)


def table_3(summaries: Sequence[Summary], rows: Sequence[Row]) -> str:
    """Table III, the paper's numbers on DAVIS'19 beside ours on toy videos."""
    measured = {summary.row.name: summary for summary in summaries}
    lines = []
    for row in rows:
        line: dict[str, str | float] = {"": row.group, "without": row.title}
        if row.name == "full":
            line = {"": "", "without": f"nothing ({row.title})"}
        if row.paper:
            names = ("J&F, paper", "J, paper", "F, paper")
            line |= {name: f"{value:.1f}" for name, value in zip(names, row.paper, strict=True)}
        summary = measured.get(row.name)
        for k, name in enumerate(("J&F", "J", "F")):
            line[f"{name}, here"] = _with_interval(summary, k) if summary else NOT_RUN
        line["seeds"] = str(summary.seeds) if summary else "-"
        lines.append(line)
    return markdown_table(lines)


def report() -> str:
    """The text of docs/report.md."""
    card = json.loads(shipped("checkpoints/toy.json").read_text(encoding="utf-8"))
    runs = shipped("runs/ablation")
    components, readings = read_results(runs, TABLE_3), read_results(runs, READINGS)
    origin = card["provenance"]
    run = json.loads((runs / "full-0.json").read_text(encoding="utf-8"))
    budget = run["config"]["train"]
    return "\n".join(
        [
            INTRODUCTION,
            "## Table I: YouTube-VIS\n",
            table_1(card),
            f"\nOur run: [the card of the shipped checkpoint](../data/checkpoints/toy.json), "
            f"{card['summary']}; {origin['date']}, torch {origin['torch']}.\n",
            "## Table II: DAVIS'19 Unsupervised\n",
            table_2(card),
            "\nOur run: the same. The paper does not say what its 17 frames a second count.\n",
            "## Table III: what each part is worth\n",
            table_3(components, TABLE_3),
            f"\nOur runs: [one file per row and seed](../data/runs/ablation), {budget['steps']} "
            f"steps of {budget['batch_size']} clips each from random weights, scored on "
            f"{run['test_videos']} held-out toy videos; mean and 95 % interval (Student's t) over "
            "the seeds, without an interval where there is one seed.\n",
            "## Readings of the paper\n",
            "Choices that the paper leaves open ([decisions](decisions.md)), each against the same "
            "full model at the same budget.\n",
            table_3(readings, READINGS),
            "\n## Figure 5: instances\n",
            "![Four toy videos in rows, five frames each, every instance in its own colour]"
            "(images/figure-5.png)\n",
            "Predicted by the shipped weights on held-out toy videos.\n",
            "## Figure 6: semantic masks\n",
            "![The same videos with every pixel in the colour of its predicted class]"
            "(images/figure-6.png)\n",
            "The by-product of the method, from the same forward pass. Classes: "
            f"{', '.join(CATEGORIES.values())}.",
            "",
        ]
    )


def figures(videos: int = 4, columns: int = 5) -> dict[str, Figure]:
    """Figures 5 and 6 in the paper's layout, a row for each video, from our own predictions."""
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    instances, classes = [], []
    for video in toy_split("test", videos):
        frames, indices, _ = read_clip(video, config.data)
        prediction, kept = merge_repeats(predict_clip(network, frames), indices)
        assert prediction.semantic_logits is not None
        shown = spread_indices(len(kept), columns)
        pictures = video.read_frames(kept[shown].tolist())
        ids = cluster_instances(prediction, config.inference).ids[shown]
        semantic = prediction.semantic_logits.argmax(dim=0).numpy().astype(np.uint8)[shown]
        instances.append([overlay(f, i) for f, i in zip(pictures, ids, strict=True)])
        classes.append([overlay(f, s) for f, s in zip(pictures, semantic, strict=True)])
    return {
        "figure-5.png": _grid(instances, "Instances: one colour is one object in all frames"),
        "figure-6.png": _grid(classes, "Semantics: one colour is one class"),
    }


def main() -> None:
    """Write docs/report.md and its pictures."""
    for name, figure in figures().items():
        save(figure, REPORT.parent / "images" / name)
    text = report()
    write_atomically(REPORT, lambda temporary: temporary.write_text(text, encoding="utf-8"))


_AP_KEYS = ("AP", "AP50", "AP75", "AR1", "AR10")


def _with_interval(summary: Summary, k: int) -> str:
    mean = f"{summary.mean[k]:.1f}"
    return mean if summary.seeds == 1 else f"{mean} ± {summary.half_width[k]:.1f}"


def _toy(card: Mapping[str, Any]) -> str:
    return f"{card['test_videos']} toy videos"


def _row(
    names: Sequence[str], method: str, data: str, origin: str, values: Sequence[str]
) -> dict[str, str | float]:
    return {
        "method": method,
        "data": data,
        "origin": origin,
        **dict(zip(names, values, strict=True)),
    }


def _grid(rows: Sequence[Sequence[np.ndarray]], title: str) -> Figure:
    figure = Figure(figsize=(1.6 * len(rows[0]), 1.6 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axis, picture in zip(axes.flat, [p for row in rows for p in row], strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure


if __name__ == "__main__":
    main()
