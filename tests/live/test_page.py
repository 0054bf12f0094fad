"""The built page in headless Chromium: what it computes, what it weighs, and who can use it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_server import decoded, encoded, serve
from PIL import Image

from tagvis_lite.clips import make_clip, spread_indices
from tagvis_lite.data.toy import toy_split
from tagvis_lite.data.toy_strata import NUM_FRAMES, STRATA, strata
from tagvis_lite.inference import predict_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.runs import load_network, shipped

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from live import NETWORKS, NotBuiltError, build  # noqa: E402

CLIPS = 50

WORKER = """async (file) => {
  const manifest = await (await fetch("manifest.json")).json();
  window.worker = new Worker("worker.js", { type: "module" });
  const network = manifest.networks.find(({ name }) => name === file);
  await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.ready) resolve();
      if (data.failed) reject(new Error(data.failed));
    };
    worker.postMessage({ load: network, runtime: manifest.runtime });
  });
}"""
LOOK = """async ([name, text]) => {
  const frames = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const result = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ job: 1, name, frames, maps: false });
  });
  const encode = (view, $type) => {
    const raw = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    let data = "";
    for (let k = 0; k < raw.length; k += 8192)
      data += String.fromCharCode(...raw.subarray(k, k + 8192));
    return { $type, data: btoa(data) };
  };
  return { tags: encode(result.tags, "float32"), ids: encode(result.instances.ids, "uint8") };
}"""
ANSWERED = "document.querySelector('.verdict')?.textContent !== ''"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built; tests that need it are skipped where it cannot be."""
    for module in ("onnxruntime", "onnxscript"):
        pytest.importorskip(module, reason="the extra `export` is not installed")
    folder = tmp_path_factory.mktemp("live")
    try:
        build(folder)
    except NotBuiltError as reason:
        pytest.skip(str(reason))
    return folder


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    server = serve(folder)
    return next(server) + "/index.html"


