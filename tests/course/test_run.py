"""`tagvis notebooks`: lessons pass only if they ran to the end and recorded metrics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tagvis_lite.__main__ import main
from tagvis_lite.course.run import RUNNING, LessonResult, find_lessons, judge
from tagvis_lite.runs import open_run

NAMES = ("01_passes", "02_raises", "03_leaves")
PARAMETERS = 'PROFILE = "toy"  # toy, smoke or paper\nSEED = 0\nDATA = ""\nOUT = ""'
RECORD = """
import json, os, sys
from pathlib import Path
metrics = {"seed <i>": SEED, "loss | more": 0.25}
Path(OUT, f"{Path(OUT).name[:2]}.json").write_text(json.dumps({"metrics": metrics}))
"""
SEEN = """
seen = dict(profile=PROFILE, data=DATA, out=OUT, margin=MARGIN, executable=sys.executable,
            folder=os.getcwd(), threads=os.environ["OMP_NUM_THREADS"])
Path(OUT, "seen.json").write_text(json.dumps(seen))
"""
HANG = """
import subprocess, sys, time
from pathlib import Path
if not Path(DATA, "go").exists():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(OUT, "pids").write_text(f"{__import__('os').getpid()} {child.pid}")
    time.sleep(600)
"""


def write(path: Path, *sources: str, parameters: str = PARAMETERS) -> None:
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def soon(happens: Any, seconds: float = 60) -> bool:
    for _ in range(int(20 * seconds)):
        if happens():
            return True
        time.sleep(0.05)
    return False


def processes(pids: Path) -> list[int]:
    return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []


class Outcome:
    """What one run of three lessons, two at once, left behind."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "results {of} 'it'"
        notebooks = root / "notebooks {in}"
        write(notebooks / "01_passes.ipynb", RECORD, SEEN, parameters=f"{PARAMETERS}\nMARGIN = 3.0")
        write(notebooks / "02_raises.ipynb", RECORD, "raise ValueError('<b>x</b>\\nsecond')", "1")
        write(notebooks / "03_leaves.ipynb", RECORD, "sys.exit(0)", "assert False")
        (root / "data").mkdir()

        # A kernel named python3 of another interpreter, where users register theirs.
        foreign = root / "jupyter" / "kernels" / "python3"
        foreign.mkdir(parents=True)
        spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "no", "language": "no"}
        (foreign / "kernel.json").write_text(json.dumps(spec))
        # What an earlier run left: of a lesson that was renamed since, and of one not run again.
        self.out.mkdir()
        open_run(self.out, {"command": "notebooks"})
        (self.out / "01_old_name").mkdir()
        other = LessonResult("09_other", "ok", 1.0, {"old": 1.0}, None, "", "x")
        kept = {"finished": True, "lessons": [other.__dict__]}
        (self.out / "index.json").write_text(json.dumps(kept))

        command = [sys.executable, "-m", "tagvis_lite", "notebooks", "--profile", "smoke"]
        command += ["--notebooks", notebooks.name, "--out", self.out.name, "--data", "data"]
        command += ["--seed", "3", "--parameters", "MARGIN", "2", "--jobs", "2"]
        environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        environment |= {"JUPYTER_PATH": str(root / "jupyter")}
        environment |= {"PYTHONPATH": str(Path(__file__).parents[2])}
        self.done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True
        )
        self.index = json.loads((self.out / "index.json").read_text())
        self.lessons = {lesson["name"]: lesson for lesson in self.index["lessons"]}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return Outcome(tmp_path_factory.mktemp("lessons"))


def test_failures_do_not_stop_the_others_but_the_command_fails(outcome: Outcome) -> None:
    status = {name: lesson["status"] for name, lesson in outcome.lessons.items()}
    assert status == dict(zip([*NAMES, "09_other"], ["ok", "failed", "failed", "ok"], strict=True))
    assert outcome.done.returncode == 1
    *lines, last = outcome.done.stdout.splitlines()
    assert sorted(line.split()[3].rstrip(",:") for line in lines) == list(NAMES)
    assert last.startswith("1 of 3 lessons passed: ")


