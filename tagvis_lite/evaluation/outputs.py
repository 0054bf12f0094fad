"""Scores as files: json in full precision, CSV tables, pictures, and one HTML page with them.

    OUT/<protocol>-<split>.json, .html, -<table>.csv, -<picture>.png

Names carry the protocol, so that no tool takes them for its own. By the time these are written the
scores have been printed: a file that cannot be written is a warning.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tagvis_lite.evaluation.average_precision import IOU_THRESHOLDS, RECALLS, YoutubeVISScores
from tagvis_lite.evaluation.davis import DavisScores
from tagvis_lite.evaluation.tables import Cell, cell_text

Rows = Sequence[Mapping[str, Cell]]
Scores = TypeVar("Scores")


@dataclass(frozen=True)
class Report:
    """What is known about the scores of some methods.

    Attributes:
        name: protocol and split, the start of all file names.
        rules: what the protocol counts, in a sentence.
        tables: rows by the name of the table; floats are shares.
        shown: tables of the page.
        pictures: PNGs by what they show.
    """

    name: str
    rules: str
    tables: Mapping[str, Rows]
    shown: Sequence[str]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def davis_tables_of(methods: Mapping[str, DavisScores]) -> dict[str, Rows]:
    """Tables 'global' and 'sequences' with the official columns, 'objects', 'frames'."""
    kinds: dict[str, Callable[[DavisScores], Rows]] = {
        "global": lambda scores: [scores.global_table()],
        "sequences": DavisScores.per_sequence_table,
        "objects": DavisScores.per_object_table,
        "frames": DavisScores.per_frame_table,
    }
    return {kind: _side_by_side(methods, rows) for kind, rows in kinds.items()}


def youtube_vis_tables_of(methods: Mapping[str, YoutubeVISScores]) -> dict[str, Rows]:
    """Tables 'global', 'categories', and 'curves': precision at 101 recalls for each IoU."""

    def curves(scores: YoutubeVISScores) -> Rows:
        return [
            {"Category": name, "IoU": iou, "Recall": recall, "Precision": float(p)}
            for name, precision in scores.curves()
            for iou, at_iou in zip(IOU_THRESHOLDS.tolist(), precision, strict=True)
            for recall, p in zip(RECALLS.tolist(), at_iou, strict=True)
        ]

    kinds: dict[str, Callable[[YoutubeVISScores], Rows]] = {
        "global": lambda scores: scores.table()[-1:],
        "categories": lambda scores: scores.table(),
        "curves": curves,
    }
    return {kind: _side_by_side(methods, rows) for kind, rows in kinds.items()}


def _side_by_side(
    methods: Mapping[str, Scores], rows: Callable[[Scores], Rows]
) -> list[dict[str, Cell]]:
    return [{"Method": name, **row} for name, scores in methods.items() for row in rows(scores)]


# ---------------------------------------------------------------- writing


def write_report(folder: Path, report: Report) -> tuple[list[Path], list[str]]:
    """Write every file by itself.

    Returns:
        The files, and a warning for each that could not be written.
    """
    contents: dict[str, bytes] = {
        f"{report.name}.json": _json(report),
        f"{report.name}.html": _page(report),
    }
    for name, rows in report.tables.items():
        contents[f"{report.name}-{name}.csv"] = _csv(rows)
    for number, png in enumerate(report.pictures.values(), start=1):
        contents[f"{report.name}-{number}.png"] = png
    written, warnings = [], []
    scratch = folder / f".{report.name}.partial"  # of a killed command, too
    shutil.rmtree(scratch, ignore_errors=True)
    for name, content in contents.items():
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
            (scratch / name).replace(folder / name)
            written.append(folder / name)
        except OSError as error:
            warnings.append(f"{folder / name} was not written: {error}")
    shutil.rmtree(scratch, ignore_errors=True)
    return written, warnings


def _json(report: Report) -> bytes:
    tables = {
        name: [{key: _number(value) for key, value in row.items()} for row in rows]
        for name, rows in report.tables.items()
    }
    record = {"protocol and split": report.name, "rules": report.rules, **tables}
    return (json.dumps(record, indent=1) + "\n").encode()


def _number(value: Cell) -> Cell | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def _csv(rows: Rows) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def _page(report: Report) -> bytes:
    body = "".join(
        f"<h2>{html.escape(name.capitalize())}</h2>{_html_table(report.tables[name])}"
        for name in report.shown
        if report.tables[name]
    )
    for text, png in report.pictures.items():
        encoded = base64.b64encode(png).decode("ascii")
        alt = html.escape(text)
        body += f'<figure><img alt="{alt}" src="data:image/png;base64,{encoded}">'
        body += f"<figcaption>{alt}</figcaption></figure>"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(report.name)}</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }}
div {{ overflow-x: auto }} img {{ max-width: 100% }} figure {{ margin: 1rem 0 }}
td, th {{ padding: .1rem 1rem .1rem 0; text-align: left }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body>
<h1>{html.escape(report.name)}</h1><p>{html.escape(report.rules)}. Shares in percent.</p>
{body}</body></html>
""".encode()


def _html_table(rows: Rows) -> str:
    def line(tag: str, cells: Sequence[Cell], numbers: Sequence[bool]) -> str:
        return "".join(
            f"<{tag}{' class=number' * number}>{html.escape(cell_text(cell))}</{tag}>"
            for cell, number in zip(cells, numbers, strict=True)
        )

    numbers = [any(not isinstance(row[key], str) for row in rows) for key in rows[0]]
    head = line("th", list(rows[0]), numbers)
    lines = "".join(f"<tr>{line('td', list(row.values()), numbers)}</tr>" for row in rows)
    return f"<div><table><tr>{head}</tr>{lines}</table></div>"
