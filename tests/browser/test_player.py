"""The player in a real browser, without a kernel: a clip that plays, or pages behind a slider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.views import Player, play
from tagvis_lite.views.picture import Picture, webp

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
PAGES = [np.full((60, 80, 3), colour, np.uint8) for colour in COLOURS]


def pages(fps: float = 0, **traits: Any) -> Player:
    picture = Picture(webp(PAGES[:1]), "Four plain pages in red, green and others", 40)
    names = ["red", "green", "blue", "yellow"]
    files = [webp([page]) for page in PAGES]
    return Player(
        files, names, label="colour", title="Four colours", picture=picture, fps=fps, **traits
    )


def shown_colour(page: Any) -> tuple[int, ...]:
    return tuple(
        page.evaluate(
            """async () => {
              const image = document.querySelector("img");
              await image.decode();
              const canvas = document.createElement("canvas");
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              return Array.from(context.getImageData(5, 5, 1, 1).data.slice(0, 3));
            }"""
        )
    )


def at(page: Any) -> int:
    return int(page.evaluate("model.get('page')"))


def test_pages_turn_by_keys_slider_and_buttons(opened: Callable[..., Any]) -> None:
    page = opened(pages())
    assert page.inner_text(".tagvis-title") == "Four colours"
    assert page.get_by_role("button", name="Play").count() == 0, "they do not follow in time"
    assert shown_colour(page) == COLOURS[0]
    page.focus("input[type=range]")
    page.keyboard.press("ArrowRight")
    assert (at(page), shown_colour(page), page.inner_text("output")) == (1, COLOURS[1], "green")
    page.get_by_role("button", name="one on").click()
    page.focus("img")
    page.keyboard.press("End")
    assert (at(page), shown_colour(page)) == (3, COLOURS[3])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert at(page) == 2
    assert "colour: blue" in page.get_attribute("img", "aria-label")
    page.evaluate("model.set('page', 0)")
    assert shown_colour(page) == COLOURS[0], "the kernel can turn a page too"
    assert page.evaluate("document.querySelector('img').clientWidth") == 40, "half its pixels"


def test_a_clip_plays_loops_and_stops(opened: Callable[..., Any]) -> None:
    page = opened(pages(fps=20))
    page.wait_for_function("(window.seen ??= new Set()).add(model.get('page')).size === 4")
    page.get_by_role("button", name="Pause").click()
    rest = at(page)
    page.wait_for_timeout(200)
    assert at(page) == rest
    assert page.evaluate("window.saves ?? 0") == 0, "playing does not talk to the kernel"
    page.focus("img")
    page.keyboard.press(" ")
    page.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play").wait_for()
    assert at(page) == 0


def test_speed_is_chosen(opened: Callable[..., Any]) -> None:
    page = opened(pages(fps=8))
    turns = """async () => {
      let turns = 0;
      model.on("change:page", () => turns++);
      await new Promise((done) => setTimeout(done, 1000));
      return turns;
    }"""
    page.get_by_label("speed").select_option("0.25")
    slow = page.evaluate(turns)
    page.get_by_label("speed").select_option("2")
    assert slow <= 4 < 9 <= page.evaluate(turns)


def test_who_asked_for_no_motion_gets_none(opened: Callable[..., Any]) -> None:
    page = opened(pages(fps=20), reduced_motion="reduce")
    page.wait_for_timeout(200)
    assert at(page) == 0
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.get('page') > 0")


def test_a_finger_goes_through_a_clip_and_a_tap_stops_it(opened: Callable[..., Any]) -> None:
    page = opened(pages(fps=4), has_touch=True, reduced_motion="reduce")
    box = page.locator("img").bounding_box()
    assert page.evaluate("getComputedStyle(document.querySelector('img')).touchAction") == "pan-y"
    y = box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, x in [("Start", 0.1), ("Move", 0.5), ("Move", 0.9), ("End", None)]:
        points = [] if x is None else [{"x": box["x"] + x * box["width"], "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    page.wait_for_function("model.get('page') === 3")
    page.touchscreen.tap(box["x"] + 10, y)
    page.get_by_role("button", name="Pause").wait_for()
    page.touchscreen.tap(box["x"] + 10, y)
    page.get_by_role("button", name="Play").wait_for()


def test_pages_are_asked_for_and_in_no_notebook(opened: Callable[..., Any]) -> None:
    assert "pages" not in pages().get_state()
    page = opened(pages(), without=["pages"])
    assert page.evaluate("sent") == [{"wanted": "heavy"}]
    assert page.locator(".tagvis").count() == 0, "the picture stays until they are here"
    page.evaluate(
        "bytes => model.set('pages', bytes.map((b) => new Uint8Array(b)))",
        [list(webp([PAGES[2]]))] * 4,
    )
    assert shown_colour(page) == COLOURS[2]


@pytest.mark.parametrize("dark", [False, True])
def test_a_clip_of_arrays(opened: Callable[..., Any], dark: bool) -> None:
    clip = np.zeros((3, 32, 32, 3), np.uint8)
    alt = "A black square that does not change"
    page = opened(play({"frames": clip}, title="Nothing moves", alt=alt), dark=dark)
    assert page.get_by_role("group", name="Nothing moves. A black square").count() == 1
    assert page.locator("img").bounding_box()["width"] == 192
