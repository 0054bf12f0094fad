"""The tag space in a real browser, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances import cluster_instances
from tagvis_lite.video import Prediction
from tagvis_lite.views import TagSpace

T, H, W = 3, 20, 30


def prediction() -> Prediction:
    """An object of tag 5 that moves to the right, one pixel a frame, on tags from 0 to 1."""
    tags = torch.linspace(0, 1, T * H * W).view(T, H, W).clone()
    object_logits = torch.full((T, H, W), -4.0)
    for t in range(T):
        tags[t, 5:15, 5 + t : 15 + t] = 5.0
        object_logits[t, 5:15, 5 + t : 15 + t] = 4.0
    return Prediction(tags, torch.stack([-object_logits, object_logits]))


def space(**options: Any) -> TagSpace:
    frames = np.full((T, H, W, 3), 90, np.uint8)
    frames[:, :, :, 0] += np.arange(T, dtype=np.uint8)[:, None, None] * 40
    return TagSpace(
        frames,
        prediction(),
        InferenceConfig(),
        title="one object",
        alt="One object moves, its tag stays at five",
        categories={1: "star"},
        **options,
    )


def pixel(page: Any, view: int, x: float, y: float) -> list[int]:
    """Colour of canvas `view` at a share of its width and height."""
    return page.evaluate(
        """([view, x, y]) => {
          const node = document.querySelectorAll(".tagvis canvas")[view];
          const [px, py] = [Math.floor(x * node.width), Math.floor(y * node.height)];
          return Array.from(node.getContext("2d").getImageData(px, py, 1, 1).data.slice(0, 3));
        }""",
        [view, x, y],
    )


def opacity(page: Any, view: int, x: float, y: float) -> int:
    return page.evaluate(
        """([view, x, y]) => {
          const node = document.querySelectorAll(".tagvis canvas")[view];
          const [px, py] = [Math.floor(x * node.width), Math.floor(y * node.height)];
          return node.getContext("2d").getImageData(px, py, 1, 1).data[3];
        }""",
        [view, x, y],
    )


def hover(page: Any, row: int, column: int) -> str:
    box = page.locator(".tagvis canvas").first.bounding_box()
    x = box["x"] + (column + 0.5) / W * box["width"]
    page.mouse.move(x, box["y"] + (row + 0.5) / H * box["height"])
    return page.inner_text(".tagvis-said")


def test_hovering_names_tag_and_instance(opened: Callable[..., Any]) -> None:
    page = opened(space())
    assert "Point at a pixel" in page.inner_text(".tagvis-said")
    assert hover(page, 10, 9).startswith("pixel (10, 9), tag 5.00, instance 1, star, score 1.00")
    assert hover(page, 1, 1).endswith("background")


def test_the_readout_is_the_prediction(opened: Callable[..., Any]) -> None:
    page, tags = opened(space(), dark=True), prediction().tags.numpy()
    ids = cluster_instances(prediction(), InferenceConfig()).ids
    for t, row, column in [(0, 0, 0), (0, 14, 14), (1, 5, 5), (2, 19, 29), (2, 10, 16)]:
        page.evaluate("t => model.set('frame', t)", t)
        what = "instance 1, star" if ids[t, row, column] else "background"
        wanted = f"pixel ({row}, {column}), tag {tags[t, row, column]:.2f}, {what}"
        assert hover(page, row, column).startswith(wanted)


def test_a_band_of_the_histogram_lights_its_pixels(opened: Callable[..., Any]) -> None:
    page = opened(space())
    plain, inside = pixel(page, 0, 0.9, 0.9), pixel(page, 0, 0.33, 0.5)
    page.evaluate("model.set('bandwidth', 0.05)")
    heaps = page.get_by_role("application", name="histogram")
    heaps.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".tagvis-said").startswith("tags 4.98 to 5.03")
    assert page.inner_text(".tagvis-said").endswith(": 100 pixels of instances in this frame")
    assert pixel(page, 0, 0.33, 0.5) == inside
    assert max(pixel(page, 0, 0.9, 0.9)) < min(plain) / 2
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    assert page.inner_text(".tagvis-said").endswith(": 0 pixels of instances in this frame")
    assert max(pixel(page, 0, 0.33, 0.5)) < max(inside) / 2
    page.get_by_role("slider", name="frame").focus()
    assert (pixel(page, 0, 0.9, 0.9), pixel(page, 0, 0.33, 0.5)) == (plain, inside)


def test_pointing_at_the_histogram_and_away(opened: Callable[..., Any]) -> None:
    page = opened(space())
    page.evaluate("model.set('bandwidth', 0.05)")
    heaps = page.get_by_role("application", name="histogram")
    heaps.hover(position={"x": 197, "y": 50})
    assert page.inner_text(".tagvis-said").endswith(": 100 pixels of instances in this frame")
    heaps.hover(position={"x": 60, "y": 50})
    assert page.inner_text(".tagvis-said").endswith(": 0 pixels of instances in this frame")
    page.mouse.move(1, 1)
    assert page.inner_text(".tagvis-said").startswith("Point at")


def test_the_tracks_choose_the_frame(opened: Callable[..., Any]) -> None:
    page = opened(space())
    tracks = page.get_by_role("application", name="tags against frames")
    tracks.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('frame')") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("model.get('frame')") == 0
    tracks.click(position={"x": tracks.bounding_box()["width"] - 20, "y": 50})
    assert page.evaluate("model.get('frame')") == T - 1
    assert page.get_by_role("slider", name="frame").input_value() == str(T - 1)


def test_the_frame_slider_moves_without_a_kernel(opened: Callable[..., Any]) -> None:
    page = opened(space())
    before = [pixel(page, 0, 0.02, 0.02), hover(page, 10, 5)]
    page.get_by_role("slider", name="frame").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("model.get('frame')") == 1
    assert pixel(page, 0, 0.02, 0.02) == [before[0][0] + 40, *before[0][1:]]
    assert "instance 1" in before[1]
    assert "background" in page.inner_text(".tagvis-said")


@pytest.mark.parametrize("view", [0, 1])
def test_arrow_keys_move_the_pixel(opened: Callable[..., Any], view: int) -> None:
    page = opened(space())
    page.locator(".tagvis canvas").nth(view).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".tagvis-said").startswith(f"pixel ({H // 2 + 1}, {W // 2 - 1})")


def test_instances_are_drawn_in_their_colour(opened: Callable[..., Any]) -> None:
    page = opened(space())
    plain, tinted = pixel(page, 0, 0.9, 0.9), pixel(page, 0, 0.33, 0.5)
    assert plain == [90, 90, 90]
    blue = np.array([0, 114, 178])
    np.testing.assert_allclose(tinted, (np.array(plain) + blue) / 2, atol=2)


def test_the_tag_map_is_viridis_and_faint_outside(opened: Callable[..., Any]) -> None:
    page = opened(space())
    low, high = pixel(page, 1, 0.9, 0.9), pixel(page, 1, 0.33, 0.5)
    assert low[2] > low[1]  # violet
    assert high[1] > high[2]  # green
    assert opacity(page, 1, 0.9, 0.9) < 100
    assert opacity(page, 1, 0.33, 0.5) == 255


def test_sliders_reach_the_kernel_once_they_rest(opened: Callable[..., Any]) -> None:
    page = opened(space())
    page.get_by_role("slider", name="bandwidth").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("model.get('bandwidth') > 0.85")
    assert page.evaluate("saves") == 1


def test_without_a_kernel_the_reader_is_told(opened: Callable[..., Any]) -> None:
    page = opened(space())
    page.get_by_role("slider", name="threshold").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("model.get('threshold') > 0.5")
    page.get_by_role("alert").get_by_text("needs a running kernel").wait_for(timeout=10_000)
    page.evaluate("model.set('answered', model.get('asked'))")
    assert page.get_by_role("alert").count() == 0


def test_sliders_follow_the_kernel(opened: Callable[..., Any]) -> None:
    page = opened(space())
    page.evaluate("model.set('bandwidth', 1.5)")
    assert page.get_by_role("slider", name="bandwidth").input_value() == "1.5"
    assert page.locator("output").all_inner_texts() == ["0", "0.50", "1.50"]


def test_new_scores_are_shown_though_no_pixel_changes(opened: Callable[..., Any]) -> None:
    page = opened(space())
    assert page.get_by_text("1 star 1.00").count() == 1
    page.evaluate(
        """() => {
          const found = { name: "1", mode: 5, category: "star", score: 0.25 };
          model.set("instances", { 1: found });
        }"""
    )
    assert page.get_by_text("1 star 0.25").count() == 1


def test_new_ids_from_the_kernel_are_drawn(opened: Callable[..., Any]) -> None:
    page = opened(space())
    assert pixel(page, 0, 0.33, 0.5) != [90, 90, 90]
    page.evaluate(
        """() => {
          model.set("instances", {});
          model.set("ids", new DataView(new Uint8Array(model.get("ids").byteLength).buffer));
          model.set("answered", [0.9, 0.75]);
        }"""
    )
    assert pixel(page, 0, 0.33, 0.5) == [90, 90, 90]
    assert hover(page, 10, 9).endswith("background")


def test_a_problem_is_shown(opened: Callable[..., Any]) -> None:
    page = opened(space())
    page.evaluate("model.set('problem', 'bandwidth is too small')")
    page.evaluate("model.set('answered', [0.5, 0])")
    assert page.get_by_role("alert").inner_text() == "bandwidth is too small"


def test_dark_theme(opened: Callable[..., Any]) -> None:
    page = opened(space(), dark=True)
    colour = page.evaluate("getComputedStyle(document.querySelector('.tagvis')).color")
    assert colour == "rgb(255, 255, 255)"


@pytest.mark.parametrize("view", [2, 3])
def test_charts_are_drawn_anew_in_another_theme(opened: Callable[..., Any], view: int) -> None:
    page = opened(space())

    def brightest_ink() -> int:
        return page.evaluate(
            """(view) => {
              const node = document.querySelectorAll(".tagvis canvas")[view];
              const { data } = node.getContext("2d").getImageData(0, 0, 40, node.height);
              let most = 0;
              for (let k = 0; k < data.length; k += 4)
                if (data[k + 3] > 200) most = Math.max(most, Math.min(...data.slice(k, k + 3)));
              return most;
            }""",
            view,
        )

    assert brightest_ink() < 200
    page.evaluate(
        """() => {
          document.body.style.colorScheme = "dark";
          document.body.dataset.jpThemeLight = "false";
        }"""
    )
    page.evaluate("new Promise(requestAnimationFrame)")
    assert brightest_ink() > 240


@pytest.mark.parametrize(("width", "height"), [(820, 760), (550, 475), (400, 800), (320, 640)])
def test_four_panels_fit_two_by_two_into_any_page(
    opened: Callable[..., Any], width: int, height: int
) -> None:
    page = opened(space(), width=width, height=height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [box.bounding_box() for box in page.locator(".tagvis canvas").all()]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"] == boxes[3]["y"]
    assert boxes[3]["y"] + boxes[3]["height"] - boxes[0]["y"] < height
    assert hover(page, 10, 9).startswith("pixel (10, 9), tag 5.00, instance 1, star")


def test_a_finger_finds_a_pixel_without_scrolling(opened: Callable[..., Any]) -> None:
    page = opened(space(), has_touch=True, height=300)
    box = page.locator(".tagvis canvas").first.bounding_box()
    touch = page.context.new_cdp_session(page)
    for kind, share in [("Start", 0.9), ("Move", 0.7), ("Move", 0.5), ("End", None)]:
        x, y = box["x"] + 9.5 / W * box["width"], box["y"] + (share or 0) * box["height"]
        points = [] if share is None else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    page.wait_for_function("document.querySelector('.tagvis-said').textContent.includes('(10, 9)')")
    assert page.evaluate("scrollY") == 0


def test_an_instance_carries_its_name_and_an_unmatched_one_a_question_mark(
    opened: Callable[..., Any],
) -> None:
    truth = np.zeros((T, H, W), np.uint8)
    truth[:, 1:3, 1:3] = 4  # nothing is found there
    page = opened(space(truth=truth))
    assert page.get_by_text("? star 1.00").count() == 1
    assert "instance ?, star" in hover(page, 6, 6)
    tint = pixel(page, 0, 6.5 / W, 6.5 / H)
    assert len(set(tint)) == 1, "grey on grey"
    whites = page.evaluate(
        """() => {
          const node = document.querySelector(".tagvis canvas");
          const { data } = node.getContext("2d").getImageData(0, 0, node.width, node.height);
          let count = 0;
          for (let k = 0; k < data.length; k += 4) count += Math.min(...data.slice(k, k + 3)) > 250;
          return count;
        }"""
    )
    assert whites > 5, "the name is printed on it"


def test_a_plane_of_tags_names_points_and_lights_a_disc(opened: Callable[..., Any]) -> None:
    one = prediction()
    vectors = Prediction(torch.stack([one.tags, -one.tags], -1), one.semantic_logits)
    frames = np.full((T, H, W, 3), 90, np.uint8)
    alt = "One object moves, its tag stays at a point of the plane"
    page = opened(TagSpace(frames, vectors, InferenceConfig(), title="one point", alt=alt))
    assert hover(page, 10, 9).startswith("pixel (10, 9), tag 5.00 -5.00, instance 1")
    page.evaluate("model.set('bandwidth', 0.05)")
    plane = page.get_by_role("application", name="tags of the frame in a plane")
    plane.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".tagvis-said").startswith("tags around 5.00 -5.00: 100 pixels")
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    assert page.inner_text(".tagvis-said").endswith(": 0 pixels of instances in this frame")
