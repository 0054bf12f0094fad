"""The demo: its page is well-formed, says what was measured, and can be made again."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from tiny_network import save_tiny

from tagvis_lite.__main__ import main
from tagvis_lite.commands import demo

SUMMARY = 'random weights <of> a "tiny" network & nobody\'s record'
VOID_ELEMENTS = {"meta", "img", "source", "br", "hr"}


class Page(HTMLParser):
    """Collects what a reader sees, and refuses elements that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1].append(data)
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for the folder of shipped files."""
    folder = tmp_path_factory.mktemp("shipped")
    save_tiny(folder / "checkpoints" / "toy.safetensors")
    (folder / "checkpoints" / "toy.json").write_text(json.dumps({"summary": SUMMARY}))
    return folder


@pytest.fixture(autouse=True)
def _shipped(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "shipped", lambda name: files / name)


@pytest.fixture(scope="module")
def page(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "shipped", lambda name: files / name)
        return demo.demo(tmp_path_factory.mktemp("demo") / "new" / "run", 2)


def test_the_page_is_html_with_pictures_that_can_be_seen_and_heard(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"&(?!\w+;|#\w+;)", text), "an ampersand that is no entity"
    parsed = Page(text)
    assert len(parsed.images) == 1 + 2
    for image in parsed.images:
        assert len((image["alt"] or "").split()) > 5
        kind, encoded = (image["src"] or "").split(",")
        assert kind == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as picture:
            assert min(picture.size) > 100
            assert picture.n_frames == (4 if image is parsed.images[0] else 1), "the first plays"
    assert len({image["src"] for image in parsed.images}) == 3
    assert parsed.text.index("Every pixel gets a number") < parsed.text.index("J&F-Mean")
    assert text.count("<main>") == text.count("<figcaption>") == 1
    assert '<meta name="viewport"' in text
    assert "color-scheme: light dark" in text


def test_the_page_says_which_weights_and_videos(page: Path) -> None:
    text = Page(page.read_text(encoding="utf-8")).text
    assert SUMMARY in text
    assert "toy.safetensors" in text
    assert "2 held-out toy videos" in text
    assert re.search(r"torch \d.*Python \d.*\d{4}-\d\d-\d\d", text)


def test_numbers_on_the_page_are_those_of_evaluate(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = page.parent
    main(
        [
            *("evaluate", "davis", str(root / "toy"), str(root / "predictions"), "--split", "test"),
            *("--processes", "1"),
        ]
    )
    lines = capsys.readouterr().out.strip().split("\n")
    names, values = ([c.strip() for c in line.strip("|").split("|")] for line in lines[-3::2])
    assert names[0] == "J&F-Mean"
    rows = Page(page.read_text(encoding="utf-8")).rows
    assert [row[:2] for row in rows] == [list(row) for row in zip(names, values, strict=True)]
    assert all(len(row[2].split()) > 3 for row in rows), "a key to every score"


def test_the_folder_holds_what_the_page_is_made_of(page: Path) -> None:
    root = page.parent
    for name in ("toy-test-00000", "toy-test-00001"):
        assert (root / "predictions" / "overlays" / f"{name}.mp4").stat().st_size > 0
        assert len(list((root / "predictions" / "davis" / name).glob("*.png"))) == 8
        assert (root / "figures" / f"{name}.webp").exists()
    assert (root / "figures" / "clip.webp").stat().st_size < 500_000


def test_a_second_demo_shows_the_weights_of_now(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    main(["demo", "--out", str(out), "--videos", "2"])
    first = (out / "predictions" / "run.json").read_text()
    (out / "index.html").unlink()  # as if it had been killed
    (out / "mine.txt").write_text("a note of the user's")
    weights = files / "checkpoints" / "toy.safetensors"
    before = weights.read_bytes()
    try:
        save_tiny(weights, seed=1)
        main(["demo", "--out", str(out), "--videos", "1"])
    finally:
        weights.write_bytes(before)
    printed = capsys.readouterr().out.strip().split("\n")[-1]
    assert printed == f"Open {(out / 'index.html').resolve().as_uri()}"
    assert (out / "predictions" / "run.json").read_text() != first
    assert len(Page((out / "index.html").read_text(encoding="utf-8")).images) == 2
    assert sorted(p.name for p in (out / "predictions" / "davis").iterdir()) == ["toy-test-00000"]
    assert (out / "mine.txt").exists()


def test_files_that_are_not_of_a_demo_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "data.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="not of `tagvis demo`") as caught:
        demo.demo(tmp_path, 1)
    assert str(tmp_path) in str(caught.value)
    assert [p.name for p in tmp_path.rglob("*")] == ["toy", "data.txt"]


def test_a_demo_of_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        demo.demo(tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()


def test_missing_weights_are_named_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "shipped", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"toy\.(json|safetensors)"):
        demo.demo(tmp_path / "run", 1)
    assert not (tmp_path / "run").exists()
