"""One browser for all tests of a process: Playwright starts no second driver beside the first."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; tests that need one are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    path = path or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serious_violations() -> Callable[[Any], list[tuple[str, list[str]]]]:
    """What axe-core finds on a page that keeps people out: its rule, and the elements."""
    pytest.importorskip("axe_playwright_python")
    script = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def look(page: Any) -> list[tuple[str, list[str]]]:
        page.evaluate(script)
        return [
            (found["id"], [node["html"] for node in found["nodes"]])
            for found in page.evaluate("axe.run()")["violations"]
            if found["impact"] in ("serious", "critical")
        ]

    return look
