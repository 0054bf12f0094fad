"""The reproduction report: what the paper claims, what was measured here, and what nobody ran.

    python -m tagvis_lite.study.report                            (part of make notebooks)

writes docs/report.md and its pictures from recorded runs: the cards of the shipped checkpoints, the
runs in data/runs, and benchmarks. No number of ours is typed in, and a row of ours links its runs.
tests/study/test_report.py works every number out again from the same files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from tagvis_lite.atomic import replacing
from tagvis_lite.data.toy import CATEGORIES
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.runs import shipped
from tagvis_lite.study.ablation import EXPERIMENTS, READINGS, TABLE_3, TABLES, Experiment, Row
from tagvis_lite.study.claims import CLAIMS, Claim, Verdict
from tagvis_lite.study.figures import figures
from tagvis_lite.study.provenance import require_checkout
from tagvis_lite.study.report_tables import (
    ABLATION,
    BENCHMARKS,
    CARDS,
    COMPOSITES,
    STRATA,
    Line,
    composite_rows,
    differences,
    folder_of,
    papers_table_3,
    part_rows,
    planned,
    read_run,
    runs_of,
    score_of,
    strata_rows,
    table_1,
    table_2,
    table_3,
    toy_scores,
)
from tagvis_lite.study.statistics import (
    Interval,
    detectable_difference,
    plus_minus,
    pooled_deviation,
    video_half_width,
)
from tagvis_lite.views.figures import save

REPORT = Path(__file__).parents[2] / "docs" / "report.md"
PLANNED_SEEDS, PLANNED_CONTROL = 4, 14
"""Of Table III: runs of each row, and of the full model."""


def report() -> str:
    """The text of docs/report.md: the words of report_page.md with every figure in its place."""
    runs = shipped(ABLATION)
    tables = {
        "claims": claims(runs),
        "toy_scores": toy_scores(),
        "parts": part_rows(),
        "strata": strata_rows(),
        "components": table_3(TABLE_3, runs),
        "readings": table_3(READINGS, runs),
        "planned": planned(),
        "composites": composite_rows(),
        "table_1": table_1(),
        "table_2": table_2(),
        "table_3": papers_table_3(),
    }
    words = {
        "removals": _removal_words(runs),
        "statistics": _statistics_words(runs),
        "cards": _card_words(),
        "strata_words": _strata_words(),
        "component_runs": _ablation_words(runs, TABLE_3),
        "reading_runs": _ablation_words(runs, READINGS),
        "experiments": "".join(map(_experiment_section, EXPERIMENTS)),
        "composite_words": _composite_words(),
        "speed": _speed_words(),
        "categories": ", ".join(CATEGORIES.values()),
    }
    page = Path(__file__).with_name("report_page.md").read_text(encoding="utf-8")
    drawn = {name: markdown_table(rows) for name, rows in tables.items()}
    return Template(page).substitute(drawn | words)


def main() -> None:
    """Write docs/report.md and its pictures."""
    for name, figure in figures().items():
        save(figure, REPORT.parent / "images" / name)
    text = report()
    with replacing(REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8")


# Claims


def claims(runs: Path) -> list[Line]:
    """The claims by number, each with its verdict and what it rests on."""
    found: list[tuple[str, str, tuple[Verdict, str]]] = []
    for claim in CLAIMS:
        if claim.tested_by != "removals":
            found.append((claim.words, claim.where, _judged(claim)))
            continue
        against_full = differences(TABLE_3, runs)
        for row in TABLE_3[1:]:
            found.append((f"without {row.title}, J&F falls", claim.where, _fall(row, against_full)))
    return [
        {"": str(n), "claim": words, "where": where, "verdict": verdict, "evidence": evidence}
        for n, (words, where, (verdict, evidence)) in enumerate(found, start=1)
    ]


def _fall(row: Row, against_full: Mapping[str, Interval]) -> tuple[Verdict, str]:
    """Whether J&F falls without a part, by Dunnett's interval."""
    if row.name not in against_full:
        return "not run", ""
    difference, half = against_full[row.name]
    evidence = plus_minus(difference, half, sign="+")
    if abs(difference) <= half:
        return "not decided on toy", evidence
    return ("reproduced on toy" if difference < 0 else "contradicted on toy"), evidence


