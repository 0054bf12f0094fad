"""`tagvis notebooks`: lessons pass only if they ran to the end and recorded metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tagvis_lite.__main__ import main
from tagvis_lite.course import run as runner
from tagvis_lite.course.results import LessonResult, index_page, judge
from tagvis_lite.course.run import MARK, find_lessons, run_notebooks

NAMES = ("01_passes", "02_raises", "03_leaves", "04_hangs")
PARAMETERS = 'PROFILE = "toy"  # toy, smoke or paper\nSEED = 0\nDATA = ""\nOUT = ""'
RECORD = """
import json, os, sys
from pathlib import Path
metrics = {"seed <i>": SEED, "loss & more": 0.25}
Path(OUT, f"{Path(OUT).name[:2]}.json").write_text(
    json.dumps({"lesson": Path(OUT).name[:2], "metrics": metrics})
)
"""
SEEN = """
seen = dict(profile=PROFILE, data=DATA, out=OUT, executable=sys.executable, folder=os.getcwd(),
            threads=os.environ["OMP_NUM_THREADS"])
Path(OUT, "seen.json").write_text(json.dumps(seen))
"""
HANG = """
import subprocess, sys, time
from pathlib import Path
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


def hung(pids: Path) -> bool:
    return pids.exists() and len(pids.read_text().split()) == 2


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def die_soon(pids: list[int]) -> bool:
    """Killed processes are gone as soon as whoever adopted them has taken notice."""
    for _ in range(100):
        if not any(map(alive, pids)):
            return True
        time.sleep(0.05)
    return False


class Outcome:
    """What one run of four lessons, two at once, left behind."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "results {of} 'it'"
        notebooks = root / "notebooks {in}"
        write(notebooks / "01_passes.ipynb", RECORD, SEEN)
        write(notebooks / "02_raises.ipynb", RECORD, "raise ValueError('<b>x</b>\\nsecond')", "1")
        write(notebooks / "03_leaves.ipynb", RECORD, "sys.exit(0)", "assert False")
        write(notebooks / "04_hangs.ipynb", HANG)
        (root / "data").mkdir()

        # A kernel named python3 of another interpreter, where users register theirs.
        foreign = root / "jupyter" / "kernels" / "python3"
        foreign.mkdir(parents=True)
        spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "no", "language": "no"}
        (foreign / "kernel.json").write_text(json.dumps(spec))
        # What an earlier run left: of a lesson that was renamed since, of one that records nothing
        # now, and of one that is not run again.
        self.out.mkdir()
        (self.out / MARK).touch()
        for folder in ("01_old_name", "04_hangs", "09_other"):
            (self.out / folder).mkdir()
            old = {"lesson": folder[:2], "metrics": {"old": 1.0}}
            (self.out / folder / f"{folder[:2]}.json").write_text(json.dumps(old))
        (self.out / "01_old_name.ipynb").touch()

        def clock() -> float:
            """Time leaps as soon as the last lesson hangs and the others are done."""
            others = all((self.out / f"{name}.log").exists() for name in NAMES[:3])
            hangs = others and hung(self.out / "04_hangs" / "pids")
            return time.monotonic() + 3600 * hangs

        printed: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            patch.delenv("OMP_NUM_THREADS", raising=False)
            patch.setenv("JUPYTER_PATH", str(root / "jupyter"))
            patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(words)))
            command = ["notebooks", "--profile", "smoke", "--notebooks", notebooks.name]
            command += ["--out", self.out.name, "--data", "data", "--seed", "3"]
            patch.setattr(runner, "time", SimpleNamespace(monotonic=clock, sleep=time.sleep))
            with pytest.raises(SystemExit) as caught:
                main([*command, "--jobs", "2", "--timeout", "1800"])
        self.code, self.printed = caught.value.code, printed
        self.index = json.loads((self.out / "index.json").read_text())
        self.lessons = {lesson["name"]: lesson for lesson in self.index["lessons"]}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return Outcome(tmp_path_factory.mktemp("lessons"))


def test_failures_do_not_stop_the_others_but_the_command_fails(outcome: Outcome) -> None:
    assert {name: lesson["status"] for name, lesson in outcome.lessons.items()} == {
        "01_passes": "ok",
        "02_raises": "failed",
        "03_leaves": "failed",
        "04_hangs": "timeout",
    }
    assert list(outcome.lessons) == sorted(outcome.lessons)
    assert outcome.code == 1


def test_a_line_for_each_lesson_and_where_the_index_is(outcome: Outcome) -> None:
    *lines, last = outcome.printed
    words = sorted((line.split() for line in lines), key=lambda line: line[3])
    assert [(line[0], line[2], line[3]) for line in words] == [
        ("ok", "s", "01_passes"),
        ("failed", "s", "02_raises"),
        ("failed", "s", "03_leaves"),
        ("timeout", "s", "04_hangs"),
    ]
    assert last == f"Open {(outcome.out / 'index.html').as_uri()}"


def test_what_a_lesson_is_given(outcome: Outcome) -> None:
    seen = json.loads((outcome.out / "01_passes" / "seen.json").read_text())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert seen == {
        "profile": "smoke",
        "data": str(outcome.root / "data"),
        "out": str(outcome.out / "01_passes"),
        "executable": sys.executable,
        "folder": str(outcome.root),
        "threads": str(max(1, (cores or 1) // 2)),
    }
    assert outcome.lessons["01_passes"]["metrics"] == {"seed <i>": 3.0, "loss & more": 0.25}
    assert outcome.index["provenance"]["profile"] == "smoke"
    assert outcome.index["provenance"]["seed"] == 3


def test_the_cell_and_the_error_of_a_failure(outcome: Outcome) -> None:
    raises, leaves = outcome.lessons["02_raises"], outcome.lessons["03_leaves"]
    assert (raises["cell"], raises["error"]) == (4, "ValueError: <b>x</b> second")
    assert (leaves["cell"], leaves["error"]) == (4, "SystemExit: 0")
    assert raises["metrics"]["loss & more"] == 0.25


def test_a_lesson_that_hangs_is_stopped_with_all_its_processes(outcome: Outcome) -> None:
    hangs = outcome.lessons["04_hangs"]
    assert (hangs["cell"], hangs["error"]) == (3, "stopped after 1800 s")
    assert hangs["metrics"] == {}
    assert die_soon([int(pid) for pid in (outcome.out / "04_hangs" / "pids").read_text().split()])


def test_files_of_the_run_and_none_of_an_earlier_one(outcome: Outcome) -> None:
    expected = {MARK, "index.html", "index.json", "09_other", *NAMES}
    expected |= {f"{name}{suffix}" for name in NAMES for suffix in (".ipynb", ".log")}
    assert {path.name for path in outcome.out.iterdir()} == expected
    for name in NAMES:
        nbformat.validate(nbformat.read(outcome.out / f"{name}.ipynb", as_version=4))


class Page(HTMLParser):
    """Links, loaded files and text of a page; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_the_page_links_what_is_there_and_escapes_what_lessons_say(outcome: Outcome) -> None:
    text = (outcome.out / "index.html").read_text()
    page = Page(text)
    assert page.open == []
    assert not page.tags & {"i", "b", "script", "link", "img"}
    assert len(page.links) == 8
    assert all((outcome.out / link).is_file() for link in page.links)
    said = " ".join(page.text.split())
    for words in (
        "1 of 4 lessons passed",
        "seed <i> 3",
        "loss & more 0.25",
        "cell 4: ValueError: <b>x</b> second",
        "cell 3: stopped after 1800 s",
    ):
        assert words in said
    assert "prefers-color-scheme: dark" in text
    assert text.count('scope="row"') == 4


