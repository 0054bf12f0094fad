"""The tag line in a real browser, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import tagging_terms
from tagvis_lite.views import TagLine
from tagvis_lite.views.tag_line import TERMS, scatter


def line(frames: int = 1, instances: int = 3, pixels: int = 4) -> TagLine:
    tags, ids = scatter(instances, frames, pixels)
    alt = "Dots on a line gather around their means and part"
    return TagLine(tags, ids, title="tags gather and part", alt=alt)


def picture(page: Any) -> str:
    return page.evaluate("document.querySelector('canvas').toDataURL()")


def readouts(page: Any) -> list[float]:
    return [float(text) for text in page.locator(".tagvis-terms output").all_inner_texts()]


@pytest.mark.parametrize("frames", [1, 6])
def test_steps_move_dots_and_read_outs(opened: Callable[..., Any], frames: int) -> None:
    view = line(frames)
    page = opened(view)
    before = picture(page)
    for _ in range(5):
        page.get_by_role("button", name="Step").click()
    assert picture(page) != before
    wanted = np.frombuffer(view.terms, np.float32).reshape(len(TERMS), -1)[:, 5]
    np.testing.assert_allclose(readouts(page), [*wanted, wanted.sum()], atol=6e-4)


def test_the_slider_is_moved_by_arrow_keys(opened: Callable[..., Any]) -> None:
    page = opened(line())
    page.get_by_role("slider", name="step").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('step')") == 3


def test_play_runs_to_the_end_and_stops(opened: Callable[..., Any]) -> None:
    page = opened(line())
    page.evaluate("model.set('step', 70)")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for(timeout=10_000)
    assert page.evaluate("model.get('step')") == 80


def test_a_dot_is_moved_by_mouse(opened: Callable[..., Any]) -> None:
    view = line(instances=1, pixels=1)
    page = opened(view)
    box = page.locator("canvas").bounding_box()
    x, y = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          const { data, width, height } = canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height - 34);
          let [sx, sy, n] = [0, 0, 0];
          for (let k = 0; k < width * height; k++)
            if (data[4 * k + 2] > 150 && data[4 * k] < 60 && data[4 * k + 3] > 100)
              [sx, sy, n] = [sx + (k % width), sy + Math.floor(k / width), n + 1];
          return [sx / n, sy / n];
        }"""
    )
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + y)
    page.mouse.up()
    frame, pixel, tag, step = page.evaluate("model.get('moved')")
    start = np.frombuffer(view.way, np.float32)[0]
    assert (frame, pixel, step) == (0, 0, 0)
    assert tag > start
    assert "moved to tag" in page.inner_text(".tagvis-said")


def test_a_dot_is_chosen_and_moved_by_keys(opened: Callable[..., Any]) -> None:
    view = line()
    page = opened(view)
    page.focus("canvas")
    page.keyboard.press("ArrowDown")
    assert "instance 1" in page.inner_text(".tagvis-said")
    page.keyboard.press("ArrowRight")
    frame, pixel, tag, _ = page.evaluate("model.get('moved')")
    assert (frame, pixel) == (0, 1)
    assert tag > np.frombuffer(view.way, np.float32)[1]


def test_switches_tell_the_kernel(opened: Callable[..., Any]) -> None:
    page = opened(line())
    page.get_by_role("checkbox", name="L_tempra").uncheck()
    assert page.evaluate("model.get('on')") == ["spectra", "specter", "temper"]
    page.get_by_label("range").select_option("sigmoid")
    assert page.evaluate("model.get('tag_range')") == "sigmoid"
    page.get_by_role("slider", name="N").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('instances')") == 4


def test_a_new_way_from_the_kernel_is_drawn(opened: Callable[..., Any]) -> None:
    page = opened(line())
    before = picture(page)
    page.evaluate(
        """() => {
          const old = new Float32Array(model.get("way").buffer);
          model.set("way", new DataView(old.map((tag) => -2 * tag).buffer));
        }"""
    )
    assert picture(page) != before


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("frames", [1, 4])
def test_the_loss_follows_a_dot_that_is_dragged(
    opened: Callable[..., Any], frames: int, reduction: str
) -> None:
    """Before it is dropped, and as the package has it."""
    tags, ids = scatter(3, frames, 4)
    view = TagLine(tags, ids, reduction=reduction, title="tags", alt="Dots on a line that part")
    page = opened(view)
    taken = {name: page.evaluate(f"model.get('{name}')") for name in ("moved", "asked")}
    page.evaluate("document.querySelector('canvas').scrollIntoView()")
    page.focus("canvas")
    page.keyboard.press("ArrowRight" if frames > 1 else "ArrowDown")
    page.keyboard.press("ArrowLeft" if frames > 1 else "ArrowUp")
    x, y = ring(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 25)
    shown = readouts(page)
    assert {name: page.evaluate(f"model.get('{name}')") for name in taken} == taken, "not dropped"
    page.mouse.up()
    frame, pixel, tag, _ = page.evaluate("model.get('moved')")
    tags[int(frame), int(pixel)] = tag
    config = LossConfig(reduction=reduction, pixels_per_instance=None)
    wanted = tagging_terms(
        torch.tensor(tags)[None, :, None], torch.tensor(ids)[None, :, None], config
    )
    values = [float(wanted[name]) for name in TERMS]
    np.testing.assert_allclose(shown, [*values, sum(values)], atol=2e-3)


