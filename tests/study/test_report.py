"""Every figure of docs/report.md is worked out again: from the recorded files, by other means.

Nothing of `tagvis_lite.study` computes here. The page is read as Markdown, a table cell by cell and
the words between the tables number by number. What should stand there follows from the json files
of the runs, Python's `statistics`, textbook formulas, and the paper's tables as its text prints
them.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from tagvis_lite.runs import shipped
from tagvis_lite.study import report_tables
from tagvis_lite.study.ablation import EXPERIMENTS, READINGS, TABLE_3, TABLES, Row, read_results
from tagvis_lite.study.figures import figures
from tagvis_lite.study.report import REPORT, report

ROOT = Path(__file__).resolve().parents[2]
PAGE = REPORT.read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![A-Za-z\d.,])[+-]?\d+(?:[.,]\d+)*")

PAPER = {
    "Table I": """26.1 42.9 26.1 27.8 31.3 / 26.9 42.0 29.7 29.9 33.4 / 27.5 45.1 29.1 28.6 33.1
        30.3 51.1 32.6 31.0 35.5 / 34.6 55.8 37.9 34.4 41.6 / 46.6 - 51.2 44.0 52.6
        47.6 71.6 51.8 46.3 56.0 / 51.2 74.8 57.9 46.3 57.6""",
    "Table II": """41.2 36.8 45.7 20+ / 59.9 - - - / 61.1 58.9 63.2 - / 64.7 61.5 67.8 7
        67.0 65.6 68.4 <1 / 70.4 67.0 73.8 - / 74.3 72.2 76.4 17""",
    "Table III": """74.3 72.2 76.4 / 67.2 64.4 70.0 / 67.5 65.2 69.8 / 65.8 63.3 68.2
        66.3 63.9 68.7 / 67.9 65.4 70.3 / 65.9 63.5 68.3 / 70.3 68.9 71.6 / 70.8 69.8 71.7
        64.1 62.6 65.5 / 67.4 65.0 69.7 / 61.6 60.1 63.0""",
}
"""The numbers of the paper's tables, a row after the other; ours stand in none of them."""


def sections(text: str) -> dict[str, str]:
    """The page by heading: 'Table I', 'Readings of the paper', ...; '' is what stands above."""
    first, *rest = re.split(r"^#{1,2} (.+)$", text, flags=re.MULTILINE)[2:]
    return {"": first, **dict(zip([h.split(":")[0] for h in rest[::2]], rest[1::2], strict=True))}