def test_what_a_lesson_is_given(outcome: Outcome) -> None:
    seen = json.loads((outcome.out / "01_passes" / "seen.json").read_text())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert seen == {
        "profile": "smoke",
        "data": str(outcome.root / "data"),
        "out": str(outcome.out / "01_passes"),
        "margin": 2,
        "executable": sys.executable,
        "folder": str(outcome.root),
        "threads": str(max(1, (cores or 1) // 2)),
    }
    assert outcome.lessons["01_passes"]["metrics"] == {"seed <i>": 3.0, "loss | more": 0.25}
    origin = outcome.index["provenance"]
    assert (origin["PROFILE"], origin["SEED"], origin["MARGIN"]) == ("smoke", 3, 2)


def test_the_cell_and_the_error_of_a_failure(outcome: Outcome) -> None:
    raises, leaves = outcome.lessons["02_raises"], outcome.lessons["03_leaves"]
    assert (raises["cell"], raises["error"]) == (4, "ValueError: <b>x</b> second")
    assert (leaves["cell"], leaves["error"]) == (4, "SystemExit: 0")
    assert raises["metrics"]["loss | more"] == 0.25


def test_files_of_the_run_and_none_of_an_earlier_one(outcome: Outcome) -> None:
    expected = {"run.json", "index.json", "index.md", *NAMES}
    expected |= {f"{name}{suffix}" for name in NAMES for suffix in (".ipynb", ".log")}
    assert {path.name for path in outcome.out.iterdir()} == expected
    for name in NAMES:
        nbformat.validate(nbformat.read(outcome.out / f"{name}.ipynb", as_version=4))
    table = (outcome.out / "index.md").read_text().splitlines()
    assert len(table) == 2 + 4
    assert "[02_raises](02_raises.ipynb)" in table[3]
    assert "cell 4: ValueError" in table[3]


def command(root: Path, *arguments: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tagvis_lite", "notebooks", "--notebooks", "notebooks"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words += ["--out", "out", "--data", "data", *arguments]
    return subprocess.Popen(words, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_run_that_is_killed_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "notebooks" / "01_passes.ipynb", RECORD)
    write(tmp_path / "notebooks" / "06_hangs.ipynb", RECORD, HANG)
    (tmp_path / "data").mkdir()
    out = tmp_path / "out"
    finished, pids = out / "01_passes.ipynb", out / "06_hangs" / "pids"
    times = set()
    for kill, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9), (signal.SIGINT, 130)):
        pids.unlink(missing_ok=True)
        run = command(tmp_path)
        assert soon(lambda: len(processes(pids)) == 2)
        lessons = [p.pid for p in psutil.Process(run.pid).children(recursive=True)]
        assert set(processes(pids)) <= set(lessons)
        run.send_signal(kill)
        assert run.wait(60) == code
        assert soon(lambda: not any(map(alive, lessons)), 15)  # noqa: B023
        index = json.loads((out / "index.json").read_text())
        assert [lesson["name"] for lesson in index["lessons"]] == ["01_passes"]
        assert not (out / "06_hangs.ipynb").exists()
        times.add(finished.stat().st_mtime_ns)
    assert len(times) == 1, "it was finished already"

    (tmp_path / "data" / "go").touch()
    again = command(tmp_path)
    printed, _ = again.communicate()
    assert (again.returncode, len(printed.splitlines())) == (0, 2)
    assert {finished.stat().st_mtime_ns} == times
    assert not (out / RUNNING).exists()
    anew = command(tmp_path, "--only", "01")
    assert anew.wait(60) == 0
    assert finished.stat().st_mtime_ns not in times, "a finished run starts anew"
    assert len(json.loads((out / "index.json").read_text())["lessons"]) == 2


def test_a_lesson_that_hangs_is_stopped_with_all_its_processes(tmp_path: Path) -> None:
    write(tmp_path / "notebooks" / "06_hangs.ipynb", HANG)
    (tmp_path / "data").mkdir()
    run = command(tmp_path, "--timeout", "6")
    printed, _ = run.communicate()
    assert run.returncode == 1
    assert printed.startswith("timeout ")
    assert soon(lambda: not any(map(alive, processes(tmp_path / "out/06_hangs/pids"))), 15)
    (lesson,) = json.loads((tmp_path / "out" / "index.json").read_text())["lessons"]
    assert (lesson["status"], lesson["metrics"]) == ("timeout", {})


# ---------------------------------------------------------------- verdicts


def code(
    source: str, count: int | None, *tags: str, status: str = "completed"
) -> dict[str, object]:
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": [],
        "metadata": {"papermill": {"status": status}, "tags": list(tags)},
    }