def _judged(claim: Claim) -> tuple[Verdict, str]:
    test, swap = (read_run(STRATA)["sets"][name] for name in ("test", "swap"))
    jf = test["toy"]["jf"]
    if claim.tested_by == "names":
        tags, none = jf["as it is"], max(jf["one instance"], jf["tracked components"])
        verdict: Verdict = "reproduced on toy" if tags > none else "contradicted on toy"
        return verdict, f"J&F {100 * tags:.1f}; without tags {100 * none:.1f}"
    if claim.tested_by == "identity":
        named = swap["toy"]["jf"]["true foreground, nearest true clip mean"]
        return "not decided on toy", (
            f"objects that change places, true outline, nearest mean: {100 * named:.1f}; place "
            f"alone {100 * swap['position']:.1f}; not trained on such"
        )
    if claim.tested_by == "semantics":
        return "reproduced on toy", f"foreground IoU {100 * test['toy']['foreground_iou']:.1f}"
    return claim.verdict, ""


# Words around the tables


def _removal_words(runs: Path) -> str:
    verdicts = [_fall(row, differences(TABLE_3, runs))[0] for row in TABLE_3[1:]]
    count = {v: verdicts.count(v) for v in ("reproduced on toy", "contradicted on toy")}
    return (
        f"Of its {len(verdicts)} claims that a part is worth its place, short trainings on toy "
        f"videos bear out {count['reproduced on toy']}, contradict {count['contradicted on toy']} "
        "under our weights of the losses, and do not decide the others."
    )


def _statistics_words(runs: Path) -> str:
    groups = [[score_of(path, "J&F") for path in runs_of(row, runs)] for row in TABLE_3]
    deviation, rows, seeds = pooled_deviation(groups), len(groups) - 1, len(groups[0])
    now = detectable_difference(deviation, rows, seeds, seeds)
    later = detectable_difference(deviation, rows, PLANNED_SEEDS, PLANNED_CONTROL)
    test = read_run(STRATA)["sets"]["test"]
    pairs = zip(test["toy"]["by_video"], test["toy2"]["by_video"], strict=True)
    by_video = [100 * (a - b) for a, b in pairs]
    full, *scores = [row.paper[0] for row in TABLE_3 if row.paper]
    smallest = full - max(scores)
    return (
        "Means over seeds with Student's interval; a row of Table III against the full model by "
        "Dunnett's test. The deviation of J&F over seeds, pooled over its rows, is "
        f"{deviation:.2f}: with {seeds} seeds each a true difference of {now:.1f} is found four "
        f"times of five; with {PLANNED_SEEDS} seeds, {PLANNED_CONTROL} of the full model and the "
        f"same deviation, {later:.1f}. Thirty videos, as many as DAVIS'19 has for validation, "
        "leave more to chance. Between the networks that ship, J&F of a toy video differs with a "
        f"deviation of {float(np.std(by_video, ddof=1)):.1f}, so that the choice of thirty alone "
        f"moves a difference by ± {video_half_width(by_video, 30):.1f}. The smallest drop of Table "
        f"III is {smallest:.1f}."
    )


def _experiment_section(experiment: Experiment) -> str:
    """Heading, table and words of an experiment that has runs; nothing of one that has none."""
    folder, rows = folder_of(experiment), TABLES[experiment.table]
    there = [row for row in rows if runs_of(row, folder)]
    if not there:
        return ""
    return f"""
## {experiment.question}

{markdown_table(table_3(rows, folder))}

{_ablation_words(folder, rows)}
"""


def _card_words() -> str:
    found = []
    for numbers, name in CARDS.items():
        card = read_run(shipped(name))
        found.append(f"With {numbers}: {card['summary']}. {_origin_words([card])}")
    return " ".join(found)


def _strata_words() -> str:
    run = read_run(STRATA)
    named = {name: one for name, one in run["sets"].items() if name not in ("test", "plain")}
    least = max(one["position"] for one in named.values())
    return (
        "Place alone: the tag of a pixel is its own y and x, its outline is the true one, and each "
        "pixel goes to the nearest true mean. It names objects of the test set; in no stratum but "
        f"plain does it come above {100 * least:.1f}. Neither network was trained on strata: bars, "
        "a camera that moves and objects of a third of the frame are new to them. "
        f"{_origin_words([run])}"
    )


def _ablation_words(folder: Path, rows: Sequence[Row]) -> str:
    """Budget, data and origin of the runs of a table."""
    runs = [read_run(path) for row in rows for path in runs_of(row, folder)]
    if not runs:
        return "No run of this table is recorded."
    train, data = runs[0]["config"]["train"], runs[0]["config"]["data"]
    minutes = float(np.mean([run["training_seconds"] for run in runs])) / 60
    return (
        f"Our runs: {runs[0]['config']['profile']} profile, {train['steps']} steps of "
        f"{train['batch_size']} clips each from random weights, scored on {runs[0]['test_videos']} "
        f"held-out toy videos of {data['clip_frames']} frames; a training took {minutes:.1f} "
        "minutes on one core. The seeds link to their files; numbers are means over them with "
        "Student's 95 % intervals, if there are two or more. "
        f"{_origin_words(runs)} {_beyond_chance(rows, folder)}"
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
