"""The mask editor in a real browser, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagvis_lite.evaluation.mask_scores import mask_scores
from tagvis_lite.views import Change, MaskEditor
from tagvis_lite.views.mask_editor import (
    KIND_COLOURS,
    NEAR,
    NOTHING,
    area_kinds,
    boundary_kinds,
    changed,
)

ALT = "An object and a mask that was moved to its right"
TRUTH = np.zeros((24, 26), bool)
TRUTH[6:16, 7:17] = True
TRUTH[9:12, 17:20] = True


def editor() -> MaskEditor:
    options: Any = {"furthest": 5, "most": 2, "radii": [0, 1, 2, 4]}
    return MaskEditor(TRUTH, changes=[Change(2)], title="it moves", alt=ALT, **options)


def agrees(page: Any, change: Change) -> None:
    """Read-outs and both pictures are those of NumPy."""
    mask = changed(TRUTH, change)
    scores = mask_scores(TRUTH, mask, [change.radius])
    J, F = scores.J, scores.F[0]
    P = scores.mask_matched[0] / scores.mask_edges
    R = scores.object_matched[0] / scores.object_edges
    shown = [float(text) for text in page.locator("td:nth-child(2)").all_inner_texts()]
    np.testing.assert_allclose(shown, [J, P, R, F, (J + F) / 2], atol=6e-4)
    assert f"J {J:.2f}, F {F:.2f}" in page.inner_text(".tagvis-said")
    kinds = [area_kinds(TRUTH, mask), boundary_kinds(TRUTH, mask, change.radius)]
    for drawn, wanted in zip(painted(page), kinds, strict=True):
        np.testing.assert_array_equal(drawn, wanted)


def painted(page: Any) -> np.ndarray:
    """Kinds of the pixels in both pictures: 2 x H x W, from their colours."""
    colours = page.evaluate(
        """([rows, columns]) => [...document.querySelectorAll("canvas")].map((canvas) => {
          const context = canvas.getContext("2d");
          const found = [];
          for (let k = 0; k < rows * columns; k++) {
            const x = ((k % columns) + 0.5) * canvas.width / columns;
            const y = (Math.floor(k / columns) + 0.5) * canvas.height / rows;
            found.push([...context.getImageData(x, y, 1, 1).data]);
          }
          return found;
        })""",
        list(TRUTH.shape),
    )
    rgba = np.array(colours).reshape(2, *TRUTH.shape, 4)
    kinds = np.where(rgba[..., 3] > 0, NEAR, NOTHING)
    for kind, colour in enumerate(KIND_COLOURS[:3], start=1):
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        kinds[(rgba[..., :3] == wanted).all(-1) & (rgba[..., 3] == 255)] = kind
    return kinds


def test_arrow_keys_move_the_mask(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    agrees(page, Change(2, 0, 0, 1))
    page.focus("canvas")
    page.keyboard.press("ArrowRight")
    agrees(page, Change(3, 0, 0, 1))
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    agrees(page, Change(3, -2, 0, 1))
    assert "3 right, 2 up" in page.inner_text(".tagvis-said")


def test_it_moves_no_further_than_was_scored(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    page.focus("canvas")
    for _ in range(9):
        for key in ("ArrowLeft", "ArrowDown", "+"):
            page.keyboard.press(key)
    agrees(page, Change(-5, 5, 2, 1))


@pytest.mark.parametrize(("key", "grow"), [("+", 1), ("-", -1)])
def test_keys_grow_and_shrink(opened: Callable[..., Any], key: str, grow: int) -> None:
    page = opened(editor())
    page.focus("canvas")
    page.keyboard.press(key)
    agrees(page, Change(2, 0, grow, 1))


def test_sliders_and_reset(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    page.get_by_role("slider", name="grow").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("slider", name="radius of the disk").focus()
    page.keyboard.press("End")
    agrees(page, Change(2, 0, -1, 4))
    page.get_by_role("button", name="Reset").click()
    agrees(page, Change(2, 0, 0, 1))


@pytest.mark.parametrize("panel", [0, 1])
def test_the_mask_is_dragged(opened: Callable[..., Any], panel: int) -> None:
    page = opened(editor())
    box = page.locator("canvas").nth(panel).bounding_box()
    unit = box["width"] / TRUTH.shape[1]
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100 - 4.2 * unit, box["y"] + 100 + 3.1 * unit, steps=5)
    page.mouse.up()
    agrees(page, Change(-2, 3, 0, 1))
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    agrees(page, Change(-2, 3, 0, 1))


def test_it_has_names_for_screen_readers(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    assert page.get_by_role("group", name="An object and a mask").count() == 1
    assert page.get_by_role("application", name="areas, which J counts").count() == 1
    assert page.locator("th[scope=row]").all_inner_texts() == ["J", "P", "R", "F", "J&F"]
    assert page.get_attribute(".tagvis-said", "aria-live") == "polite"


def test_it_follows_a_change_of_theme(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    frame = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data]"
    before = page.evaluate(frame)
    page.evaluate("document.documentElement.style.setProperty('--jp-border-color1', '#123456')")
    page.evaluate("document.body.style.colorScheme = 'dark'")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate(frame) != before
    colour = page.evaluate("getComputedStyle(document.querySelector('td')).color")
    assert colour == "rgb(255, 255, 255)"
    agrees(page, Change(2, 0, 0, 1))


@pytest.mark.parametrize("width", [320, 400])
def test_it_fits_a_narrow_page(opened: Callable[..., Any], width: int) -> None:
    page = opened(editor(), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    agrees(page, Change(2, 0, 0, 1))


def test_the_kernel_can_change_it_too(opened: Callable[..., Any]) -> None:
    page = opened(editor())
    page.evaluate("model.set('radius', 2)")
    agrees(page, Change(2, 0, 0, 2))