GIVEN = [code(PARAMETERS, 1, "parameters"), code("SEED = 3", 2, "injected-parameters")]
GOOD = '{"lesson": "06", "metrics": {"loss": 0.5}}'


def verdict(tmp_path: Path, cells: object, recorded: str | None, returncode: int) -> LessonResult:
    (tmp_path / RUNNING).mkdir()
    (tmp_path / "06_x").mkdir()
    executed = tmp_path / RUNNING / "06_x.ipynb"
    executed.write_text(json.dumps({"cells": cells}) if cells else '{"cells": [')
    (tmp_path / "06_x.log").write_text("Traceback\nDeadKernelError: <died>\n\n")
    if recorded is not None:
        (tmp_path / "06_x" / "06.json").write_text(recorded)
    return judge("06_x", tmp_path, returncode, 1.0, "inputs")


def test_a_lesson_passes(tmp_path: Path) -> None:
    text = {"cell_type": "markdown", "source": "words", "metadata": {}}
    result = verdict(tmp_path, [*GIVEN, text, code("work", 3), code("", None)], GOOD, 0)
    assert (result.status, result.error, result.cell) == ("ok", "", None)
    assert result.metrics == {"loss": 0.5}


@pytest.mark.parametrize(
    ("cells", "recorded", "returncode", "said"),
    [
        ([*GIVEN, code("work", 3)], None, 0, "no metrics were recorded"),
        ([*GIVEN, code("work", 3)], '{"lesson": "06"', 0, "no metrics were recorded"),
        (GIVEN, GOOD, 0, "no code cell was run besides the parameters"),
        ([*GIVEN, code("work", 3, status="running")], GOOD, 0, "was not run to its end"),
        ([*GIVEN, code("work", 3)], GOOD, -9, "DeadKernelError: <died>"),
        (None, GOOD, 0, "DeadKernelError: <died>"),
    ],
)
def test_a_lesson_that_lies(
    tmp_path: Path,
    cells: list[dict[str, object]] | None,
    recorded: str | None,
    returncode: int,
    said: str,
) -> None:
    result = verdict(tmp_path, cells, recorded, returncode)
    assert result.status == "failed"
    assert said in result.error
    assert (tmp_path / "06_x.ipynb").exists() == (cells is not None)


# ---------------------------------------------------------------- mistakes


def test_lessons_by_number(tmp_path: Path) -> None:
    for name in ("10_c", "02_a", "06_b"):
        write(tmp_path / f"{name}.ipynb")
    write(tmp_path / "notes.ipynb")
    assert [path.stem for path in find_lessons(tmp_path)] == ["02_a", "06_b", "10_c"]
    assert [path.stem for path in find_lessons(tmp_path, ["10", "2"])] == ["02_a", "10_c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--notebooks {w}/none", "{w}/none holds no notebooks named NN_name.ipynb"),
        ("--notebooks {w}/good --only 06 07", "has no lesson 07; there are 06"),
        ("--notebooks {w}/good --jobs 0", "jobs=0"),
        ("--notebooks {w}/good --timeout 0", "timeout=0"),
        ("--notebooks {w}/good --data {w}/none", "{w}/none does not exist"),
        ("--notebooks {w}/good --profile huge", "invalid choice 'huge'"),
        (
            "--notebooks {w}/good --out {w}/good",
            "{w}/good holds files that are not of `tagvis notebooks`",
        ),
        ("--notebooks {w}/good --parameters STEP 3", "no lesson has a parameter STEP; there are P"),
        ("--notebooks {w}/typo", "{w}/typo/07_b.ipynb: no SEED in its cell tagged 'parameters'"),
        ("--notebooks {w}/cut", "06_a.ipynb cannot be read as a Python notebook"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    arguments: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "good" / "06_a.ipynb", RECORD)
    write(tmp_path / "typo" / "07_b.ipynb", parameters=PARAMETERS.replace("SEED", "SEEDS"))
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "06_a.ipynb").write_text('{"cells": [')
    with pytest.raises(SystemExit) as caught:
        main(f"notebooks --out {{w}}/out {arguments}".format(w=tmp_path).split())
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said.format(w=tmp_path) in line
    assert not (tmp_path / "out").exists()
