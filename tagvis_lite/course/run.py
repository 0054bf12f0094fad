"""Run the lessons from top to bottom: `tagvis notebooks`.

Each lesson is a regression test. It passes if papermill runs every cell without an error and the
lesson records metrics; a notebook that merely did nothing fails. A folder of results holds

    index.json, index.md    status, seconds and metrics of each lesson, written after each
    NN_name.ipynb           the executed notebook
    NN_name.log             what papermill and the kernel wrote
    NN_name/                the lesson's OUT: NN.json with its metrics, and files it keeps

A run that was stopped goes on with the lessons that it had not finished. Lessons that another run
left in the folder keep their line of the index.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tagvis_lite.atomic import replacing
from tagvis_lite.config import PROFILES
from tagvis_lite.evaluation.tables import markdown_table
from tagvis_lite.runs import open_run
from tagvis_lite.study.provenance import provenance

PARAMETERS = ("PROFILE", "SEED", "DATA", "OUT")
"""Names that the parameters cell of each lesson sets; it may set more, its own quantities."""

RUNNING = ".running"
"""In a folder of results: a folder for what papermill still writes to."""

LATE = 124
"""Exit code of a lesson that was stopped because it took too long."""

Value = str | int | float


@dataclass(frozen=True)
class LessonResult:
    """What became of one lesson.

    Attributes:
        name: file name without suffix, such as '06_spectra'.
        status: 'ok'; 'failed'; or 'timeout', stopped because it took too long.
        seconds: wall-clock time, with the start of the kernel.
        metrics: what the lesson recorded, also if it failed after that.
        cell: number of the code cell that failed or was not finished, n of its prompt In [n].
        error: one line that says what is wrong; empty if nothing is.
        inputs: hash of the notebook, its parameters and the package.
    """

    name: str
    status: str
    seconds: float
    metrics: dict[str, float]
    cell: int | None
    error: str
    inputs: str


def run_notebooks(
    values: Mapping[str, Value],
    *,
    notebooks: Path = Path("notebooks"),
    out: Path = Path("runs/notebooks"),
    only: Sequence[str] = (),
    jobs: int = 1,
    timeout: float | None = None,
    report: Callable[[LessonResult], object] = lambda result: None,
) -> list[LessonResult]:
    """Run lessons by papermill, each in a process of its own, and keep an index of the results.

    A failure does not keep the other lessons from running. Whatever ends this process, SIGTERM and
    SIGKILL included, ends the lessons with it.

    Args:
        values: parameters by name, such as PROFILE or SEED. One that only some of the lessons have
            is set in those.
        notebooks: folder with NN_name.ipynb.
        out: folder for the results; each lesson's OUT is in it.
        only: lessons to run, by number; all when empty.
        jobs: lessons that run at once. Unless OMP_NUM_THREADS is set, they share the cores.
        timeout: seconds after which a lesson is stopped; None never stops one.
        report: called with each result as soon as it is there.

    Returns:
        One result for each lesson asked for, by number.

    Raises:
        FileNotFoundError: no notebooks, or DATA does not exist.
        FileExistsError: `out` holds files that are not of such a run.
        ValueError: an unknown profile, lesson or parameter, jobs or a timeout that are not
            positive, or a notebook without PARAMETERS.
        ModuleNotFoundError: papermill is not installed.
    """
    if values.get("PROFILE", "toy") not in PROFILES:
        raise ValueError(f"unknown profile {values['PROFILE']!r}; there are {', '.join(PROFILES)}")
    if jobs < 1 or (timeout is not None and timeout <= 0):
        raise ValueError(f"{jobs=}, {timeout=}: both must be positive")
    if (data := values.get("DATA")) and not Path(str(data)).exists():
        raise FileNotFoundError(
            f"{data} does not exist: give a video, a folder of frames or a root"
        )
    lessons = find_lessons(notebooks, only)
    given = choose_parameters(lessons, values)

    out = out.resolve()
    open_run(out, {"command": "notebooks"})
    inputs = {lesson: _inputs(lesson, given[lesson]) for lesson in lessons}
    index, stopped = _read_index(out)
    done = {r.inputs for r in index.values() if stopped and r.status == "ok"}
    waiting = [lesson for lesson in lessons if inputs[lesson] not in done]
    for lesson in waiting:
        index.pop(lesson.stem, None)
    with _killed_at_the_end(out / RUNNING) as running:
        while waiting or running:
            while waiting and len(running) < jobs:
                lesson = waiting.pop(0)
                running[lesson] = _start(lesson, out, given[lesson], jobs, timeout), time.time()
            time.sleep(0.05)
            for lesson, (process, started) in list(running.items()):
                if process.is_alive():
                    continue
                del running[lesson]
                seconds, code = round(time.time() - started, 2), process.exitcode
                result = judge(lesson.stem, out, code, seconds, inputs[lesson])
                index[lesson.stem] = result
                _write_index(out, index, values, finished=not (waiting or running))
                report(result)
    return [index[lesson.stem] for lesson in lessons]


def find_lessons(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """The notebooks NN_name.ipynb of a folder by number, or those whose numbers are in `only`."""
    found = {path.name[:2]: path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no notebooks named NN_name.ipynb: `tagvis lessons {folder}` puts the "
            "lessons there"
        )
    wanted = [number.zfill(2) for number in only]
    if unknown := [number for number in wanted if number not in found]:
        there = ", ".join(found)
        raise ValueError(f"{folder} has no lesson {', '.join(unknown)}; there are {there}")
    return [path for number, path in found.items() if not wanted or number in wanted]


def choose_parameters(
    notebooks: Sequence[Path], values: Mapping[str, Value]
) -> dict[Path, dict[str, Value]]:
    """Of the values, those that each notebook has a parameter for.

    Raises:
        ValueError: a notebook that cannot be read or lacks one of PARAMETERS, or a value that is
            the parameter of none.
    """
    from papermill import inspect_notebook

    names: dict[Path, list[str]] = {}
    for path in notebooks:
        try:
            names[path] = list(inspect_notebook(_without_fields(path)))
        except Exception as error:
            raise ValueError(f"{path} cannot be read as a Python notebook: {error}") from error
        if missing := [name for name in PARAMETERS if name not in names[path]]:
            raise ValueError(f"{path}: no {', '.join(missing)} in its cell tagged 'parameters'")
    known = dict.fromkeys(name for found in names.values() for name in found)
    if unknown := [name for name in values if name not in known]:
        there = ", ".join(known)
        raise ValueError(f"no lesson has a parameter {', '.join(unknown)}; there are {there}")
    return {path: {n: v for n, v in values.items() if n in names[path]} for path in notebooks}


def judge(name: str, out: Path, code: int | None, seconds: float, inputs: str) -> LessonResult:
    """The verdict on a lesson that has ended: 'ok' only if all of it ran and metrics are there.

    The executed notebook moves from RUNNING to its place in `out`.

    Args:
        name: of the lesson.
        out: folder of results.
        code: exit code of the lesson's process.
        seconds: that it took.
        inputs: see `LessonResult`.
    """
    executed, log = out / RUNNING / f"{name}.ipynb", out / f"{name}.log"
    cell, error, metrics = None, "", dict[str, float]()
    try:
        cell, error = unfinished_cell(json.loads(executed.read_text(encoding="utf-8"))["cells"])
        executed.replace(out / executed.name)
    except (OSError, ValueError):  # papermill was stopped before it wrote, or while it did
        code = code or 1
    if code and not error:
        lines = (
            log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
        )
        error = next((line for line in reversed(lines) if line.strip()), f"it ended with {code}")
    try:
        recorded = json.loads((out / name / f"{name[:2]}.json").read_text(encoding="utf-8"))
        metrics = recorded["metrics"]
    except (OSError, ValueError, LookupError) as problem:
        error = error or f"no metrics were recorded: {problem!r}"
    status = "failed" if error else "ok"
    if code == LATE:
        status, error = "timeout", "stopped because it took too long"
    error = " ".join("".join(c if c.isprintable() else " " for c in error).split())[:500]
    return LessonResult(name, status, seconds, metrics, cell, error, inputs)


def unfinished_cell(cells: Sequence[dict[str, Any]]) -> tuple[int | None, str]:
    """Number and error of the first code cell that raised or was not run to its end.

    Leaving by SystemExit is an error, although papermill lets it pass: cells after it are not run.
    """
    number = lesson_cells = 0
    for cell in cells:
        tags = set(cell["metadata"].get("tags", []))
        if cell["cell_type"] != "code" or not "".join(cell.get("source", "")).strip():
            continue
        number += 1
        lesson_cells += not tags & {"parameters", "injected-parameters"}
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                return number, f"{output['ename']}: {output['evalue']}"
        if cell["metadata"].get("papermill", {}).get("status") != "completed":
            return number, "the cell was not run to its end"
    return None, "" if lesson_cells else "no code cell was run besides the parameters"


# The process of a lesson


def _start(
    lesson: Path, out: Path, values: Mapping[str, Value], jobs: int, timeout: float | None
) -> BaseProcess:
    """Start a lesson, without what an earlier run left of it."""
    for old in out.glob(f"{lesson.name[:2]}_*"):
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    (out / lesson.stem).mkdir()
    given = {**values, "OUT": str(out / lesson.stem)}
    arguments = (lesson.resolve(), out / RUNNING / lesson.name, given, jobs, timeout)
    process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments)
    process.start()
    return process


def _run(
    lesson: Path, executed: Path, values: dict[str, Value], jobs: int, timeout: float | None
) -> None:
    """Execute one lesson; its log takes what this process and the kernel write."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    parent = multiprocessing.parent_process()
    assert parent is not None
    _end_after(parent.join, code=1)
    if timeout is not None:
        _end_after(lambda: time.sleep(timeout), code=LATE)
    log = os.open(executed.parents[1] / f"{lesson.stem}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // jobs)))
    # This interpreter's kernel, not one that the user registered, and no start-up files of theirs.
    os.environ.pop("JUPYTER_PATH", None)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["IPYTHONDIR"] = os.environ["JUPYTER_RUNTIME_DIR"] = str(executed.parent)

    import papermill

    paths = _without_fields(lesson), _without_fields(executed)
    papermill.execute_notebook(*paths, values, kernel_name="python3", progress_bar=False)


def _end_after(wait: Callable[[], object], code: int) -> None:
    """Once `wait` returns, end this process and all that it started."""

    def watch() -> None:
        wait()
        _kill_children(os.getpid())
        os._exit(code)

    threading.Thread(target=watch, daemon=True).start()


def _kill_children(pid: int) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()


@contextmanager
def _killed_at_the_end(scratch: Path) -> Iterator[dict[Path, tuple[BaseProcess, float]]]:
    """Give a place for lessons under way; those left at the end, after SIGTERM too, are killed."""

    def stop(signum: int, _frame: object) -> None:
        raise SystemExit(128 + signum)

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    running: dict[Path, tuple[BaseProcess, float]] = {}
    try:
        yield running
    finally:
        for process, _ in running.values():
            _kill_children(process.pid or 0)
            process.kill()
            process.join()
        shutil.rmtree(scratch, ignore_errors=True)
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)