def tables(section: str) -> list[list[dict[str, str]]]:
    """The tables of a section, each as rows by column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        lines = block.splitlines()
        cells = [[c.strip() for c in line.removeprefix("|")[:-1].split(" | ")] for line in lines]
        found.append([dict(zip(cells[0], row, strict=True)) for row in cells[2:]])
    return found


def numbers(words: str) -> list[str]:
    """The numbers in words, in order; those of tables, code and addresses of links left out."""
    prose = re.sub(r"^\|.*$|\]\([^)]*\)|`[^`]*`", "]", words, flags=re.MULTILINE)
    return NUMBER.findall(prose)


# What should stand there


@cache
def run(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


@cache
def results(row: str, folder: str = "ablation") -> tuple[Any, ...]:
    """The recorded results of a row of an ablation, by seed."""
    found = [json.loads(path.read_text()) for path in (ROOT / "data/runs" / folder).glob("*.json")]
    return tuple(sorted((r for r in found if r["row"] == row), key=lambda r: r["seed"]))


def percent(row: str, score: str = "J&F", folder: str = "ablation") -> list[float]:
    return [100 * result["scores"][f"{score}-Mean"] for result in results(row, folder)]


def variance(values: Sequence[float]) -> float:
    return statistics.variance(values) if values[1:] else 0.0


def student(values: Sequence[float]) -> tuple[float, float | None]:
    if len(values) < 2:
        return values[0], None
    error = (statistics.variance(values) / len(values)) ** 0.5
    return statistics.fmean(values), stats.t.ppf(0.975, len(values) - 1) * error


def welch(values: Sequence[float], others: Sequence[float]) -> tuple[float, float | None]:
    difference = statistics.fmean(values) - statistics.fmean(others)
    if min(len(values), len(others)) < 2:
        return difference, None
    a, b = (statistics.variance(side) / len(side) for side in (values, others))
    freedom = (a + b) ** 2 / (a**2 / (len(values) - 1) + b**2 / (len(others) - 1))
    return difference, stats.t.ppf(0.975, freedom) * (a + b) ** 0.5


@cache
def dunnett_factor(sizes: tuple[int, ...], control: int) -> float:
    """The factor that all |t| of rows against one control stay under, 95 times in 100.

    Dunnett, 1955: given the control's mean z and the deviation s, the rows are independent.
    """
    freedom = sum(sizes) + control - len(sizes) - 1
    share = np.sqrt(np.array(sizes) / (np.array(sizes) + control))
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    s = np.sqrt(stats.chi2.ppf((np.arange(500) + 0.5) / 500, freedom) / freedom)
    z, s = z[:, None, None], s[None, :, None]

    def excess(factor: float) -> float:
        above, below = (
            stats.norm.cdf((share * z + sign * factor * s) / np.sqrt(1 - share**2))
            for sign in (1, -1)
        )
        inside = weights @ np.prod(above - below, axis=2) / np.sqrt(2 * np.pi)
        return float(inside.mean()) - 0.95

    return optimize.brentq(excess, 1, 8)


@cache
def differences(section: str) -> dict[str, tuple[float, float | None]]:
    """J&F of each row against the full model, and half the width of the interval."""
    rows, folder = ABLATIONS[section]
    names = [row.name for row in rows]
    full, *others = [percent(name, folder=folder) for name in names]
    found = {name: values for name, values in zip(names[1:], others, strict=True) if values}
    if rows is READINGS:
        return {name: welch(values, full) for name, values in found.items()}
    sizes, pooled = tuple(map(len, found.values())), pooled_variance([full, *found.values()])
    if not sizes or not pooled:
        difference = {n: statistics.fmean(v) - statistics.fmean(full) for n, v in found.items()}
        return {name: (value, None) for name, value in difference.items()}
    factor = dunnett_factor(sizes, len(full))
    return {
        name: (
            statistics.fmean(v) - statistics.fmean(full),
            factor * (pooled * (1 / len(v) + 1 / len(full))) ** 0.5,
        )
        for name, v in found.items()
    }


def pooled_variance(groups: Sequence[Sequence[float]]) -> float:
    freedom = sum(map(len, groups)) - len(groups)
    return sum((len(v) - 1) * variance(v) for v in groups) / freedom if freedom else 0.0


def detectable(rows: int, seeds: int, control: int) -> float:
    """What Dunnett's test finds four times of five, with the scatter of the rows of Table III."""
    deviation = pooled_variance([percent(row.name) for row in TABLE_3]) ** 0.5
    error = deviation * (1 / seeds + 1 / control) ** 0.5
    factor, freedom = dunnett_factor((seeds,) * rows, control), rows * (seeds - 1) + control - 1
    return error * optimize.brentq(lambda d: stats.nct.cdf(factor, freedom, d) - 0.2, 0, 20)


def origin(runs: Sequence[Any]) -> str:
    names = ("date", "python", "torch", "numpy", "opencv", "processor", "revision")
    return " ".join(
        ", ".join(sorted({str(run["provenance"][name]) for run in runs})) for name in names
    )


def words_of_runs(section: str) -> str:
    """Numbers in the words below a table of an ablation."""
    rows, folder = ABLATIONS[section]
    runs = [result for row in rows for result in results(row.name, folder)]
    config = runs[0]["config"]
    budget = [config["train"]["steps"], config["train"]["batch_size"]]
    budget += [runs[0]["test_videos"], config["data"]["clip_frames"]]
    budget += [f"{statistics.fmean(r['training_seconds'] for r in runs) / 60:.1f}", 95]
    found = {k: v for k, v in differences(section).items() if v[1] is not None}
    titles = {row.name: row.title for row in rows}
    beyond = [f"{titles[k]} {d:+.1f} {half:.1f}" for k, (d, half) in found.items() if abs(d) > half]
    return " ".join(map(str, [*budget, origin(runs), len(found), *beyond]))


