"""Run the lessons from top to bottom: `tagvis notebooks`.

Each lesson is a regression test. It passes if papermill runs every cell without an error and the
lesson records metrics; a notebook that merely did nothing fails. A folder of results holds

    index.html, index.json      status, seconds and metrics of each lesson of the last run
    NN_name.ipynb               the executed notebook
    NN_name.log                 what papermill and the kernel wrote
    NN_name/                    the lesson's OUT: NN.json with its metrics, and files it keeps
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tagvis_lite.atomic import claim_folder
from tagvis_lite.config import PROFILES
from tagvis_lite.course.results import LessonResult, judge, write_index

PARAMETERS = ("PROFILE", "SEED", "DATA", "OUT")
"""Names that the parameters cell of each lesson sets, no more and no fewer."""

MARK = ".made-by-tagvis-notebooks"
"""File in a folder of results, which says that what an earlier run left there may go."""

RUNNING = ".running"
"""Folder in a folder of results for what papermill still writes to."""


@dataclass(frozen=True)
class _Run:
    """One lesson under way: papermill's process, and the two files that it writes."""

    source: Path
    process: subprocess.Popen[bytes]
    started: float
    executed: Path
    log: Path


def run_notebooks(
    profile: str,
    *,
    notebooks: Path = Path("notebooks"),
    out: Path = Path("runs/notebooks"),
    only: Sequence[str] = (),
    seed: int = 0,
    data: Path | None = None,
    jobs: int = 1,
    timeout: float | None = None,
    report: Callable[[LessonResult], object] = lambda result: None,
) -> list[LessonResult]:
    """Run lessons by papermill, each in a process of its own, and write an index of the results.

    A failure does not keep the other lessons from running. Nothing runs if a notebook's parameters
    are not PARAMETERS, for papermill passes over an unknown name. Kernels run this interpreter,
    whichever kernels are registered, with the caller's folder as the current one. What an earlier
    run left of the same lessons is removed first.

    Args:
        profile: toy, smoke or paper, the PROFILE of the lessons.
        notebooks: folder with NN_name.ipynb.
        out: folder for the results.
        only: lessons to run, by number; all when empty.
        seed: SEED of the lessons.
        data: a video, a folder of frames or a root, DATA of the lessons; toy videos when None.
        jobs: lessons that run at once. Unless OMP_NUM_THREADS is set, they share the cores.
        timeout: seconds after which a lesson is stopped; None never stops one.
        report: called with each result as soon as it is there.

    Returns:
        One result for each lesson, by number.

    Raises:
        FileNotFoundError: no notebooks, or no data.
        FileExistsError: `out` holds files that are not of such a run.
        ValueError: an unknown profile or lesson, two notebooks of one number, jobs or a timeout
            that are not positive, or a notebook whose parameters are not PARAMETERS.
        ModuleNotFoundError: papermill is not installed.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; there are {', '.join(PROFILES)}")
    if jobs < 1 or (timeout is not None and timeout <= 0):
        raise ValueError(f"{jobs=}, {timeout=}: both must be positive")
    if data is not None and not data.exists():
        raise FileNotFoundError(
            f"{data} does not exist: give a video, a folder of frames or a root"
        )
    lessons = find_lessons(notebooks, only)
    check_parameters(lessons)

    out = out.resolve()
    _clear(out, lessons)
    where = "" if data is None else str(data.resolve())
    values: dict[str, str | int] = {"PROFILE": profile, "SEED": seed, "DATA": where}
    waiting, running, results = list(lessons), list[_Run](), list[LessonResult]()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as jupyter:
        environment = _environment(Path(jupyter), jobs)
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0), out, values, environment, timeout))
                time.sleep(0.05)
                for run in list(running):
                    late = timeout is not None and time.monotonic() - run.started > timeout
                    if run.process.poll() is not None or late:
                        result = _finish(run, out, timeout)
                        running.remove(run)
                        results.append(result)
                        report(result)
        finally:
            for run in running:
                _kill(run.process)
            shutil.rmtree(out / RUNNING, ignore_errors=True)
    results.sort(key=lambda result: result.lesson)
    write_index(out, results, profile=profile, seed=seed, data=where)
    return results


def find_lessons(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """The notebooks NN_name.ipynb of a folder by number, or those whose numbers are in `only`."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        if other := found.get(path.name[:2]):
            raise ValueError(f"{folder}: {other.name} and {path.name} have one number: rename one")
        found[path.name[:2]] = path
    if not found:
        raise FileNotFoundError(f"{folder} holds no notebooks named NN_name.ipynb")
    wanted = [number.zfill(2) for number in only]
    if unknown := [number for number in wanted if number not in found]:
        there = ", ".join(found)
        raise ValueError(f"{folder} has no lesson {', '.join(unknown)}; there are {there}")
    return [path for number, path in found.items() if not wanted or number in wanted]


