"""Lessons from their text sources: convert, execute, normalise.

    python -m tagvis_lite.course.build [--only 06] [--force]      (make notebooks)

notebooks/src/NN_name.py (jupytext's py:percent) is what people edit and git merges;
notebooks/NN_name.ipynb, with outputs, is what readers open. A notebook whose source has not changed
since it was built is left alone, each is written as soon as it is done, and so an interrupted build
goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
import papermill
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tagvis_lite.atomic import replacing
from tagvis_lite.course.exercises import solution, stub
from tagvis_lite.study.provenance import require_checkout

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
COLAB = """import os
import subprocess
import sys

if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
    package = os.environ.get("TAGVIS_INSTALL", "tagvis-lite")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package], check=True)

from tagvis_lite.course import setup

setup(PROFILE, SEED, DATA, OUT)"""
"""The cell after the parameters of every lesson: it checks them. On Colab it first installs the
package, never torch.
"""
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
"""Without the version of Python, so that all builds agree. `nbconvert --to script` needs it."""
PLUMBING = {"parameters", "colab", "imports"}
"""Tags of cells that are left out of slides."""
FOLDED = {*PLUMBING, "fold"}
"""Tags of cells whose code is folded: none needs reading to follow the lesson. `fold` is for code
that draws, checks claims or records; what it shows stays in sight.
"""
KEPT = ("tags", "slideshow", "jupyter", "cellView")
"""Metadata of a cell that go into the repository."""
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
"""Needs a live kernel."""


def lesson_sources() -> list[Path]:
    """The text sources of the lessons, in order."""
    return sorted((NOTEBOOKS / "src").glob("[0-9][0-9]_*.py"))


def notebook_from_source(source: Path) -> NotebookNode:
    """The notebook of a lesson before it is run: with COLAB, stubs, and solutions folded away.

    Raises:
        ValueError: an exercise without solution, or without a cell tagged `check` after it.
    """
    cells: list[NotebookNode] = []
    answer = ""
    for cell in jupytext.read(source, fmt="py:percent").cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            if answer:
                raise ValueError(f"{source}: an exercise has no cell tagged 'check' after it")
            answer = solution(cell.source)
            cell.source = stub(cell.source)
        cells.append(cell)
        if "parameters" in tags:
            cells.append(new_code_cell(COLAB, metadata={"tags": ["colab"]}))
        if "check" in tags:
            cells.append(_folded(answer))
            answer = ""
    if answer:
        raise ValueError(f"{source}: an exercise has no cell tagged 'check' after it")
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = NotebookNode(
        kernelspec=KERNEL,
        language_info=LANGUAGE,
        tagvis_lite={"source_sha256": _sha256(source)},
    )
    _number_cells(notebook)
    _fold(notebook)
    _mark_slides(notebook)
    return notebook


def build(source: Path, target: Path) -> None:
    """Convert, execute and normalise one lesson; `target` is replaced only when it ran through.

    Raises:
        papermill.PapermillExecutionError: a cell raised.
    """
    with tempfile.TemporaryDirectory() as scratch:
        plain, executed = Path(scratch) / "plain.ipynb", Path(scratch) / "executed.ipynb"
        nbformat.write(notebook_from_source(source), plain)
        papermill.execute_notebook(
            plain,
            executed,
            kernel_name=KERNEL["name"],
            cwd=str(target.parent),
            progress_bar=False,
            execution_timeout=600,
        )
        notebook = nbformat.read(executed, as_version=4)
    text = nbformat.writes(normalised(notebook)) + "\n"
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def normalised(notebook: NotebookNode) -> NotebookNode:
    """Drop what changes from run to run or needs a live kernel; GitHub shows what is left."""
    own = notebook.metadata.tagvis_lite
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info=LANGUAGE, tagvis_lite=own)
    for cell in notebook.cells:
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in KEPT and v})
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if not _needs_a_kernel(o)]
    return notebook


def is_current(source: Path, target: Path) -> bool:
    """Whether the notebook was built from the source as it is now."""
    try:
        notebook = json.loads(target.read_text(encoding="utf-8"))
        built_from = notebook["metadata"]["tagvis_lite"]["source_sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
    return bool(built_from == _sha256(source))


def main(only: Sequence[str] = (), force: bool = False) -> None:
    """Build the lessons whose source has changed.

    Args:
        only: numbers of lessons, such as 06; all when not given.
        force: build them even if their source has not changed (after a change of the package).
    """
    for source in lesson_sources():
        target = NOTEBOOKS / f"{source.stem}.ipynb"
        if (only and source.stem[:2] not in only) or (not force and is_current(source, target)):
            continue
        print(f"{source.stem} ...", flush=True)
        build(source, target)


def _needs_a_kernel(output: NotebookNode) -> bool:
    """The picture in place of a live view is an output of its own, which stays."""
    return WIDGET_VIEW in output.get("data", {})


def _sha256(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _folded(answer: str) -> NotebookNode:
    if not answer:
        raise ValueError("a cell tagged 'check' has no exercise before it")
    text = (
        "<details><summary><b>Solution</b></summary>\n\n"
        f"```python\n{answer.rstrip()}\n```\n\n</details>"
    )
    return new_markdown_cell(text, metadata={"tags": ["solution"]})


def _fold(notebook: NotebookNode) -> None:
    """Fold the code of `FOLDED` cells: in JupyterLab, on Colab, and on the site (by MyST's tag)."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and FOLDED & set(tags):
            cell.metadata["jupyter"] = {"source_hidden": True}
            cell.metadata["cellView"] = "form"
            cell.metadata["tags"] = [*tags, "hide-input"]


def _mark_slides(notebook: NotebookNode) -> None:
    """For `nbconvert --to slides`: a heading begins a slide, other text one below it."""
    for cell in notebook.cells:
        if PLUMBING & set(cell.metadata.get("tags", [])):
            cell.metadata["slideshow"] = {"slide_type": "skip"}
        elif cell.cell_type == "markdown":
            heading = cell.source.startswith(("# ", "## "))
            cell.metadata["slideshow"] = {"slide_type": "slide" if heading else "subslide"}


def _number_cells(notebook: NotebookNode) -> None:
    """Cell ids that stay when other cells come and go: a hash of the cell's own text."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


if __name__ == "__main__":
    import tyro

    require_checkout("tagvis_lite.course.build")
    tyro.cli(main)