def verdict(name: str) -> tuple[str, str]:
    """Verdict and evidence of a row of Table III."""
    difference, half = differences("What each part is worth on toy")[name]
    assert half is not None
    if abs(difference) <= half:
        word = "not decided"
    else:
        word = "reproduced" if difference < 0 else "contradicted"
    return f"{word} on toy", f"{difference:+.1f} ± {half:.1f}"


def words_of_statistics() -> str:
    """Deviation, what can be detected now and as planned, and what 30 videos can resolve."""
    deviation = pooled_variance([percent(row.name) for row in TABLE_3]) ** 0.5
    test = run("benchmarks/results/strata.json")["sets"]["test"]
    pairs = zip(test["toy"]["by_video"], test["toy2"]["by_video"], strict=True)
    scatter = statistics.stdev(100 * (a - b) for a, b in pairs)
    thirty = stats.t.ppf(0.975, 29) * scatter / 30**0.5
    return (
        f"{deviation:.2f} 5 {detectable(11, 5, 5):.1f} 4 14 {detectable(11, 4, 14):.1f} "
        f"DAVIS'19 {scatter:.1f} {thirty:.1f} {74.3 - 70.8:.1f}"
    )


@cache
def words(section: str) -> str:
    """Every number that should stand in the words of a section, in order, and words around."""
    if section in ABLATIONS:
        return words_of_runs(section)
    cards = [run(f"data/checkpoints/{name}.json") for name in ("toy", "toy2")]
    strata = run("benchmarks/results/strata.json")
    place = [v["position"] for k, v in strata["sets"].items() if k not in ("test", "plain")]
    verdicts = [verdict(row.name)[0] for row in TABLE_3[1:]]
    composites = list(run("benchmarks/results/composites.json")["runs"].values())
    first, train = composites[0], composites[0]["config"]["train"]
    speed, machine = (run("benchmarks/results/paper_size.json")[k] for k in ("speed", "provenance"))
    network = [speed["rows"][f"network {p}"]["frames_per_second"] for p in ("bf16", "fp32")]
    return {
        "": f"Kinetics-400 11 {verdicts.count('reproduced on toy')} "
        f"{verdicts.count('contradicted on toy')} 24",
        "Method, data and settings": words_of_statistics(),
        "Shipped weights on toy videos": " ".join(f"{c['summary']} {origin([c])}" for c in cards),
        "Strata": f"{100 * max(place):.1f} {origin([strata])}",
        "Contradictions in the paper": "0 1 3 20 61.6 1",
        "Table II": f"17 {network[0]:.1f} {network[1]:.1f} {speed['threads']} "
        f"{machine['processor']} 22",
        "Composites of real video": " ".join(
            [
                "DAVIS-2016",
                *map(str, first["config"]["data"]["size"]),
                f"{first['config']['data']['clip_frames']} {first['frames']}",
                f"{first['composites']['train']} {len(first['sequences']['train'])}",
                str(train["steps"]),
                *(f"{r['training_minutes']:.0f}" for r in composites),
                f"{first['threads']} {first['composites']['seen']}",
                f"{first['composites']['held out']} {origin(composites)}",
            ]
        ),
        "Not run, and why": "Kinetics-400",
    }.get(section, "")


def shows(cell: str, mean: float, half: float | None = None) -> bool:
    """Whether a cell is these numbers with one decimal, up to a little more than rounding."""
    shown = re.fullmatch(r"([+-]?\d+\.\d)(?: ± (\d+\.\d))?", cell)
    if not shown or (shown[2] is None) != (half is None):
        return False
    near = abs(float(shown[1]) - mean) <= 0.056
    return near and (half is None or abs(float(shown[2]) - half) <= 0.056)


