"""The site is complete, leads nowhere that is not there, and needs nothing from another host."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
MISSING = [
    name for name in ("sphinx", "myst_nb", "furo", "math_core", "ziamath") if not find_spec(name)
]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """What a page names, refers to and shows."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[dict[str, str]] = []
        self.formulas = 0
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.loaded += [value for name, value in found.items() if (tag, name) in LOADED]
        if tag == "img":
            self.images.append(found)
        self.formulas += tag == "math"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` does: every warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", "docs", "-W", "--keep-going"]
    command += ["-q", "-d", str(folder / "doctrees"), ".", str(folder / "site")]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def stored_texts(lesson: str) -> Iterator[str]:
    """The text of each picture that a notebook stores: of a figure, or of a live view."""
    notebook = json.loads((ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            stored = "".join(output.get("data", {}).get("text/html", ""))
            yield from map(html.unescape, re.findall(r'<img alt="([^"]*)"', stored))


def test_documents_are_there(site: Path) -> None:
    assert (site / "index.html").is_file()
    for name in ("index", "gallery", "ledger", "decisions", "report", "api"):
        assert (site / "docs" / f"{name}.html").is_file(), name


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_shows_its_stored_figures_and_their_texts(
    lesson: str, site: Path, pages: dict[Path, Page]
) -> None:
    page = pages[site / "notebooks" / f"{lesson}.html"]
    stored = list(stored_texts(lesson))
    shown = [image["alt"] for image in page.images]
    assert [alt for alt in shown if alt in stored] == stored


def test_gallery_has_one_entry_per_lesson(site: Path, pages: dict[Path, Page]) -> None:
    page = pages[site / "docs" / "gallery.html"]
    text = (site / "docs" / "gallery.html").read_text(encoding="utf-8")
    entries = re.findall(r'<p class="gallery-entry"><a [^>]*href="([^"]+)"><img ', text)
    assert entries == [f"../notebooks/{lesson}.html" for lesson in LESSONS]
    assert len(page.images) == len(LESSONS)


def test_names_in_the_ledger_lead_to_the_api(site: Path, pages: dict[Path, Page]) -> None:
    for name in ("losses.spectra_loss", "model.network.TagVIS"):
        link = f"api/method.html#tagvis_lite.{name}"
        assert link in pages[site / "docs" / "ledger.html"].links


def test_api_has_every_module(site: Path, pages: dict[Path, Page]) -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "tagvis_lite").rglob("*.py")
        if not path.name.startswith("__") and path.parent.name != "checks"
    }
    described = {i for page in pages.values() for i in page.ids if i.startswith("module-")}
    assert {f"module-{name}" for name in modules} - described == set()


def test_every_image_has_a_text(pages: dict[Path, Page]) -> None:
    images = [(file.name, image) for file, page in pages.items() for image in page.images]
    assert [(name, image["src"]) for name, image in images if len(image.get("alt", "")) < 10] == []


def test_formulas_are_drawn(site: Path, pages: dict[Path, Page]) -> None:
    for lesson in LESSONS:
        source = (ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8")
        if "$$" in source:
            assert pages[site / "notebooks" / f"{lesson}.html"].formulas > 0, lesson


def test_nothing_comes_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        hosts = [url for url in page.loaded if urlsplit(url).netloc]
        assert hosts == [], file
    for file in site.rglob("*.css"):
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//[^)]*", text) == [], file


def test_every_internal_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for file, page in pages.items():
        for url in {*page.links, *page.loaded}:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = unquote(parts.fragment)
            lacks_anchor = anchor and target in pages and anchor not in pages[target].ids
            if not target.is_file() or lacks_anchor:
                broken.append((file.name, url))
    assert broken == []


def test_code_can_be_scrolled_by_keyboard_and_switches_say_their_state(site: Path) -> None:
    text = (site / "notebooks" / f"{LESSONS[0]}.html").read_text(encoding="utf-8")
    assert '<div class="highlight"><pre tabindex="0">' in text
    assert '<div class="highlight"><pre>' not in text
    assert 'role="switch"' not in text


KINDS = [
    "docs/index",
    "docs/gallery",
    "docs/decisions",
    "docs/report",
    "docs/live",
    "docs/api/method",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    site: Path, chromium: Any, serious_violations: Callable[..., Any], scheme: str
) -> None:
    """A page of each kind, and three lessons: the first, one with live views, the longest."""
    longest = max(LESSONS, key=lambda name: (site / "notebooks" / f"{name}.html").stat().st_size)
    live = next(name for name in LESSONS if "explorer" in name or "video" in name)
    page = chromium.new_page(color_scheme=scheme, reduced_motion="reduce")
    found = {}
    for name in [
        *KINDS,
        *(f"notebooks/{name}" for name in (LESSONS[0], live, longest)),
    ]:
        page.goto((site / f"{name}.html").as_uri())
        if violations := serious_violations(page):
            found[name] = violations
    page.close()
    assert found == {}
