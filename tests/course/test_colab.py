"""The cell that installs the package on Colab, in an environment that is like Colab's.

A virtual environment without tagvis_lite but with everything it needs, a stub of google.colab, the
variables that Colab sets, and a wheel of this repository in TAGVIS_INSTALL. What Colab ships (other
versions, other Python) is not here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import nbformat
import papermill
import pytest
import torch
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[2]
STUB = """class _widgets:
    _installed_url = None


def enable_custom_widget_manager():
    _widgets._installed_url = "widgets of Colab"
"""
AFTER = """import json, torch, ipywidgets, tagvis_lite
from google.colab import output
print(json.dumps({
    "torch": torch.__version__,
    "ipywidgets": ipywidgets.__version__,
    "package": tagvis_lite.__file__,
    "widget manager": output._widgets._installed_url,
}))"""


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such an environment: `python` in it, and the kernel `colab`."""
    folder = tmp_path_factory.mktemp("colab")
    made = subprocess.run(
        [sys.executable, "-m", "venv", folder / "env"], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no virtual environment with pip: {made.stdout.strip().splitlines()[:1]}")
    python = folder / "env" / "bin" / "python"
    installed = Path(sysconfig.get_path("purelib"))
    others = folder / "others"
    others.mkdir()
    for entry in installed.iterdir():
        if not entry.name.lower().startswith(("tagvis", "_tagvis", "__editable__")):
            (others / entry.name).symlink_to(entry)
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    for old in [*site.glob("setuptools*"), *site.glob("distutils*")]:  # hides the one torch needs
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    (site / "others.pth").write_text(f"{others}\n")

    stub = folder / "stub" / "google" / "colab"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("from google.colab import output\n")
    (stub / "output.py").write_text(STUB)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", folder / "wheel"], cwd=ROOT, check=True)
    (wheel,) = (folder / "wheel").glob("*.whl")

    kernel = folder / "share" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab",
        "language": "python",
        "env": {
            "COLAB_RELEASE_TAG": "release-colab",
            "TAGVIS_INSTALL": str(wheel),
            "PYTHONPATH": str(folder / "stub"),
            "PIP_NO_INDEX": "1",
        },
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return folder


def test_a_lesson_runs_on_colab(colab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(colab / "share"))
    lesson = nbformat.read(ROOT / "notebooks" / "03_spectra.ipynb", as_version=4)
    start = "import google.colab"  # as Colab does before the first cell
    lesson.cells.insert(0, new_code_cell(start))
    lesson.cells.append(new_code_cell(AFTER))
    nbformat.write(lesson, colab / "lesson.ipynb")
    papermill.execute_notebook(
        colab / "lesson.ipynb",
        colab / "executed.ipynb",
        kernel_name="colab",
        cwd=str(colab),
        progress_bar=False,
        execution_timeout=300,
    )
    executed = nbformat.read(colab / "executed.ipynb", as_version=4)
    report = json.loads(executed.cells[-1].outputs[0]["text"])
    assert report["torch"] == torch.__version__
    assert report["ipywidgets"] == version("ipywidgets")
    assert Path(report["package"]).is_relative_to(colab / "env"), "not the one that was installed"
    assert report["widget manager"], "Colab shows no anywidget without its widget manager"


def test_the_wheel_holds_what_views_and_lessons_need(colab: Path) -> None:
    (wheel,) = (colab / "wheel").glob("*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    ).stdout
    for name in (
        "_notebooks/00_overview.ipynb",
        "views/view.js",
        "views/view.css",
        "_data/checkpoints/toy.safetensors",
    ):
        assert f"tagvis_lite/{name}" in listed