def test_names_of_files_are_escaped() -> None:
    name = '01_"><script>x</script> & 100%'
    result = LessonResult("01", name, "ok", 1.0, {}, None, "", f"{name}.ipynb", f"{name}.log")
    page = Page(index_page([result], {"data": "<script>"}))
    assert "script" not in page.tags
    assert page.links[0] == "01_%22%3E%3Cscript%3Ex%3C/script%3E%20%26%20100%25.ipynb"


# ---------------------------------------------------------------- verdicts

DONE = {"papermill": {"status": "completed"}}


def code(source: str, count: int | None, *tags: str, **metadata: object) -> dict[str, object]:
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": count,
        "outputs": [],
        "metadata": {**DONE, **metadata, "tags": list(tags)},
    }


GIVEN = [code(PARAMETERS, 1, "parameters"), code("SEED = 3", 2, "injected-parameters")]
GOOD = '{"lesson": "06", "metrics": {"loss": 0.5}}'


def verdict(
    tmp_path: Path, cells: object, recorded: str | None, returncode: int | None = 0
) -> LessonResult:
    executed, log, folder = tmp_path / "06_x.ipynb", tmp_path / "06_x.log", tmp_path / "06_x"
    executed.write_text(json.dumps({"cells": cells}) if cells else '{"cells": [')
    log.write_text("Traceback\nDeadKernelError: <died>\n\n")
    folder.mkdir()
    if recorded is not None:
        (folder / "06.json").write_text(recorded)
    return judge(executed, log, folder, returncode, 1.0)


def test_a_lesson_passes(tmp_path: Path) -> None:
    skipped = [code("", None), code("slow", None, "skip-execution")]
    text = {"cell_type": "markdown", "source": "words", "metadata": {}}
    result = verdict(tmp_path, [*GIVEN, text, code("work", 3), *skipped], GOOD)
    assert (result.status, result.error, result.cell) == ("ok", "", None)
    assert result.metrics == {"loss": 0.5}


