"""The views in a real JupyterLab: they open, answer keys, reach the kernel, and outlive it.

Screenshots are kept in build/screenshots.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
CELLS = [
    """from tagvis_lite.course import explore, show, subplots

def draw(figure, slope):
    axis = figure.subplots()
    axis.plot([0, 1], [0, slope])

alt = "Three lines from a flat one to a steep one"
figure, axis = subplots()
axis.set_title("a plot")
show(figure, alt="A plot of nothing at all, on white")
explore(draw, [1, 2, 3], label="slope", title="steeper", alt=alt)""",
    """from tagvis_lite.views import TagLine
from tagvis_lite.views.tag_line import scatter

TagLine(*scatter(3), title="tags part", alt="Dots on a line gather and then part")""",
    """import numpy as np
import torch
from tagvis_lite.config import InferenceConfig
from tagvis_lite.video import Prediction
from tagvis_lite.views import TagSpace

tags = torch.zeros(6, 32, 32)
tags[:, :, 16:] = 2
logits = torch.full((2, 6, 32, 32), 2.0)
logits[0, :, 8:24, 4:28] = -2
frames = np.full((6, 32, 32, 3), 120, np.uint8)
alt = "Two objects with tags of zero and of two"
TagSpace(frames, Prediction(tags, logits), InferenceConfig(), title="two heaps", alt=alt)""",
    """from tagvis_lite.views import AttentionPicker

maps = np.full((6, 16, 6, 16), 1 / 16)
maps[:, 3] = np.eye(16)[3]
alt = "Position three looks at itself, all others everywhere"
AttentionPicker(frames, maps, grid=(4, 4), title="one looks at itself", alt=alt)""",
    """from tagvis_lite.views import Change, MaskEditor

truth = np.zeros((40, 40), bool)
truth[12:28, 12:28] = True
alt = "A square and a mask that is moved over it"
MaskEditor(truth, changes=[Change(4)], title="four to the right", alt=alt)""",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab on a free port, with one notebook and without pop-ups; its address."""
    pytest.importorskip("jupyterlab")
    folder = tmp_path_factory.mktemp("lab")
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, folder / "views.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    options = ["--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    options += [f"--port={port}", "--ServerApp.token=", "--ServerApp.password="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment,
            stdout=log,
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{address}/api/status", process, folder / "log")
            yield address
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def lab(chromium: Any, server: str) -> Iterator[Any]:
    """The notebook in JupyterLab with all cells run; tests fail if the page logged an error."""
    errors: list[str] = []
    page = chromium.new_page(viewport={"width": 1100, "height": 3300})
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(f"{server}/doc/tree/views.ipynb", timeout=60_000)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(".tagvis").nth(len(CELLS) - 1).wait_for(timeout=60_000)
        yield page
    finally:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "jupyterlab.png")
        page.close()
    assert errors == []


def test_a_player_turns_by_keys(lab: Any) -> None:
    book = lab.locator(".tagvis").nth(0)
    before = book.locator("img").get_attribute("src")
    book.get_by_role("slider").focus()
    lab.keyboard.press("ArrowRight")
    assert book.locator("img").get_attribute("src") != before
    assert book.locator("output").inner_text() == "3"


def test_the_kernel_rolls_tags_again(lab: Any) -> None:
    line = lab.locator(".tagvis").nth(1)
    steps = line.get_by_role("button", name="Step")
    for _ in range(4):
        steps.click()
    assert line.locator("output").first.inner_text() == "4"
    cells = line.locator(".tagvis-terms output")
    before = cells.all_inner_texts()
    line.get_by_role("slider", name="N").focus()
    lab.keyboard.press("ArrowRight")
    _until(lambda: cells.all_inner_texts() != before)
    assert line.locator("output").first.inner_text() == "0"


def test_the_kernel_clusters_again(lab: Any) -> None:
    space = lab.locator(".tagvis").nth(2)
    legend = space.locator(".tagvis-row").last
    assert legend.locator("> span").count() == 2
    space.get_by_role("slider", name="bandwidth").focus()
    lab.keyboard.press("End")
    _until(lambda: legend.locator("> span").count() == 1)


def test_a_position_is_picked_by_keys(lab: Any) -> None:
    picker = lab.locator(".tagvis").nth(3)
    before = picker.inner_text()
    picker.locator("canvas").first.focus()
    for _ in range(3):
        lab.keyboard.press("ArrowRight")
    assert picker.inner_text() != before


def test_a_mask_is_moved_by_keys(lab: Any) -> None:
    editor = lab.locator(".tagvis").nth(4)
    before = editor.inner_text()
    editor.locator("canvas").first.focus()
    lab.keyboard.press("ArrowLeft")
    assert editor.inner_text() != before


