"""The flip book in a real browser, without a kernel."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tagvis_lite.views import FlipBook


def page_of(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, "PNG")
    return buffer.getvalue()


PAGES = [page_of((255, 0, 0)), page_of((0, 255, 0)), page_of((0, 0, 255))]


def book(**traits: Any) -> FlipBook:
    alt = "Three plain pages in red, green and blue"
    return FlipBook(
        PAGES, ["red", "green", "blue"], label="colour", picture=PAGES[0], alt=alt, **traits
    )


def shown_colour(page: Any) -> list[int]:
    return page.evaluate(
        """async () => {
          const image = document.querySelector("img");
          await image.decode();
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return Array.from(context.getImageData(5, 5, 1, 1).data.slice(0, 3));
        }"""
    )


def test_arrow_keys_turn_the_pages_without_a_kernel(opened: Callable[..., Any]) -> None:
    page = opened(book())
    assert shown_colour(page) == [255, 0, 0]
    page.focus("input[type=range]")
    page.keyboard.press("ArrowRight")
    assert shown_colour(page) == [0, 255, 0]
    assert page.inner_text("output") == "green"
    assert page.get_attribute("img", "alt") == "colour: green"
    page.keyboard.press("End")
    assert shown_colour(page) == [0, 0, 255]
    assert page.evaluate("model.get('page')") == 2


def test_the_kernel_can_turn_a_page_too(opened: Callable[..., Any]) -> None:
    page = opened(book(page=1))
    assert shown_colour(page) == [0, 255, 0]
    page.evaluate("model.set('page', 2)")
    assert shown_colour(page) == [0, 0, 255]
    assert page.inner_text("output") == "blue"


def test_it_has_a_name_for_screen_readers(opened: Callable[..., Any]) -> None:
    page = opened(book(), dark=True)
    assert page.get_by_role("group", name="Three plain pages in red").count() == 1
    assert page.get_by_role("slider", name="colour").get_attribute("aria-valuetext") == "red"


def test_pages_are_asked_for_and_in_no_notebook(opened: Callable[..., Any]) -> None:
    assert "pages" not in book().get_state()
    page = opened(book(), without=["pages"])
    assert page.evaluate("sent") == [{"wanted": "heavy"}]
    assert page.locator("img").count() == 0
    page.evaluate(
        "bytes => model.set('pages', bytes.map((b) => new Uint8Array(b)))", [list(PAGES[2])] * 3
    )
    assert shown_colour(page) == [0, 0, 255]


def test_pages_and_names_must_match() -> None:
    with pytest.raises(ValueError, match="1 pages and 2 names"):
        FlipBook(
            PAGES[:1], ["a", "b"], label="x", picture=PAGES[0], alt="six words are the least here"
        )
