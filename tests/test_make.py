"""The Makefile's set-up, with a uv that only notes what it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = """#!/bin/sh
echo "$@ index=$UV_DEFAULT_INDEX" >>calls
case "$1" in
venv) mkdir -p .venv/bin; touch .venv/pyvenv.cfg
      printf '#!/bin/sh\\nexit 0\\n' >.venv/bin/python; chmod +x .venv/bin/python;;
esac
"""
LOCK = """torch==2.14.1 \\
    --hash=sha256:1
triton==3.8.0 ; sys_platform == 'linux' \\
    --hash=sha256:2
tqdm==4.66.0 \\
    --hash=sha256:3
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which nothing has been set up, and a uv."""
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    return tmp_path


def make(folder: Path, *arguments: str, **variables: str) -> tuple[list[str], str]:
    """Run make; what uv was asked for, and what make said."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "PYTHON", "TORCH", "PIP_INDEX_URL"}
    environment = {k: v for k, v in os.environ.items() if k not in inherited} | variables
    (folder / "calls").unlink(missing_ok=True)
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    calls = folder / "calls"
    return calls.read_text().splitlines() if calls.exists() else [], done.stdout + done.stderr


def words(calls: list[str]) -> list[str]:
    return [" ".join(call.split()[:2]) for call in calls]


def test_a_fresh_clone_is_set_up_once(clone: Path) -> None:
    calls, _ = make(clone, "lint", "UV=./uv")
    assert words(calls) == ["venv --python", "pip sync", "pip install"]
    assert "--require-hashes" in calls[1]
    assert make(clone, "lint", "UV=./uv")[0] == []


@pytest.mark.parametrize("damage", ["interpreter gone", "killed half-way"])
def test_an_environment_that_does_not_run_is_made_anew(clone: Path, damage: str) -> None:
    make(clone, "lint", "UV=./uv")
    if damage == "interpreter gone":
        (clone / ".venv" / "bin" / "python").unlink()
        (clone / ".venv" / "bin" / "python").symlink_to(clone / "no-python")
    else:
        (clone / ".venv" / ".installed").unlink()
        (clone / ".venv" / "pyvenv.cfg").unlink()
    assert words(make(clone, "lint", "UV=./uv")[0])[0] == "venv --python"


def test_torch_without_cuda_is_one_variable_and_remembered(clone: Path) -> None:
    calls, _ = make(clone, "lint", "UV=./uv", "TORCH=cpu")
    assert words(calls) == ["venv --python", "pip sync", "pip install", "pip install"]
    assert (clone / ".venv" / "without-cuda.lock").read_text() == LOCK[LOCK.index("tqdm") :]
    assert "--torch-backend cpu torch==2.14.1" in calls[2]
    assert make(clone, "lint", "UV=./uv")[0] == []
    assert "without-cuda" not in " ".join(make(clone, "lint", "UV=./uv", "TORCH=lock")[0])
    assert (clone / ".venv" / ".torch").read_text() == "lock\n"


def test_uv_asks_the_index_that_pip_asks(clone: Path) -> None:
    calls, _ = make(clone, "lint", "UV=./uv", PIP_INDEX_URL="file:///mirror/simple")
    assert all(call.endswith(" index=file:///mirror/simple") for call in calls)


def fake_python(file: Path, body: str) -> Path:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def test_pip_installs_uv_whatever_the_user_set_for_pip(clone: Path) -> None:
    note = f'echo "$PIP_USER $PIP_REQUIRE_VIRTUALENV $@" >>"{clone}/calls"'
    python = fake_python(clone / "python", note)
    calls, _ = make(clone, f"PYTHON={python}", "lint", PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1")
    assert any(call.startswith("0 0 -m pip install --quiet --upgrade --target") for call in calls)


def test_what_cannot_be_set_up_is_told_with_its_cure(clone: Path) -> None:
    old = fake_python(clone / "python3.10", "exit 1")
    assert "No Python >= 3.11" in make(clone, "lint", f"PYTHON={old}")[1]
    bare = fake_python(clone / "bare", 'case "$1" in -m) exit 1;; esac')
    assert "make UV=/path/to/uv" in make(clone, "lint", f"PYTHON={bare}")[1]


def test_every_target_is_listed() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    for target in ("demo", "test", "test-lowest", "lint", "lab", "site", "lock", "clean"):
        assert f"make {target}\t" in done.stdout
