"""The reproduction report: what the paper claims, what was measured here, and what nobody ran.

    python -m tagvis_lite.study.report                            (part of make notebooks)

writes docs/report.md and its pictures from recorded runs: the card of the shipped checkpoint, the
ablation runs in data/, and two benchmarks. No number of ours is typed in, and a row of ours links
its runs. tests/study/test_report.py works every number out again from the same files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagvis_lite.atomic import replacing
from tagvis_lite.checkpoint import shipped
from tagvis_lite.data.toy import CATEGORIES
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.study.ablation import READINGS, TABLE_3, Row, read_results
from tagvis_lite.study.figures import figures
from tagvis_lite.study.provenance import require_checkout
from tagvis_lite.study.reproduction import own_row
from tagvis_lite.study.statistics import Interval, dunnett_intervals, plus_minus, welch_interval
from tagvis_lite.views.figures import save

REPORT = Path(__file__).parents[2] / "docs" / "report.md"
BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "results"
COMPOSITES = BENCHMARKS / "composites.json"
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

UNRUN = (
    {
        "not run": "Table I, the paper's own row",
        "it needs": "YouTube-VIS, the Kinetics-400 weights, a GPU",
        "the command": "`tagvis train --profile paper --data ROOT --out RUN --device cuda`",
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

Line = dict[str, str]


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
test works out every number of ours again from the files that the runs left, in the tables and in
the words between them, and fails on one that differs. Lesson [24](../notebooks/24_report.ipynb)
shows how.

## Table I: YouTube-VIS

{markdown_table(table_1())}

FF: first frame proposal. P/D: proposals or detections. {_card_words()}

## Table II: DAVIS'19 Unsupervised

{markdown_table(table_2())}

P/D as above, OF: optical flow, RI: re-identification. Our run is the same. The paper does not say
what its 17 frames a second count, nor on which machine.

{_speed_words()} Operations and ratios of times are in lesson [22](../notebooks/22_speed.ipynb) and
in [benchmarks](../benchmarks/README.md).

## Table III: what each part is worth

{markdown_table(components)}

{_ablation_words(runs, TABLE_3)} {_beyond_chance(TABLE_3, runs)}

## Readings of the paper

Choices that the paper leaves open ([decisions](decisions.md)), each against the same full model at
the same budget.

{markdown_table(readings)}

{_ablation_words(runs, READINGS)} {_beyond_chance(READINGS, runs)}

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


def main() -> None:
    """Write docs/report.md and its pictures."""
    for name, figure in figures().items():
        save(figure, REPORT.parent / "images" / name)
    text = report()
    with replacing(REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")


# Tables: the paper's rows, and ours below or beside them


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
    against_full = differences(rows, runs)
    lines = []
    for row in rows:
        line = {"": row.group, "without": row.title}
        if row is rows[0]:
            line = {"": "", "without": f"nothing ({row.title})"}
        if row.paper:
            names = ("J&F, paper", "J, paper", "F, paper")
            line |= dict(zip(names, map(plus_minus, row.paper), strict=True))
        summary = measured.get(row.name)
        for k, column in enumerate(("J&F", "J", "F")):
            line[f"{column}, here"] = (
                plus_minus(summary.mean[k], summary.half_width[k]) if summary else NOT_RUN
            )
        difference = "-" if row is rows[0] else NOT_RUN
        if row.name in against_full:
            difference = plus_minus(*against_full[row.name], sign="+")
        line["J&F against full, here"] = difference
        seeds = [f"[{_seed(path)}](../data/{ABLATION}/{path.name})" for path in runs_of(row, runs)]
        line["seeds"] = " ".join(seeds) or "-"
        lines.append(line)
    return lines


def differences(rows: Sequence[Row], runs: Path) -> dict[str, Interval]:
    """J&F of each row that has runs minus that of the full model, by the row's name.

    Rows of Table III scatter alike, so Dunnett's test pools them. Readings do not, since with some
    of them a training may fail altogether: Welch's interval takes each alone with the full model.
    """
    scores = {row.name: [_score(path, "J&F") for path in runs_of(row, runs)] for row in rows}
    full = scores.pop(rows[0].name)
    others = {name: values for name, values in scores.items() if values}
    if not full or not others:
        return {}
    if rows is READINGS:
        return {name: welch_interval(values, full) for name, values in others.items()}
    return dict(zip(others, dunnett_intervals(list(others.values()), full), strict=True))


def runs_of(row: Row, folder: Path) -> list[Path]:
    """Result files of a row of an ablation, by seed."""
    return sorted(folder.glob(f"{row.name}-[0-9]*.json"), key=_seed)


def read_run(path: Path) -> dict[str, Any]:
    """Content of a recorded run."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _seed(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _score(run: Path, column: str) -> float:
    """A score of a recorded run, in percent."""
    values = read_run(run)
    scores = values.get("scores") or values["test"]["davis"] | values["test"]["youtube_vis"]
    return 100 * float(scores[METRICS[column]])


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
    rows.append(own_row(data, columns))
    rows.append(("this project", "no pre-training", toy, f"{origin} {train['seed']}", *measured))
    names = ("method", "uses", "data", "origin", *columns)
    return [dict(zip(names, row, strict=True)) for row in rows]


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
        "numbers are means over them with Student's 95 % intervals, if there are two or more. "
        f"{_origin_words(runs)}"
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


def _beyond_chance(rows: Sequence[Row], runs: Path) -> str:
    found = differences(rows, runs)
    tested = {name: interval for name, interval in found.items() if not math.isinf(interval[1])}
    titles = {row.name: row.title for row in rows}
    beyond = [
        f"{titles[name]} ({plus_minus(*interval, sign='+')})"
        for name, interval in tested.items()
        if abs(interval[0]) > interval[1]
    ]
    by_chance = "Welch's: one in twenty leaves out zero by chance."
    if rows is not READINGS:
        by_chance = "Dunnett's: in one table of twenty, any of them leaves out zero by chance."
    return (
        f"Of the {len(tested)} differences that have an interval, those that leave out zero: "
        f"{'; '.join(beyond) or 'none'}. The intervals are {by_chance}"
    )


if __name__ == "__main__":
    require_checkout("tagvis_lite.study.report")
    main()