ABLATIONS: dict[str, tuple[tuple[Row, ...], str]] = {
    "What each part is worth on toy": (TABLE_3, "ablation"),
    "Readings of the paper": (READINGS, "ablation"),
    **{e.question: (TABLES[e.table], e.name) for e in EXPERIMENTS},
}
"""Rows and folder of runs of each section that shows an ablation."""


def problems(page: str) -> Iterator[str]:
    """Numbers of the page that are not what the recorded files and the paper give."""
    parts = sections(page)
    for name, text in parts.items():
        if numbers(text) != numbers(words(name)):
            yield f"{name}: {numbers(text)} are not {numbers(words(name))}"
    yield from problems_of_the_papers_tables(parts)
    yield from problems_of_claims(tables(parts["Claims"])[0])
    yield from problems_of_shipped_weights(*tables(parts["Shipped weights on toy videos"]))
    yield from problems_of_strata(tables(parts["Strata"])[0])
    for name in ABLATIONS.keys() & parts.keys():
        yield from problems_of_ablation(name, tables(parts[name])[0])
    for line, experiment in zip(tables(parts["Planned"])[0], EXPERIMENTS, strict=True):
        made = sum(len(results(row.name, experiment.name)) for row in TABLES[experiment.table])
        if line["runs"] != (str(made) if made else "not run") or numbers(line["question"]):
            yield f"planned: {line}"
        if (experiment.question in parts) != bool(made):
            yield f"{experiment.question}: {made} runs, and a table only of what there is"
    yield from problems_of_composites(tables(parts["Composites of real video"])[0])
    for row in tables(parts["Not run, and why"])[0]:
        known = re.sub(
            "Kinetics-400|DAVIS'19|12 trainings|Figures 5 and 6", "", " ".join(row.values())
        )
        if numbers(known):
            yield f"not run: {row}"


def problems_of_the_papers_tables(parts: dict[str, str]) -> Iterator[str]:
    for section, first in (("Table I", 4), ("Table II", 4), ("Table III", 2)):
        rows = tables(parts[section])[0]
        if section != "Table III":
            *rows, ours = rows
            if ours["origin"] != "not run" or set(list(ours.values())[4:]) != {"-"}:
                yield f"{section}: a row that nobody ran has numbers"
            if numbers(ours["uses"] + ours["data"]) != numbers("Kinetics-400" + rows[0]["data"]):
                yield f"{section}: {ours}"
        shown = [cell for row in rows for cell in list(row.values())[first:]]
        if shown != PAPER[section].replace("/", " ").split():
            yield f"{section}: the paper's rows are not as printed"
        for row in rows:
            if row.get("data", "") not in ("YouTube-VIS", "DAVIS'19", ""):
                yield f"{section}: {row}"
            known = {**row, "data": "", "uses": row.get("uses", "").replace("Kinetics-400", "")}
            if numbers(" ".join(list(known.values())[:first])):
                yield f"{section}: {row}"


def problems_of_claims(rows: list[dict[str, str]]) -> Iterator[str]:
    sets = run("benchmarks/results/strata.json")["sets"]
    jf = {name: one["toy"]["jf"] for name, one in sets.items()}
    trivial = max(jf["test"]["one instance"], jf["test"]["tracked components"])
    swap = jf["swap"]["true foreground, nearest true clip mean"]
    known = [
        ("51.2", "not run", ""),
        ("74.3 DAVIS'19", "not run", ""),
        ("17", "not testable here", ""),
        ("", "reproduced on toy", f"{100 * jf['test']['as it is']:.1f} {100 * trivial:.1f}"),
        ("", "not decided on toy", f"{100 * swap:.1f} {100 * sets['swap']['position']:.1f}"),
        ("", "reproduced on toy", f"{100 * sets['test']['toy']['foreground_iou']:.1f}"),
        *(("", *verdict(row.name)) for row in TABLE_3[1:]),
    ]
    for n, (row, (claim, word, evidence)) in enumerate(zip(rows, known, strict=True), start=1):
        right = row[""] == str(n) and row["verdict"] == word
        right &= sorted(numbers(row["claim"])) == sorted(numbers(claim))
        right &= numbers(row["evidence"]) == numbers(evidence)
        if not right or numbers(row["where"]):
            yield f"claim {row} is not {claim}, {word}, {evidence}"


