"""What became of the lessons that `tagvis notebooks` ran: the verdict on each, and the index."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from tagvis_lite.atomic import write_atomically
from tagvis_lite.study.provenance import provenance

NOT_RUN = "the cell was not run to its end"


@dataclass(frozen=True)
class LessonResult:
    """What became of one lesson.

    Attributes:
        lesson: number, such as '06'.
        name: file name without suffix, such as '06_spectra'.
        status: 'ok'; 'failed'; or 'timeout', stopped because it took too long.
        seconds: wall-clock time, with the start of the kernel.
        metrics: what the lesson recorded, also if it failed after that.
        cell: number of the code cell that failed or was not finished, n of its prompt In [n].
        error: one line that says what is wrong; empty if nothing is.
        notebook: executed notebook in the folder of results; empty if none was written.
        log: log file in the folder of results.
    """

    lesson: str
    name: str
    status: Literal["ok", "failed", "timeout"]
    seconds: float
    metrics: dict[str, float]
    cell: int | None
    error: str
    notebook: str
    log: str


def judge(
    executed: Path, log: Path, folder: Path, returncode: int | None, seconds: float
) -> LessonResult:
    """The verdict on a lesson: 'ok' only if every cell was run and metrics were recorded.

    Args:
        executed: notebook that papermill wrote, <number>_<name>.ipynb. It is removed if it cannot
            be read, because papermill was killed while it wrote.
        log: output of papermill.
        folder: the lesson's OUT.
        returncode: of papermill; None if it was killed.
        seconds: wall-clock time of the lesson.
    """
    lesson = executed.name[:2]
    metrics: dict[str, float] = {}
    unrecorded = ""
    try:
        metrics = read_metrics(folder, lesson)
    except (OSError, ValueError) as problem:
        unrecorded = str(problem)
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        executed.unlink(missing_ok=True)
        cell, error = None, ""
    else:
        cell, error = unfinished_cell(cells)
    if returncode != 0 and error in ("", NOT_RUN):
        error = last_line(log) or f"papermill ended with code {returncode}"
    error = one_line(error or unrecorded)
    return LessonResult(
        lesson=lesson,
        name=executed.stem,
        status="failed" if error else "ok",
        seconds=round(seconds, 2),
        metrics=metrics,
        cell=cell,
        error=error,
        notebook=executed.name if executed.exists() else "",
        log=log.name,
    )


def unfinished_cell(cells: Sequence[dict[str, Any]]) -> tuple[int | None, str]:
    """Number and error of the first code cell that raised or was not run to its end.

    Leaving by SystemExit is an error, although papermill lets it pass: cells after it are not run.
    """
    number = lesson_cells = 0
    for cell in cells:
        tags = set(cell["metadata"].get("tags", []))
        empty = not "".join(cell.get("source", "")).strip()
        if cell["cell_type"] != "code" or empty or "skip-execution" in tags:
            continue
        number += 1
        lesson_cells += not tags & {"parameters", "injected-parameters"}
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return number, f"{output['ename']}: {output['evalue']}"
        status = cell["metadata"].get("papermill", {}).get("status")
        if cell["execution_count"] is None or status != "completed":
            return number, NOT_RUN
    return None, "" if lesson_cells else "no code cell was run besides the parameters"


def read_metrics(folder: Path, lesson: str) -> dict[str, float]:
    """The metrics that a lesson recorded in its OUT.

    Raises:
        FileNotFoundError: it recorded none.
        ValueError: the file is not what `record` writes, or a metric is not a finite number.
    """
    path = folder / f"{lesson}.json"
    if not path.exists():
        raise FileNotFoundError(f"no metrics were recorded: {path.name} is missing")
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        number = recorded["lesson"]
        metrics = {str(name): float(value) for name, value in recorded["metrics"].items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is not what a lesson records: {error!r}") from error
    if number != lesson:
        raise ValueError(f"{path.name} holds metrics of lesson {number}")
    if not metrics:
        raise ValueError(f"no metrics were recorded: {path.name} holds none")
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ValueError(f"{path.name}: {name} is {value}")
    return metrics


def last_line(log: Path) -> str:
    """The last line of a log that is not blank; empty if there is none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")


def one_line(text: str) -> str:
    """The text without line breaks, control characters and unreasonable length."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]


def write_index(
    out: Path, results: Sequence[LessonResult], *, profile: str, seed: int, data: str
) -> None:
    """Write index.json and index.html: results by lesson, and where the numbers come from."""
    origin = {"profile": profile, "seed": seed, "data": data or "toy", **provenance()}
    lessons = [asdict(result) for result in results]
    text = json.dumps({"provenance": origin, "lessons": lessons}, indent=1) + "\n"
    write_atomically(out / "index.json", lambda file: file.write_text(text, encoding="utf-8"))
    page = index_page(results, origin)
    write_atomically(out / "index.html", lambda file: file.write_text(page, encoding="utf-8"))


def index_page(results: Sequence[LessonResult], origin: dict[str, object]) -> str:
    """The results as a page of HTML that needs no other file, in a light and a dark theme."""
    passed = sum(result.status == "ok" for result in results)
    rows = "\n".join(map(_row, results))
    where = html.escape(", ".join(f"{name} {value}" for name, value in origin.items()))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TagVIS-lite: {passed} of {len(results)} lessons passed</title>
<style>
:root {{ color-scheme: light dark; --text: #222; --page: #fff; --line: #ccc; --link: #0b57a4;
        --ok: #1a6b2f; --bad: #a4161a }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #ddd; --page: #16181c; --line: #444; --link: #8ab8ff; --ok: #7fd694;
          --bad: #ff9a9a }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
       padding: 0 1rem; color: var(--text); background: var(--page) }}
a {{ color: var(--link) }} .ok {{ color: var(--ok) }} .bad {{ color: var(--bad) }}
div {{ overflow-x: auto }} table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; padding-bottom: .5rem }}
ul {{ list-style: none; margin: 0; padding: 0 }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0;
         border-top: 1px solid var(--line); overflow-wrap: break-word }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
</style></head><body>
<main>
<h1>{passed} of {len(results)} lessons passed</h1>
<div role="region" aria-label="Results by lesson" tabindex="0">
<table>
<caption>A lesson passes if every cell was run without an error and metrics were recorded.</caption>
<thead><tr><th scope="col">Lesson</th><th scope="col">Status</th>
<th scope="col" class="number">Seconds</th><th scope="col">Metrics</th><th scope="col">Error</th>
<th scope="col">Log</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
<p><small>{where}</small></p>
</main></body></html>
"""


def _row(result: LessonResult) -> str:
    metrics = "".join(
        f"<li>{html.escape(name)} {value:.4g}</li>" for name, value in result.metrics.items()
    )
    cell = "" if result.cell is None else f"cell {result.cell}: "
    return (
        f'<tr><th scope="row">{_link(result.notebook, result.name)}</th>'
        f'<td class="{"ok" if result.status == "ok" else "bad"}">{result.status}</td>'
        f'<td class="number">{result.seconds:.1f}</td>'
        f"<td><ul>{metrics}</ul></td>"
        f"<td>{html.escape(cell + result.error)}</td>"
        f"<td>{_link(result.log, f'log of {result.lesson}')}</td></tr>"
    )


def _link(file: str, text: str) -> str:
    text = html.escape(text)
    return f'<a href="{html.escape(quote(file))}">{text}</a>' if file else text
