"""The tag line in a real browser, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.views import TagLine
from tagvis_lite.views.tag_line import TERMS, scatter


def line(frames: int = 1, instances: int = 3, pixels: int = 4) -> TagLine:
    tags, ids = scatter(instances, frames, pixels)
    alt = "Dots on a line gather around their means and part"
    return TagLine(tags, ids, title="tags gather and part", alt=alt)


def picture(page: Any) -> str:
    return page.evaluate("document.querySelector('canvas').toDataURL()")


def readouts(page: Any) -> list[float]:
    return [float(text) for text in page.locator("td").all_inner_texts()]


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


def test_dark_theme_writes_in_light_ink(opened: Callable[..., Any]) -> None:
    page = opened(line(), dark=True)
    colour = page.evaluate("getComputedStyle(document.querySelector('.tagvis')).color")
    assert colour == "rgb(255, 255, 255)"
