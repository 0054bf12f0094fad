"""From a moving pointer to new tags on the live page, in headless Chromium, one thread.

python benchmarks/live_page.py

An object is dragged in strokes. A repaint counts from the oldest move of the pointer that no
earlier repaint had answered: what the visitor waits for, queue and all. Beside it the longest time
for which the page's own thread, which draws and scores, did not answer.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from measuring import record
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))
from live import build

STROKES, MOVES, PAUSE = 3, 45, 1 / 30
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LONG_TASKS = """() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
    .observe({ type: "longtask" });
  performance.clearMeasures();
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None: ...


def drag(page: Page) -> dict[str, Any]:
    """Milliseconds of repaints while the first object is dragged to and fro."""
    page.evaluate(LONG_TASKS)
    box = page.locator("#stage").bounding_box()
    assert box is not None
    for stroke in range(STROKES):
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.28 * box["height"])
        page.mouse.down()
        for k in [*range(MOVES), *range(MOVES, -1, -1)]:
            across = 0.3 + (0.3 if stroke % 2 else 0.1) * k / MOVES
            down = 0.28 + 0.3 * k / MOVES
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            time.sleep(PAUSE / 2)
        page.mouse.up()
    page.wait_for_timeout(1500)
    found = page.evaluate(
        "performance.getEntriesByName('change to tags').map((entry) => entry.duration)"
    )
    return {
        "repaints": len(found),
        "median_ms": float(np.median(found)),
        "p95_ms": float(np.quantile(found, 0.95)),
        "longest_task_of_the_page_ms": max(page.evaluate("window.long"), default=0.0),
    }


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    build(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    results: dict[str, Any] = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function("document.getElementById('stage').dataset.drawn === 'yes'")
        results["first_picture_s"] = time.perf_counter() - start
        page.wait_for_function(
            "document.querySelector('.verdict')?.textContent !== ''", timeout=120_000
        )
        results["first_tags_s"] = time.perf_counter() - start
        for radio in page.locator("#which input").all():
            name = radio.get_attribute("value") or "one"
            if page.locator("#which input").count() > 1:
                radio.check()
                page.wait_for_function(
                    "[...document.querySelectorAll('.loading')].every((node) => node.hidden)",
                    timeout=120_000,
                )
                page.wait_for_timeout(2000)
            results[name] = drag(page)
        results["chromium"] = browser.version
        browser.close()
    server.shutdown()
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    opening = sum(size for name, size in sizes.items() if name != "two.onnx.packed")
    results["bytes_to_open"], results["bytes"] = opening, sum(sizes.values())
    shutil.rmtree(folder)
    print(results)
    record("live_page", results)


if __name__ == "__main__":
    main()