def test_a_page_that_is_opened_again_shows_the_view(lab: Any, server: str) -> None:
    """Large traits are not in the state of a view; the browser asks for them once more."""
    lab.get_by_role("menuitem", name="File", exact=True).click()
    lab.get_by_role("menuitem", name="Save Notebook").first.click()
    lab.wait_for_function("!document.querySelector('.jp-mod-dirty')", timeout=20_000)
    other = lab.context.browser.new_page(viewport={"width": 1100, "height": 900})
    other.goto(f"{server}/doc/tree/views.ipynb", timeout=60_000)
    other.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
    other.locator(".tagvis img").first.wait_for(timeout=60_000)
    other.close()


def test_pictures_have_their_texts_and_hide_behind_live_views(lab: Any) -> None:
    images = lab.locator(".jp-OutputArea-output img")
    texts = [image.get_attribute("alt") for image in images.all()]
    assert all(texts)
    assert "A plot of nothing at all, on white" in texts
    visible = [image.is_visible() for image in lab.locator(".tagvis-still img").all()]
    assert visible == [False] * len(CELLS)


def test_a_notebook_opened_without_its_kernel_shows_pictures(lab: Any, server: str) -> None:
    """As after a restart of the machine: views are gone, and nothing says that a widget is dead."""
    for session in json.loads(_get(f"{server}/api/sessions")):
        assert session["notebook"]["path"] == "views.ipynb"
    notebook = nbformat.from_dict(json.loads(_get(f"{server}/api/contents/views.ipynb"))["content"])
    kinds = [set(o.get("data", {})) for cell in notebook.cells for o in cell.outputs]
    assert sum("application/vnd.jupyter.widget-view+json" in kind for kind in kinds) == len(CELLS)
    _put(lab, f"{server}/api/contents/later.ipynb", {"type": "notebook", "content": notebook})
    page = lab.context.browser.new_page(viewport={"width": 1100, "height": 3300})
    page.goto(f"{server}/doc/tree/later.ipynb", timeout=60_000)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
    page.wait_for_timeout(1500)  # long enough for a message of the widget manager
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "reopened.png")
    stills = page.locator(".tagvis-still img")
    assert [image.is_visible() for image in stills.all()] == [True] * len(CELLS)
    assert page.get_by_text("Error displaying widget").filter(visible=True).count() == 0
    assert page.get_by_text("Loading widget").filter(visible=True).count() == 0
    page.close()


def test_shortcuts_work_while_a_view_has_the_focus(lab: Any) -> None:
    lab.locator(".tagvis").nth(1).locator("canvas").focus()
    before = lab.evaluate("performance.now()")
    lab.keyboard.press("Control+s")
    saved = "(s) => performance.getEntriesByType('resource').some((e) => " + (
        "e.startTime > s && e.name.includes('/api/contents/views.ipynb'))"
    )
    lab.wait_for_function(saved, arg=before, timeout=20_000)


def test_the_keys_of_a_view_do_not_edit_the_notebook(lab: Any) -> None:
    line = lab.locator(".tagvis").nth(1)
    line.locator("canvas").focus()
    number = lab.locator(".jp-Notebook .jp-Cell").count()
    for key in ("b", "a", "d", "d", "x"):
        lab.keyboard.press(key)
    assert lab.locator(".jp-Notebook .jp-Cell").count() == number


def test_views_move_after_the_kernel_has_stopped(lab: Any, server: str) -> None:
    """Last, for it stops the kernel."""
    for kernel in json.loads(_get(f"{server}/api/kernels")):
        lab.evaluate(
            """async ([address, id]) => {
              const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? "";
              await fetch(`${address}/api/kernels/${id}`,
                { method: "DELETE", headers: { "X-XSRFToken": token } });
            }""",
            [server, kernel["id"]],
        )
    _until(lambda: json.loads(_get(f"{server}/api/kernels")) == [])
    book, line = lab.locator(".tagvis").nth(0), lab.locator(".tagvis").nth(1)
    book.get_by_role("slider").focus()
    lab.keyboard.press("Home")
    assert book.locator("output").inner_text() == "1"
    before = line.locator(".tagvis-terms output").all_inner_texts()
    line.get_by_role("slider", name="step").focus()
    for _ in range(5):
        lab.keyboard.press("ArrowRight")
    assert line.locator(".tagvis-terms output").all_inner_texts() != before
    space = lab.locator(".tagvis").nth(2)
    space.get_by_role("slider", name="frame").focus()
    lab.keyboard.press("End")
    assert space.locator("output").first.inner_text() == "5"


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        try:
            _get(address)
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.25)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def _put(page: Any, address: str, content: Any) -> None:
    status = page.evaluate(
        """async ([address, content]) => {
          const token = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? "";
          const headers = { "X-XSRFToken": token, "Content-Type": "application/json" };
          const body = JSON.stringify(content);
          return (await fetch(address, { method: "PUT", headers, body })).status;
        }""",
        [address, content],
    )
    assert status in (200, 201)


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()


def _until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