def problems_of_shipped_weights(
    scores: list[dict[str, str]], parts: list[dict[str, str]]
) -> Iterator[str]:
    for row, name in zip(scores, ("toy", "toy2"), strict=True):
        card = run(f"data/checkpoints/{name}.json")
        found = card["test"]["youtube_vis"] | card["test"]["davis"]
        columns = ("AP", "AP50", "AP75", "AR1", "AR10", "J&F-Mean", "J-Mean", "F-Mean")
        wanted = [str(card["config"]["train"]["seed"]), str(card["test_videos"])]
        wanted += [f"{100 * found[column]:.1f}" for column in columns]
        wanted += [f"{card['test']['instances']['instance-count error']:.2f}"]
        if list(row.values())[1:] != wanted or numbers(row["numbers in a tag"]):
            yield f"shipped weights: {row} is not {wanted}"
    test = run("benchmarks/results/strata.json")["sets"]["test"]
    for row in parts:
        one, two = (100 * test[name]["jf"][row["J&F"]] for name in ("toy", "toy2"))
        if (row["one number"], row["two numbers"]) != (f"{one:.1f}", f"{two:.1f}"):
            yield f"parts: {row}"


def problems_of_strata(rows: list[dict[str, str]]) -> Iterator[str]:
    true = "true foreground, nearest true clip mean"
    sets = run("benchmarks/results/strata.json")["sets"]
    for row, (name, found) in zip(rows, sets.items(), strict=True):
        one, two = found["toy"]["jf"], found["toy2"]["jf"]
        scores = [one["one instance"], one["tracked components"], one["as it is"], two["as it is"]]
        scores += [one[true], two[true], one["truth, at the size of the tags"]]
        wanted = [name, str(found["videos for networks"])]
        wanted += [f"{100 * found['position']:.1f} ({found['videos']} videos)"]
        wanted += [f"{100 * score:.1f}" for score in scores]
        if list(row.values()) != wanted:
            yield f"strata: {row} is not {wanted}"


def problems_of_ablation(section: str, lines: list[dict[str, str]]) -> Iterator[str]:
    rows, folder = ABLATIONS[section]
    against = differences(section)
    for row, line in zip(rows, lines, strict=True):
        here = {score: line[f"{score}, here"] for score in ("J&F", "J", "F")}
        made = results(row.name, folder)
        for score, cell in here.items():
            values = percent(row.name, score, folder)
            if not (shows(cell, *student(values)) if made else cell == "not run"):
                yield f"{section}, {row.title}, {score}: {cell}"
        difference = line["J&F against full, here"]
        if row.name in against and (
            difference[0] not in "+-" or not shows(difference, *against[row.name])
        ):
            yield f"{section}, {row.title}: {difference} is not {against[row.name]}"
        if row.title not in line["without"]:
            yield f"{section}: {line['without']} is not {row.title}"
        links = [f"[{r['seed']}](../data/runs/{folder}/{row.name}-{r['seed']}.json)" for r in made]
        if line["seeds"] != (" ".join(links) or "-"):
            yield f"{section}, {row.title}: seeds {line['seeds']}"


def problems_of_composites(lines: list[dict[str, str]]) -> Iterator[str]:
    recorded = [
        (name, kind, scores)
        for name, result in run("benchmarks/results/composites.json")["runs"].items()
        for kind, scores in result["scores"].items()
    ]
    for line, (name, kind, scores) in zip(lines, recorded, strict=True):
        columns = {"J&F": "J&F"} | {
            column: f"J&F, {column}"
            for column in ("all instances as one", "told what is an object", "told everything")
        }
        right = all(shows(line[c], 100 * scores[key]) for c, key in columns.items())
        right &= line["instance-count error"] == f"{scores['instance-count error']:.2f}"
        right &= line["seed"] == name.split("-")[1] and line["start"].startswith(name.split("-")[0])
        right &= kind in line["composites of"] and numbers(line["composites of"]) == []
        if not right:
            yield f"composites, {name} {kind}: {line}"


