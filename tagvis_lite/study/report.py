"""The reproduction report: what the paper claims, what was measured here, and what nobody ran.

    python -m tagvis_lite.study.report                            (part of make notebooks)

writes docs/report.md and its pictures from recorded runs: the card of the shipped checkpoint and
the ablation runs in data/. No number of ours is typed in; see
tagvis_lite/study/claims.py for the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tagvis_lite.atomic import write_atomically
from tagvis_lite.checkpoint import load_network
from tagvis_lite.clips import spread_indices
from tagvis_lite.data.toy import CATEGORIES, toy_split
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.inference import merge_repeats, predict_clip, read_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.shipped import shipped
from tagvis_lite.study.ablation import READINGS, TABLE_3, Row
from tagvis_lite.study.claims import (
    ABLATION,
    CARD,
    Line,
    beyond_chance,
    read_run,
    runs_of,
    table_1,
    table_2,
    table_3,
)
from tagvis_lite.views.figures import save
from tagvis_lite.views.overlay import instance_colours, overlay

REPORT = Path(__file__).parents[2] / "docs" / "report.md"
BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "results"
COMPOSITES = BENCHMARKS / "composites.json"
UNRUN = (
    {
        "not run": "Table I, the paper's own row",
        "it needs": "YouTube-VIS, the Kinetics-400 weights, a GPU",
        "the command": "`tagvis train --profile paper --data ROOT --out RUN --accelerator cuda`",
    },
    {
        "not run": "Tables II and III, the paper's own rows",
        "it needs": "DAVIS'19 Unsupervised, the Kinetics-400 weights, a GPU; 12 trainings",
        "the command": "the same for Table II, with the fields of each row for Table III",
    },
    {
        "not run": "frames a second",
        "it needs": "the paper's machine, and what its number counts",
        "the command": "`tagvis profile --profile paper`",
    },
    {
        "not run": "Figures 5 and 6 on YouTube-VIS",
        "it needs": "the first of these runs",
        "the command": "`tagvis predict ROOT --out RESULTS --checkpoint FILE`",
    },
)
"""What nobody has run, why, and what would run it."""


def report() -> str:
    """The text of docs/report.md."""
    runs = shipped(ABLATION)
    components, readings = table_3(TABLE_3, runs), table_3(READINGS, runs)
    return f"""# Reproduction report

Three kinds of numbers stand here, and no others. *The paper's* are copied from its tables.
*Measured here* come from recorded runs of this project, linked in their rows. Those beside the
paper's are on synthetic toy videos with the toy profile, since neither data set of the paper was at
hand; one more is on composites. They say nothing about how the method does on real video. *Not run*
means that nobody has: no public reproduction of the paper's own rows is known to us.

`python -m tagvis_lite.study.report`, a part of `make notebooks`, writes this page from the runs. A
test works out every number 'measured here' again from the runs that its row links, and fails on one
that it cannot find. Lesson [21](../notebooks/21_report.ipynb) shows how.

## Table I: YouTube-VIS

{markdown_table(table_1())}

FF: first frame proposal. P/D: proposals or detections. {_card_words()}

## Table II: DAVIS'19 Unsupervised

{markdown_table(table_2())}

P/D as above, OF: optical flow, RI: re-identification. Our run is the same. The paper does not say
what its 17 frames a second count, nor on which machine.

{_speed_words()} Operations and ratios of times are in lesson [19](../notebooks/19_speed.ipynb) and
in [benchmarks](../benchmarks/README.md).

## Table III: what each part is worth

{markdown_table(components)}

{_ablation_words(runs, TABLE_3)} {_beyond_chance(components)}

## Readings of the paper

Choices that the paper leaves open ([decisions](decisions.md)), each against the same full model at
the same budget.

{markdown_table(readings)}

{_ablation_words(runs, READINGS)} {_beyond_chance(readings)}

## Composites of real video

No benchmark, and not in the paper: objects of DAVIS-2016 sequences, cut out and pasted over other
sequences (`tagvis data composite`). {_composite_words()}

{markdown_table(composite_rows())}

## Figure 5: instances

![Four toy videos in rows, frames from left to right, every instance in a colour of its own \
that it keeps](images/figure-5.png)

Predicted by the shipped weights on the first four held-out toy videos, in the paper's layout: four
clips, time from left to right. The frames are grey so that colour means instance and nothing else.

## Figure 6: semantic masks

![The same videos with every pixel in the colour of its predicted class](images/figure-6.png)

The by-product of the method, from the same forward pass. Classes: {", ".join(CATEGORIES.values())}.

## Not run, and why

The runs above were made on CPU cores, without the data sets of the paper, which have terms of their
own, and without the Kinetics-400 weights.

{markdown_table(UNRUN)}
"""


def figures(videos: int = 4, columns: int = 5, frame_inches: float = 1.5) -> dict[str, Figure]:
    """Figures 5 and 6 in the paper's layout, a row for each video, from our own predictions."""
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    instances, classes, names = [], [], []
    for video in toy_split("test", videos):
        frames, indices, _ = read_clip(video, config.data)
        prediction, kept = merge_repeats(predict_clip(network, frames), indices)
        assert prediction.semantic_logits is not None
        shown = spread_indices(len(kept), columns)
        pictures = _in_grey(video.read_frames(kept[shown].tolist()))
        ids = cluster_instances(prediction, config.inference).ids[shown]
        semantic = prediction.semantic_logits.argmax(dim=0).numpy().astype(np.uint8)[shown]
        instances.append([overlay(f, i) for f, i in zip(pictures, ids, strict=True)])
        classes.append([overlay(f, s) for f, s in zip(pictures, semantic, strict=True)])
        names.append(video.name)
    by_instance = _grid(
        instances, names, frame_inches, "Instances found, one colour each, errors included"
    )
    by_class = _grid(
        classes, names, frame_inches, "Classes found, one colour each, errors included"
    )
    colours = instance_colours() / 255
    by_class.legend(
        handles=[Patch(color=colours[c], label=name) for c, name in CATEGORIES.items()],
        loc="outside lower center",
        ncols=len(CATEGORIES),
        fontsize=8,
        frameon=False,
    )
    return {"figure-5.png": by_instance, "figure-6.png": by_class}