# The index


def _inputs(lesson: Path, values: Mapping[str, Value]) -> str:
    digest = sha256(lesson.read_bytes() + repr(sorted(values.items())).encode())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read_index(out: Path) -> tuple[dict[str, LessonResult], bool]:
    """Results that are in the folder, and whether the run that left them was stopped."""
    try:
        kept = json.loads((out / "index.json").read_text(encoding="utf-8"))
        return {r["name"]: LessonResult(**r) for r in kept["lessons"]}, not kept["finished"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}, False


def _write_index(
    out: Path, index: Mapping[str, LessonResult], values: Mapping[str, Value], *, finished: bool
) -> None:
    results = [index[name] for name in sorted(index)]
    origin = {**values, **provenance()}
    kept = {"finished": finished, "provenance": origin, "lessons": [asdict(r) for r in results]}
    with replacing(out / "index.json") as file:
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    with replacing(out / "index.md") as file:
        file.write_text(summary(results) + "\n", encoding="utf-8")


def summary(results: Sequence[LessonResult]) -> str:
    """The results as one Markdown table, each lesson a link to its notebook and its log."""
    return markdown_table(
        [
            {
                "lesson": f"[{r.name}]({r.name}.ipynb)",
                "status": f"[{r.status}]({r.name}.log)",
                "seconds": f"{r.seconds:.1f}",
                "metrics": ", ".join(f"{name} {value:.3g}" for name, value in r.metrics.items()),
                "error": (f"cell {r.cell}: " if r.cell else "") + r.error,
            }
            for r in results
        ]
    )


def _without_fields(path: Path) -> str:
    """The path as papermill wants it, which takes braces for fields to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")