@pytest.mark.parametrize(
    ("cells", "recorded", "returncode", "said"),
    [
        ([*GIVEN, code("work", 3)], None, 0, "06.json is missing"),
        ([*GIVEN, code("work", 3)], '{"lesson": "06"', 0, "06.json is not what a lesson records"),
        ([*GIVEN, code("work", 3)], "[]", 0, "06.json is not what a lesson records"),
        ([*GIVEN, code("work", 3)], GOOD.replace("06", "07"), 0, "of lesson 07"),
        ([*GIVEN, code("work", 3)], GOOD.replace('"loss": 0.5', ""), 0, "06.json holds none"),
        ([*GIVEN, code("work", 3)], GOOD.replace("0.5", "NaN"), 0, "loss is nan"),
        (GIVEN, GOOD, 0, "no code cell was run besides the parameters"),
        ([*GIVEN, code("work", None)], GOOD, 0, "was not run to its end"),
        ([*GIVEN, code("work", 3, papermill={"status": "running"})], GOOD, 0, "was not run to its"),
        ([*GIVEN, code("work", None)], GOOD, 1, "DeadKernelError: <died>"),
        ([*GIVEN, code("work", 3)], GOOD, -9, "DeadKernelError: <died>"),
        (None, GOOD, None, "DeadKernelError: <died>"),
    ],
)
def test_a_lesson_that_lies(
    tmp_path: Path,
    cells: list[dict[str, object]] | None,
    recorded: str | None,
    returncode: int | None,
    said: str,
) -> None:
    result = verdict(tmp_path, cells, recorded, returncode)
    assert result.status == "failed"
    assert said in result.error
    assert (tmp_path / "06_x.ipynb").exists() == (cells is not None) == bool(result.notebook)


# ---------------------------------------------------------------- mistakes


def test_lessons_by_number(tmp_path: Path) -> None:
    for name in ("10_c", "02_a", "06_b"):
        write(tmp_path / f"{name}.ipynb")
    write(tmp_path / ".ipynb_checkpoints" / "02_a-checkpoint.ipynb")
    write(tmp_path / "notes.ipynb")
    assert [path.stem for path in find_lessons(tmp_path)] == ["02_a", "06_b", "10_c"]
    assert [path.stem for path in find_lessons(tmp_path, ["10", "2"])] == ["02_a", "10_c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--notebooks {w}/none", "{w}/none holds no notebooks named NN_name.ipynb"),
        ("--notebooks {w}/empty", "{w}/empty holds no notebooks named NN_name.ipynb"),
        ("--notebooks {w}/twins", "06_a.ipynb and 06_b.ipynb have one number"),
        ("--notebooks {w}/good --only 06 07", "has no lesson 07; there are 06"),
        ("--notebooks {w}/good --jobs 0", "jobs=0"),
        ("--notebooks {w}/good --timeout 0", "timeout=0"),
        ("--notebooks {w}/good --data {w}/none", "{w}/none does not exist"),
        ("--notebooks {w}/good --profile huge", "unknown profile 'huge'"),
        ("--notebooks {w}/good --out {w}/good", "{w}/good holds files that are not of lessons"),
        ("--notebooks {w}/typo", "{w}/typo/07_b.ipynb: parameters must be PROFILE, SEED, DATA, "),
        ("--notebooks {w}/typo", "SEED is missing, SEEDS is unknown"),
        ("--notebooks {w}/none-set", "06_a.ipynb has no cell tagged 'parameters'"),
        ("--notebooks {w}/cut", "06_a.ipynb cannot be read as a Python notebook"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    arguments: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "good" / "06_a.ipynb", RECORD)
    write(tmp_path / "twins" / "06_a.ipynb", RECORD)
    write(tmp_path / "twins" / "06_b.ipynb", RECORD)
    write(tmp_path / "typo" / "06_a.ipynb", RECORD)
    write(tmp_path / "typo" / "07_b.ipynb", parameters=PARAMETERS.replace("SEED", "SEEDS"))
    write(tmp_path / "none-set" / "06_a.ipynb", parameters="")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "06_a.ipynb").write_text('{"cells": [')
    command = f"notebooks --out {{w}}/out {arguments}".format(w=tmp_path).split()
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said.format(w=tmp_path) in line
    assert not (tmp_path / "out").exists()


def test_without_papermill_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "06_a.ipynb", RECORD)
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(SystemExit) as caught:
        main(["notebooks", "--notebooks", str(tmp_path)])
    assert caught.value.code == 2
    assert "pip install 'tagvis-lite[lab]'" in capsys.readouterr().err


def test_an_interrupt_leaves_no_process_and_no_half_written_file(tmp_path: Path) -> None:
    write(tmp_path / "notebooks" / "06_hangs.ipynb", HANG)
    out = tmp_path / "out"
    pids = out / "06_hangs" / "pids"

    class Interrupting(subprocess.Popen[bytes]):
        """Ctrl-C as soon as the lesson has started to hang."""

        def poll(self) -> int | None:
            if not interrupted and hung(pids):
                interrupted.append(self.pid)
                raise KeyboardInterrupt
            return super().poll()

    interrupted: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            run_notebooks("toy", notebooks=tmp_path / "notebooks", out=out, timeout=60)
    assert die_soon([*interrupted, *map(int, pids.read_text().split())])
    left = {str(path.relative_to(out)) for path in out.rglob("*")}
    assert left == {MARK, "06_hangs", "06_hangs/pids"}
