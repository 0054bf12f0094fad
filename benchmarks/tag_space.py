"""How soon the tag space answers: a new picture after a key press, and clustering again.

    python benchmarks/tag_space.py

*Key press*: headless Chromium, no kernel. A clip of 32 frames in which over 5,000 pixels a frame
belong to objects; the frame slider moves, and the time runs from its event to the end of the next
animation frame, when the picture stands. *Clustering*: `recluster` on 32 x 112 x 112 tags of 5
objects, as a slider asks for it, with 5 classes as in toy and 41 as on YouTube-VIS; *reading* is
what the view does once before it.

Milliseconds, medians over presses and repeats; the aims are absolute (100 and 150), so these are no
ratios and hold for the machine that is named. Writes benchmarks/results/tag_space.json.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import record
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
from conftest import FLAGS, page_of

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances import prepare
from tagvis_lite.video import Prediction
from tagvis_lite.views import TagSpace
from tagvis_lite.views.tag_space import recluster

PRESS = """async () => {
  const slider = document.querySelector('input[type="range"]');
  const start = performance.now();
  slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
  slider.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""


def prediction(side: int, radius: int, classes: int = 5) -> Prediction:
    """Five discs that drift over 32 frames, tags 3 apart."""
    draws = np.random.default_rng(0)
    ids = np.zeros((32, side, side), int)
    rows, columns = np.ogrid[:side, :side]
    for n in range(5):
        centre = np.array([(0.2 + 0.15 * n) * side, (0.25 + 0.12 * n) * side])
        for t in range(32):
            y, x = centre + 0.1 * side * np.array([np.sin(t / 5 + n), np.cos(t / 7 + n)])
            ids[t][(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = n + 1
    logits = draws.normal(0, 1, (classes, *ids.shape))
    logits[0] += np.log(classes) + np.where(ids == 0, 3.0, -6.0)
    tags = torch.tensor(3.0 * ids + draws.normal(0, 0.3, ids.shape), dtype=torch.float32)
    return Prediction(tags, torch.tensor(logits, dtype=torch.float32))


def key_presses(presses: int) -> dict[str, Any]:
    shown = prediction(112, 22)
    per_frame = int((shown.semantic_logits.argmax(0) > 0).sum()) // 32
    frames = np.random.default_rng(0).integers(0, 255, (32, 224, 224, 3), dtype=np.uint8)
    alt = "A clip of thirty-two frames with five discs in it"
    view = TagSpace(frames, shown, InferenceConfig(), title="five heaps", alt=alt)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 820, "height": 760})
        file = Path(folder) / "view.html"
        file.write_text(page_of(view), encoding="utf-8")
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-ready]")
        first = [page.evaluate(PRESS) for _ in range(32)]
        again = [page.evaluate(PRESS) for _ in range(presses)]
        browser.close()
    return {
        "points_per_frame": per_frame,
        "first_round_ms": statistics.median(first),
        "key_press_ms": statistics.median(again),
    }


def clustering(classes: int, repeats: int) -> dict[str, float]:
    shown, config = prediction(112, 13, classes), InferenceConfig()
    reading, seconds = [], []
    for k in range(repeats + 1):
        start = time.perf_counter()
        read = prepare(shown)
        between = time.perf_counter()
        recluster(read, config, 0.5, 0.5 + 0.01 * k)
        reading.append(between - start)
        seconds.append(time.perf_counter() - between)
    return {
        f"reading_ms, {classes} classes": 1e3 * statistics.median(reading[1:]),
        f"clustering_ms, {classes} classes": 1e3 * statistics.median(seconds[1:]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    values = {
        "repeats": repeats,
        **key_presses(repeats),
        **clustering(5, repeats),
        **clustering(41, repeats),
    }
    record("tag_space", values)
    for name, value in values.items():
        print(f"{name:<28}{value:10.1f}")


if __name__ == "__main__":
    main()