# The tests


def test_every_figure_follows_from_the_recorded_files() -> None:
    assert list(problems(PAGE)) == []


def test_the_document_is_what_the_runs_give() -> None:
    assert report() == PAGE, "run python -m tagvis_lite.study.report"


def forgeries() -> list[Any]:
    """The page with one number changed, for every number that stands in it outside of links."""
    code = (
        r"\]\([^)]*\)|`[^`]*`|^#.*$|^\|.*\n(?=\|-)|^\|-.*$"  # links, code, headings, column names
    )
    hidden = [match.span() for match in re.finditer(code, PAGE, re.MULTILINE)]
    cases = []
    for match in NUMBER.finditer(PAGE):
        if any(start <= match.start() < end for start, end in hidden):
            continue
        digit = re.search(r"\d", match[0])
        assert digit
        at = match.start() + digit.start()
        cases.append((match, PAGE[:at] + str((int(PAGE[at]) + 5) % 10) + PAGE[at + 1 :]))
    return cases


def test_any_changed_figure_is_found() -> None:
    """28.0 for 78.0, in a table or a sentence: whatever number changes, the check fails."""
    cases = forgeries()
    assert len(cases) > 300
    unnoticed = [
        PAGE[match.start() - 40 : match.end() + 10]
        for match, forged in cases
        if not list(problems(forged))
    ]
    assert unnoticed == []


def test_turned_signs_are_found() -> None:
    signs = [m.start() for m in re.finditer(r"(?<=[| (])[+-](?=\d+\.\d ±)", PAGE)]
    assert len(signs) > 20
    for at in signs:
        forged = PAGE[:at] + {"+": "-", "-": "+"}[PAGE[at]] + PAGE[at + 1 :]
        assert list(problems(forged)), PAGE[at - 20 : at + 20]


@pytest.mark.parametrize("name", ["dunnett_intervals", "welch_interval"])
def test_a_wrong_rule_in_the_package_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check shares no part with what it checks: turn the package's differences around."""
    right = getattr(report_tables, name)

    def turned(*arguments: Any) -> Any:
        found = right(*arguments)
        return [(-d, h) for d, h in found] if isinstance(found, list) else (-found[0], found[1])

    monkeypatch.setattr(report_tables, name, turned)
    assert list(problems(report()))


def test_rows_without_a_run_say_so(tmp_path: Path) -> None:
    for rows in (TABLE_3, READINGS):
        lines = report_tables.table_3(rows, tmp_path)
        assert [line["J&F, here"] for line in lines] == ["not run"] * len(rows)
        assert {line["J&F against full, here"] for line in lines} == {"-", "not run"}


def test_results_are_of_one_budget_and_one_model() -> None:
    runs = shipped("runs/ablation")
    assert read_results(runs, TABLE_3)
    rows = {row.name: row for row in (*TABLE_3, *READINGS)}
    full = run("data/runs/ablation/full-0.json")["config"]
    for path in runs.glob("*.json"):
        result = json.loads(path.read_text())
        changed = rows[result["row"]].change
        for section, fields in full.items():
            if section != "profile":
                wanted = {**fields, **changed.get(section, {})}
                wanted |= {"seed": result["seed"]} if section == "train" else {}
                assert result["config"][section] == wanted, path.name


def test_every_run_and_file_that_it_links_is_there() -> None:
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", PAGE)}
    links = {link for link in links if not link.startswith("https://")}
    assert {link for link in links if not (REPORT.parent / link).exists()} == set()
    linked = {link.removeprefix("../data/") for link in links if "/runs/" in link}
    runs = shipped("runs")
    assert linked == {str(path.relative_to(runs.parent)) for path in runs.glob("*/*.json")}


def test_its_pictures_are_those_of_the_paper() -> None:
    drawn = figures(videos=2, columns=3)
    assert set(re.findall(r"\]\(images/([^)]+)\)", PAGE)) == set(drawn)
    for figure in drawn.values():
        assert len(figure.axes) == 2 * 3
        assert all(axis.images for axis in figure.axes)
