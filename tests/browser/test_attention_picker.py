"""The attention picker in a real browser, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tagvis_lite.views import AttentionPicker
from tagvis_lite.views.attention_picker import attention_over_clip

FRAMES, GRID = 3, (4, 5)
ALT = "One position asks and every frame has a map of its own"


def query_and_key() -> Any:
    draws = torch.Generator().manual_seed(0)
    return 2 * torch.randn(2, FRAMES, GRID[0] * GRID[1], 4, generator=draws)


def picker(within: bool = False) -> AttentionPicker:
    query, key = query_and_key()
    maps, shares = attention_over_clip(query, key)
    if within:
        maps, shares = (query @ key.mT / 2).softmax(dim=-1), None
    draws = np.random.default_rng(0)
    frames = draws.integers(0, 256, (FRAMES, 16, 20, 3), dtype=np.uint8)
    options: Any = {"grid": GRID, "frame": 1, "cell": (1, 2), "title": "maps", "alt": ALT}
    return AttentionPicker(frames, maps, shares, **options)


def weights(frame: int, row: int, column: int, *, clip: bool = False) -> np.ndarray:
    """T x S, from the scores by NumPy alone."""
    query, key = (x.numpy().astype(float) for x in query_and_key())
    exponentials = np.exp(key @ query[frame, row * GRID[1] + column] / 2)
    return exponentials / exponentials.sum(None if clip else 1, keepdims=True)


def readouts(page: Any, what: str) -> list[float]:
    texts = page.locator("figcaption span").all_inner_texts()
    return [float(text.split()[1]) for text in texts if text.startswith(what)]


def agrees(page: Any, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(readouts(page, "max"), wanted.max(axis=1), atol=6e-4)
    np.testing.assert_allclose(readouts(page, "sum"), wanted.sum(axis=1), atol=6e-4)
    t, position = np.unravel_index(wanted.argmax(), wanted.shape)
    row, column = divmod(int(position), GRID[1])
    said = page.inner_text(".tagvis-said")
    assert f"looks most at frame {t}, row {row}, column {column}: weight" in said


def drawings(page: Any) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('canvas')].map((c) => c.toDataURL())")


def test_arrow_keys_move_the_position_that_asks(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    agrees(page, weights(1, 1, 2))
    before = drawings(page)
    page.focus("canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    agrees(page, weights(1, 2, 3))
    assert all(a != b for a, b in zip(before, drawings(page), strict=True))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert drawings(page) == before


def test_keys_stop_at_the_edge(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    page.focus("canvas")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("PageDown")
    assert [page.evaluate(f"model.get('{name}')") for name in ("frame", "row", "column")] == [
        2,
        3,
        4,
    ]
    agrees(page, weights(2, 3, 4))


def test_a_click_picks_a_cell(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    box = page.locator("canvas").first.bounding_box()
    page.mouse.click(box["x"] + 4.5 / 5 * box["width"], box["y"] + 0.5 / 4 * box["height"])
    agrees(page, weights(1, 0, 4))
    assert page.evaluate("window.saves") > 0


def test_the_slider_sets_the_frame_that_asks(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    page.get_by_role("slider", name="asking frame").focus()
    page.keyboard.press("ArrowRight")
    agrees(page, weights(2, 1, 2))
    assert "t = 2, asks" in page.locator("figcaption b").all_inner_texts()


def test_one_softmax_over_the_clip(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    page.get_by_label("softmax over").select_option("clip")
    agrees(page, weights(1, 1, 2, clip=True))
    assert sum(readouts(page, "sum")) == pytest.approx(1, abs=2e-3)


def test_each_frame_asks_itself(opened: Callable[..., Any]) -> None:
    page = opened(picker(within=True))
    assert page.locator("figure").count() == 1
    assert not page.get_by_label("softmax over").is_visible()
    for frame in (1, 2):
        own = weights(frame, 1, 2)[frame]
        assert readouts(page, "max") == [pytest.approx(own.max(), abs=6e-4)]
        assert f"looks most at frame {frame}, " in page.inner_text(".tagvis-said")
        page.get_by_role("slider", name="asking frame").focus()
        page.keyboard.press("ArrowRight")


def test_the_brightest_cell_has_the_largest_weight(opened: Callable[..., Any]) -> None:
    page = opened(picker(within=True))
    share_of_red = page.evaluate(
        """([rows, columns]) => {
          const canvas = document.querySelectorAll("canvas")[1];
          const context = canvas.getContext("2d");
          const colours = [];
          for (let k = 0; k < rows * columns; k++) {
            const x = ((k % columns) + 0.5) * canvas.width / columns;
            const y = (Math.floor(k / columns) + 0.5) * canvas.height / rows;
            const [red, , blue] = context.getImageData(x, y, 1, 1).data;
            colours.push(red - blue);
          }
          return colours;
        }""",
        list(GRID),
    )
    own = weights(1, 1, 2)[1]
    np.testing.assert_allclose(np.array(share_of_red) / 255, own / own.max(), atol=0.02)


def test_it_has_names_for_screen_readers(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    assert page.get_by_role("group", name="One position asks").count() == 1
    assert page.get_by_role("application", name="position that asks").count() == 1
    assert page.get_attribute(".tagvis-said", "aria-live") == "polite"


def test_it_fits_a_narrow_page_and_takes_a_finger(opened: Callable[..., Any]) -> None:
    page = opened(picker(), dark=True, width=400, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    colour = page.evaluate("getComputedStyle(document.querySelector('figcaption')).color")
    assert colour == "rgb(255, 255, 255)"
    box = page.locator("canvas").first.bounding_box()
    page.touchscreen.tap(box["x"] + 4.5 / 5 * box["width"], box["y"] + 0.5 / 4 * box["height"])
    agrees(page, weights(1, 0, 4))
    style = "getComputedStyle(document.querySelector('canvas')).touchAction"
    assert page.evaluate(style) == "none"


def test_the_kernel_can_pick_too(opened: Callable[..., Any]) -> None:
    page = opened(picker())
    page.evaluate("model.set('row', 3)")
    agrees(page, weights(1, 3, 2))