def check_parameters(notebooks: Sequence[Path]) -> None:
    """Raise ValueError for the first notebook whose parameters cell does not set PARAMETERS."""
    try:
        from papermill import inspect_notebook
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "papermill, which runs the lessons, is not installed: pip install 'tagvis-lite[lab]'"
        ) from error

    for path in notebooks:
        try:
            names = set(inspect_notebook(_without_fields(path)))
        except Exception as error:
            raise ValueError(f"{path} cannot be read as a Python notebook: {error}") from error
        if not names:
            raise ValueError(f"{path} has no cell tagged 'parameters' that sets any")
        problems = [f"{name} is missing" for name in PARAMETERS if name not in names]
        problems += [f"{name} is unknown" for name in sorted(names - set(PARAMETERS))]
        if problems:
            need = ", ".join(PARAMETERS)
            raise ValueError(f"{path}: parameters must be {need}, but {', '.join(problems)}")


def _without_fields(path: Path) -> str:
    """The path as papermill wants it, which takes braces for fields to fill in."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _clear(out: Path, lessons: Sequence[Path]) -> None:
    """Make `out` ready, without the index and what earlier runs left there of the same lessons."""
    claim_folder(out, MARK, "lessons")
    stale = [out / RUNNING, out / "index.html", out / "index.json"]
    stale += [path for lesson in lessons for path in out.glob(f"{lesson.name[:2]}_*")]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (out / RUNNING).mkdir()


def _environment(jupyter: Path, jobs: int) -> dict[str, str]:
    """The environment of papermill: `jupyter`, an empty folder, takes the place of the user's.

    JUPYTER_PATH goes before all places where a kernel named python3 may be registered, perhaps one
    of another interpreter. Start-up files and settings of the user's IPython are left out, and
    connection files of killed kernels go with the folder.
    """
    kernel = jupyter / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "Python 3", "language": "python"}
    kernel.write_text(json.dumps(specification), encoding="utf-8")
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return {
        "OMP_NUM_THREADS": str(max(1, cores // jobs)),
        **os.environ,
        "JUPYTER_PATH": os.pathsep.join(
            filter(None, [str(jupyter), os.environ.get("JUPYTER_PATH")])
        ),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "IPYTHONDIR": str(jupyter / "ipython"),
    }


def _start(
    source: Path,
    out: Path,
    values: Mapping[str, str | int],
    environment: dict[str, str],
    timeout: float | None,
) -> _Run:
    executed = out / RUNNING / source.name
    log = executed.with_suffix(".log")
    folder = out / source.stem
    folder.mkdir()
    command = [sys.executable, "-m", "papermill"]
    command += [_without_fields(source.resolve()), _without_fields(executed)]
    command += ["--kernel", "python3", "--no-progress-bar"]
    if timeout is not None:
        command += ["--execution-timeout", str(math.ceil(timeout))]
    for name, value in {**values, "OUT": str(folder)}.items():
        command += ["-r" if isinstance(value, str) else "-p", name, str(value)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    return _Run(source, process, time.monotonic(), executed, log)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill papermill and all that it started: its kernel leads a process group of its own."""
    import psutil

    if process.poll() is not None:
        return
    groups = {process.pid}
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(ProcessLookupError):
                groups.add(os.getpgid(child.pid))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):  # gone, or as good as gone
            os.killpg(group, signal.SIGKILL)
    process.wait()


def _finish(run: _Run, out: Path, timeout: float | None) -> LessonResult:
    """Stop the lesson if it still runs, move its files to their places, and judge it."""
    seconds = time.monotonic() - run.started
    late = run.process.poll() is None
    if late:
        _kill(run.process)
    log = run.log.replace(out / run.log.name)
    executed = out / run.source.name
    if run.executed.exists():
        run.executed.replace(executed)
    code = None if late else run.process.returncode
    result = judge(executed, log, out / run.source.stem, code, seconds)
    if late:
        result = replace(result, status="timeout", error=f"stopped after {timeout:g} s")
    return result