def ring(page: Any) -> tuple[float, float]:
    """Middle of the square around the chosen dot, in the page: what is drawn when it has focus."""
    middle = """() => {
      const canvas = document.querySelector("canvas");
      const pixels = () =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const focused = pixels();
      canvas.blur();
      const plain = pixels();
      let [x0, y0, x1, y1] = [1e9, 1e9, 0, 0];
      for (let k = 0; k < canvas.width * canvas.height; k++)
        if (focused[4 * k + 3] !== plain[4 * k + 3] || focused[4 * k] !== plain[4 * k]) {
          const [x, y] = [k % canvas.width, Math.floor(k / canvas.width)];
          [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
        }
      canvas.focus();
      const box = canvas.getBoundingClientRect();
      return [box.x + (x0 + x1 + 1) / 2, box.y + (y0 + y1 + 1) / 2];
    }"""
    x, y = page.evaluate(middle)
    return float(x), float(y)


def test_a_finger_moves_a_dot_and_the_page_does_not_scroll_along(
    opened: Callable[..., Any],
) -> None:
    page = opened(line(), has_touch=True, height=300)
    page.focus("canvas")
    x, y = ring(page)
    touch = page.context.new_cdp_session(page)
    for kind, by in [("Start", 0), ("Move", 30), ("Move", 80), ("End", None)]:
        points = [] if by is None else [{"x": x + by, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    page.wait_for_function("model.get('moved').length === 4")
    assert page.evaluate("scrollX") == 0
    style = "getComputedStyle(document.querySelector('canvas')).touchAction"
    assert page.evaluate(style) == "pan-y", "a finger that moves up still scrolls"


def test_without_a_kernel_the_reader_is_told(opened: Callable[..., Any]) -> None:
    page = opened(line())
    page.get_by_role("checkbox", name="L_tempra").uncheck()
    assert page.get_by_role("alert").count() == 0
    page.get_by_role("alert").get_by_text("needs a running kernel").wait_for(timeout=10_000)
    page.evaluate("model.set('answered', model.get('asked'))")
    assert page.get_by_role("alert").count() == 0


@pytest.mark.parametrize("frames", [1, 6])
def test_it_is_drawn_anew_in_another_theme(opened: Callable[..., Any], frames: int) -> None:
    page = opened(line(frames))
    assert brightest(page) < 235, "dots alone"
    page.evaluate("document.body.style.colorScheme = 'dark'")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert brightest(page) > 240


def brightest(page: Any) -> int:
    """Of the ink of axes and their numbers, left of the first dot."""
    return int(
        page.evaluate(
            """() => {
              const node = document.querySelector("canvas");
              const { data } = node.getContext("2d").getImageData(0, 0, 47, node.height);
              let most = 0;
              for (let k = 0; k < data.length; k += 4)
                if (data[k + 3] > 200) most = Math.max(most, Math.min(...data.slice(k, k + 3)));
              return most;
            }"""
        )
    )


@pytest.mark.parametrize("width", [320, 400, 820])
def test_it_fits_a_narrow_page_and_text_keeps_its_size(
    opened: Callable[..., Any], width: int
) -> None:
    page = opened(line(frames=6), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    canvas = "document.querySelector('canvas')"
    assert page.evaluate(f"{canvas}.clientWidth / {canvas}.width") == 1, "drawn, not shrunk"
    before = page.evaluate(f"{canvas}.clientWidth")
    page.set_viewport_size({"width": width - 40, "height": 700})
    page.wait_for_function(f"{canvas}.clientWidth < {before} || {before} === 700")


def test_only_plain_keys_stay_in_a_view(opened: Callable[..., Any]) -> None:
    page = opened(line())
    page.evaluate(
        """() => {
          window.heard = [];
          const free = (e) => !e.target.closest("[data-lm-suppress-shortcuts]");
          document.addEventListener("keydown", (e) => free(e) && heard.push(`lab ${e.key}`), true);
          document.addEventListener("keydown", (e) => heard.push(`page ${e.key}`));
        }"""
    )
    page.focus("canvas")
    for key in ("b", "ArrowDown", "Control+s", "Escape", "Shift+Enter"):
        page.keyboard.press(key)
    heard = [text for text in page.evaluate("heard") if text.split()[1] not in ("Control", "Shift")]
    keys = ["s", "Escape", "Enter"]
    assert heard == [f"{who} {key}" for key in keys for who in ("lab", "page")]


def test_it_has_roles_for_screen_readers(opened: Callable[..., Any]) -> None:
    page = opened(line(), dark=True)
    assert page.get_by_role("application", name="tags; arrow keys choose").count() == 1
    colour = page.evaluate("getComputedStyle(document.querySelector('.tagvis')).color")
    assert colour == "rgb(255, 255, 255)"
