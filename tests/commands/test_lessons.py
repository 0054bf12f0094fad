"""The lessons of an installed package, what a missing extra says, and modules for a clone only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tagvis_lite.__main__ import main
from tagvis_lite.commands.extras import needs

ROOT = Path(__file__).resolve().parents[2]


def test_lessons_come_beside_work_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "00_overview.ipynb").write_text("my own notes")
    main(["lessons", str(tmp_path)])
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "00_overview.ipynb").read_text() == "my own notes"
    assert f"{len(names) - 1} lessons, 1 were there already" in capsys.readouterr().out


def test_a_missing_extra_is_named_with_a_command_that_works() -> None:
    with (
        pytest.raises(ValueError, match=r"papermill.* -m pip install .*'papermill>=2"),
        needs("lab"),
    ):
        raise ModuleNotFoundError("No module named 'papermill'", name="papermill")


@pytest.mark.parametrize("module", ["tagvis_lite.study.report", "tagvis_lite.course.build"])
def test_modules_that_write_into_a_clone_are_refused_outside_of_one(
    module: str,
) -> None:
    code = (
        "import runpy, sys, pathlib; sys.path.insert(0, '.');"
        "import tagvis_lite.study.provenance as p; p.__file__ = '/nowhere/a/b/c.py';"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == f"{module} writes into a clone of the repository: run it there"