def main() -> None:
    """Write docs/report.md and its pictures."""
    for name, figure in figures().items():
        save(figure, REPORT.parent / "images" / name)
    text = report()
    write_atomically(REPORT, lambda temporary: temporary.write_text(text, encoding="utf-8"))


# Words around the tables


def _card_words() -> str:
    card = read_run(shipped(CARD))
    return (
        f"Our run, one training and so without an interval: [its card](../data/{CARD}), "
        f"{card['summary']}. {_origin_words([card])}"
    )


def _ablation_words(folder: Path, rows: Sequence[Row]) -> str:
    """Budget, data and origin of the runs of a table."""
    runs = [read_run(path) for row in rows for path in runs_of(row, folder)]
    if not runs:
        return "No run of this table is recorded."
    train, data = runs[0]["config"]["train"], runs[0]["config"]["data"]
    return (
        f"Our runs: {runs[0]['config']['profile']} profile, {train['steps']} steps of "
        f"{train['batch_size']} clips each from random weights, scored on {runs[0]['test_videos']} "
        f"held-out toy videos of {data['clip_frames']} frames. The seeds link to their files; "
        "numbers are means over them with 95 % intervals (Student's t; Welch's for the difference "
        f"from the full model), without an interval where a row has one seed. {_origin_words(runs)}"
    )


def _origin_words(runs: Sequence[Mapping[str, Any]]) -> str:
    def each(name: str) -> str:
        return ", ".join(sorted({str(run["provenance"][name]) for run in runs}))

    return (
        f"Made on {each('date')} with Python {each('python')}, torch {each('torch')}, NumPy "
        f"{each('numpy')} and OpenCV {each('opencv')} on {each('processor')}, revision "
        f"{each('revision')}."
    )


def _speed_words() -> str:
    run = read_run(BENCHMARKS / "paper_size.json")
    rows, origin = run["speed"]["rows"], run["provenance"]
    bf16, fp32 = (rows[f"network {p}"]["frames_per_second"] for p in ("bf16", "fp32"))
    return (
        f"Ours, with random weights and the network alone, takes {bf16:.1f} frames a second in "
        f"bfloat16, {fp32:.1f} in float32, on {run['speed']['threads']} cores of "
        f"{origin['processor']} ([run](../benchmarks/results/paper_size.json)): another machine, "
        "another count, so no row."
    )


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


def _composite_words() -> str:
    runs = list(read_run(COMPOSITES)["runs"].values())
    train, data = runs[0]["config"]["train"], runs[0]["config"]["data"]
    videos = runs[0]["composites"]
    number = len(runs[0]["sequences"]["train"])
    minutes = " and ".join(f"{run['training_minutes']:.0f}" for run in runs)
    return (
        f"The network of the toy profile, at {data['size'][0]} x {data['size'][1]} pixels and "
        f"{data['clip_frames']} of {runs[0]['frames']} frames, was trained on {videos['train']} "
        f"composites of {number} sequences ({train['steps']} steps, {minutes} minutes on "
        f"{runs[0]['threads']} cores) and scored on {videos['seen']} new composites of the same "
        f"sequences and {videos['held out']} of two others, by the DAVIS protocol "
        "([runs](../benchmarks/results/composites.json)). The table holds J&F in percent: as it "
        "is; with all instances as one, which asks for the objects alone; with the true semantics, "
        "so that tags alone decide; and with everything true but seen at the network's size and "
        "frames, the most it could reach. "
        f"{_origin_words(runs)}"
    )


def _beyond_chance(lines: Sequence[Line]) -> str:
    column = "J&F against full, here"
    tested = [line for line in lines if "±" in line[column]]
    if not tested:
        return "No row has two seeds yet, so none can be told from the full model."
    beyond = [f"{line['without']} ({line[column]})" for line in beyond_chance(tested)]
    return (
        f"Of the {len(tested)} rows with two seeds or more, those whose interval of the difference "
        f"leaves out zero: {'; '.join(beyond) or 'none'}. One interval in twenty does so by chance."
    )


# Pictures


def _in_grey(frames: np.ndarray) -> np.ndarray:
    """Frames T x H x W x 3 in few greys, whose files are small."""
    grey = 16 * (frames.mean(axis=-1, keepdims=True) / 16).round()
    return np.minimum(grey, 255).astype(np.uint8).repeat(3, axis=-1)


def _grid(
    rows: Sequence[Sequence[np.ndarray]], names: Sequence[str], inches: float, title: str
) -> Figure:
    size = (inches * len(rows[0]) + 0.2, inches * len(rows) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axis, picture in zip(axes.flat, [p for row in rows for p in row], strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name, fontsize=7)
    figure.suptitle(title, fontsize=11)
    return figure


if __name__ == "__main__":
    main()