@pytest.fixture
def opened(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page and waits for tags; the test fails if the page logged an error."""
    contexts: list[Any] = []
    errors: list[str] = []

    def open_page(
        link: str = "",
        wait: bool = True,
        before: Callable[[Any], None] | None = None,
        **options: Any,
    ) -> Any:
        contexts.append(
            chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        )
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        if before:
            before(page)
        page.goto(address + link)
        if wait:
            page.wait_for_function(ANSWERED, timeout=120_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def settled(page: Any) -> str:
    """What the network says of the scene as it is, once it has answered."""
    page.wait_for_timeout(200)  # the address is written a little later
    page.wait_for_function("document.body.dataset.answered === document.body.dataset.asked")
    return page.inner_text(".verdict")


@pytest.mark.parametrize("name", list(NETWORKS))
def test_tags_and_instances_are_those_of_torch(
    name: str, folder: Path, address: str, chromium: Any
) -> None:
    try:
        weights = shipped(f"checkpoints/{NETWORKS[name][0]}.safetensors")
    except FileNotFoundError:
        pytest.skip(f"no network of {NETWORKS[name][1]} ships")
    network, config = load_network(weights)
    page = chromium.new_page()
    page.goto(address.replace("index.html", "live.css"))
    page.evaluate(WORKER, name)
    kept = spread_indices(NUM_FRAMES, 8)
    for video in chain.from_iterable(strata(CLIPS // len(STRATA)).values()):
        clip = make_clip(video, kept, config.data, config.model.num_classes)
        prediction = predict_clip(network, clip.frames)
        instances = cluster_instances(prediction, config.inference)
        text = encoded(video.read_frames(kept))["data"]
        found = decoded(page.evaluate(LOOK, [name, text]))
        np.testing.assert_allclose(found["tags"], prediction.tags.numpy().ravel(), atol=1e-3)
        # Between two cells of the density's grid the last digit of a tag decides, at an edge.
        differs = np.count_nonzero(found["ids"] != instances.ids.ravel())
        assert differs <= (0 if prediction.tags.ndim == 3 else instances.ids.size // 1000)
        assert found["ids"].max() == len(instances.modes), video.name
    page.close()


def test_the_page_opens_with_at_most_12_megabytes(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    later = {network["file"] for network in manifest["networks"][1:]}  # fetched when asked for
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sum(size for name, size in sizes.items() if name not in later) < 12e6
    assert all(network["bytes"] == sizes[network["file"]] for network in manifest["networks"])


def test_the_first_picture_does_not_wait_for_the_network(opened: Callable[..., Any]) -> None:
    asked: list[str] = []

    def hold(page: Any) -> None:
        page.route("**/*.packed", lambda route: asked.append(route.request.url))

    page = opened(wait=False, before=hold)
    page.wait_for_selector("#stage[data-drawn]", timeout=5000)
    colours = page.evaluate(
        """() => {
          const context = document.getElementById("stage").getContext("2d");
          const { data } = context.getImageData(0, 0, 384, 384);
          return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )
    assert colours > 100
    page.wait_for_selector("progress")
    assert page.locator("h2", has_text="A tag is a number").count() == 1


def test_everything_comes_from_the_same_host(opened: Callable[..., Any], address: str) -> None:
    asked: list[str] = []
    opened(before=lambda page: page.on("request", lambda request: asked.append(request.url)))
    host = address.rsplit("/", 1)[0]
    assert [url for url in asked if not url.startswith((host, "data:", "blob:"))] == []


def test_a_link_restores_the_scene_to_the_pixel(opened: Callable[..., Any]) -> None:
    page = opened()
    page.locator("#gallery").select_option("Four on the move")
    page.focus("#stage")
    for key in ["ArrowRight", "ArrowDown", "PageDown", "ArrowUp", "+"]:
        page.keyboard.press(key)
    page.locator("#frame").fill("5")
    verdict = settled(page)
    page.get_by_role("button", name="Copy a link to this scene").click()
    link = page.url.partition("#")[2]
    shot = "document.getElementById('stage').toDataURL()"
    page.keyboard.press("Tab")
    again = opened(f"#{link}")
    assert settled(again) == verdict
    assert again.evaluate("document.getElementById('frame').value") == "5"
    first = "document.querySelector('.pictures canvas').toDataURL()"
    assert again.evaluate(first) == page.evaluate(first)
    again.focus("#stage")
    again.keyboard.press("PageDown")
    assert again.evaluate(shot) == page.evaluate(shot)


def test_a_link_of_nonsense_opens_the_page(opened: Callable[..., Any]) -> None:
    page = opened("#s=x&t=1e99&o=9,9,9;;-1,NaN&b=,&f=77&n=three")
    assert "found" in settled(page)


def test_objects_are_dragged_and_their_tags_follow(opened: Callable[..., Any]) -> None:
    page = opened()
    settled(page)
    first = "document.querySelector('.pictures canvas').toDataURL()"
    before = page.evaluate(first)
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.28 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"], steps=6)
    page.mouse.up()
    settled(page)
    assert page.evaluate(first) != before
    where = re.search(r"o=1,[\d.]+,0,[\d.]+,([\d.]+),([\d.]+)", page.url)
    assert where is not None
    assert float(where[1]) == pytest.approx(0.4, abs=0.02)
    assert float(where[2]) == pytest.approx(0.5, abs=0.02)


def test_one_number_fails_where_twins_meet(opened: Callable[..., Any]) -> None:
    """The theorem, on the weights that ship, by the page's own button."""
    page = opened()
    assert "2 instances found, 2 there" in settled(page)
    page.get_by_role("button", name="Find where they meet").click()
    page.wait_for_function("document.body.dataset.met === 'yes'", timeout=120_000)
    score = re.search(r"score (\d+) of 100", settled(page))
    assert score is not None
    assert int(score[1]) < 60


def test_clips_of_the_suite_come_with_their_truth(opened: Callable[..., Any]) -> None:
    page = opened()
    assert page.locator("#gallery optgroup").count() == len(STRATA)
    page.locator("#gallery").select_option("swap 1")
    page.wait_for_function("document.body.dataset.answered > 1")
    ids = next(iter(strata(1)["swap"])).read_ids(spread_indices(NUM_FRAMES, 8))
    said = re.search(r"(\d+) there; score (\d+) of 100", settled(page))
    assert said is not None
    assert int(said[1]) == len(np.unique(ids)) - 1
    assert int(said[2]) < 90, "pairs that change places are not named by one number"


def test_attention_is_shown_for_a_pixel(opened: Callable[..., Any]) -> None:
    page = opened()
    page.locator(".pictures canvas").first.focus()
    for key in ["ArrowLeft", "ArrowUp", "Enter"]:
        page.keyboard.press(key)
    page.wait_for_selector("#maps canvas")
    assert page.locator("#maps canvas").count() == 3 * 8
    assert "row 31, column 31 of frame 1" in page.inner_text("#asked")


def test_a_clip_of_ones_own(opened: Callable[..., Any], tmp_path: Path) -> None:
    """Pictures go through the page to the network as they go to the package's."""
    video = toy_split("test", 1)[0]
    for t, frame in enumerate(np.asarray(video.frames)):
        Image.fromarray(frame).save(tmp_path / f"{t}.png")
    page = opened()
    page.set_input_files("#clip", sorted(tmp_path.glob("*.png")))
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    clip = make_clip(video, range(8), config.data, config.model.num_classes)
    found = cluster_instances(predict_clip(network, clip.frames), config.inference)
    page.wait_for_selector("#controls", state="hidden")
    assert f"{len(found.modes)} instance" in settled(page)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    page.set_input_files("#clip", tmp_path / "broken.png")
    page.wait_for_function("document.getElementById('problem').textContent !== ''")
    assert "broken.png is no picture" in page.inner_text("#problem")


def test_the_tour_can_be_done_by_keyboard_alone(opened: Callable[..., Any]) -> None:
    page = opened(viewport={"width": 1280, "height": 1400})
    steps = int(page.inner_text("#tour h2").split(" of ")[1].split(":")[0])
    press, plot = page.keyboard.press, ".pictures .plot"

    def point() -> None:
        """Walk the cross over the tags, from the middle to the corners."""
        page.locator(".pictures canvas").first.focus()
        for key in ["ArrowUp"] * 14 + ["ArrowLeft"] * 16 + ["ArrowDown"] * 28 + ["ArrowRight"] * 26:
            press(key)

    def follow() -> None:
        for t in range(8):
            page.locator("#frame").fill(str(t))
            point()

    def light() -> None:
        page.locator(plot).first.focus()
        for _ in range(40):
            press("ArrowRight")

    def walk() -> None:
        page.focus("#stage")
        for _ in range(5):
            press("Shift+ArrowDown")
            settled(page)

    def move() -> None:
        page.get_by_label("way right").fill("0.5")

    def meet() -> None:
        page.get_by_role("button", name="Find where they meet").focus()
        press("Enter")
        page.wait_for_function("document.body.dataset.met === 'yes'", timeout=120_000)

    def two() -> None:
        page.get_by_label("both, side by side").check()
        loaded = "[...document.querySelectorAll('.loading')].every((node) => node.hidden)"
        page.wait_for_function(loaded, timeout=120_000)
        settled(page)
        meet()

    def own() -> None:
        """A scene that one number cannot solve."""
        page.get_by_role("radio", name="one number").check()
        page.locator("#gallery").select_option("Two alike")
        settled(page)
        meet()
        page.get_by_role("button", name="Copy a link").focus()
        press("Enter")

    doing = {
        "A tag is a number": point,
        "One object, one heap": light,
        "The same tag": follow,
        "Other objects": walk,
        "It survives": move,
        "Where one number": meet,
        "Two numbers": two,
        "Your turn": own,
    }
    for k in range(steps):
        title = page.inner_text("#tour h2")
        settled(page)
        next(act for words, act in doing.items() if words in title)()
        page.wait_for_function(
            "document.querySelector('.state').textContent.startsWith('Done')", timeout=20_000
        )
        if k < steps - 1:
            page.get_by_role("button", name="Next").focus()
            press("Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    opened: Callable[..., Any], serious_violations: Callable[..., Any], scheme: str
) -> None:
    page = opened(color_scheme=scheme, reduced_motion="reduce")
    page.locator(".pictures canvas").first.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_selector("#maps canvas")
    assert serious_violations(page) == []


@pytest.mark.parametrize("width", [400, 640])  # 640 is 1280 at 200 % zoom
def test_nothing_is_cut_off_in_a_narrow_window(opened: Callable[..., Any], width: int) -> None:
    page = opened(viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas, p")]
          .filter((node) => node.checkVisibility())
          .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert outside == []


def test_the_page_answers_while_the_network_thinks(opened: Callable[..., Any]) -> None:
    """No task of the page's own thread takes long, however long the worker's do."""
    page = opened()
    page.evaluate(
        """() => {
          window.gaps = [];
          let last = performance.now();
          setInterval(() => {
            gaps.push(performance.now() - last);
            last = performance.now();
          }, 10);
        }"""
    )
    for turn in range(0, 180, 6):
        page.get_by_label("turn all about the middle").fill(str(turn))
    settled(page)
    assert float(np.quantile(page.evaluate("gaps"), 0.95)) < 150
