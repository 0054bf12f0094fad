"""What all views and pictures share: two outputs, a text for each reader, small files."""

from __future__ import annotations

import io
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tagvis_lite.course import subplots
from tagvis_lite.views import Player, play
from tagvis_lite.views import view as view_module
from tagvis_lite.views.picture import Picture, animation, picture, webp
from tagvis_lite.views.player import CAPTION, GAP, side_by_side

ALT = "A dot that moves from left to right, then stays"
CLIP = np.zeros((5, 32, 48, 3), np.uint8)
for t in range(5):
    CLIP[t, 10:20, 8 * t : 8 * t + 8] = (230, 159, 0)


def opened(file: bytes) -> Any:
    return Image.open(io.BytesIO(file))


def test_a_plot_is_an_svg_and_a_picture_has_two_pixels_for_one() -> None:
    plot, axis = subplots(width=5, height=2)
    axis.plot(range(50), title := range(50))
    axis.set_title("it rises")
    drawn = picture(plot, ALT)
    assert drawn.file.startswith(b"<svg")
    assert b">it rises</text>" in drawn.file
    assert len(drawn.file) < 10_000
    assert drawn.file == picture(plot, ALT).file, "the same figure, the same bytes"
    axis.imshow(CLIP[0])
    taken = picture(plot, ALT)
    assert opened(taken.file).size == (2 * taken.width, 320) == (800, 320)
    assert len(title) == 50


def test_a_plot_of_very_many_points_is_no_svg() -> None:
    figure, axis = subplots()
    axis.scatter(*np.random.default_rng(0).normal(size=(2, 3000)))
    drawn = picture(figure, ALT)
    assert drawn.file.startswith(b"RIFF")
    assert len(drawn.file) < 100_000


def test_an_animation_loops_and_stands_still_where_motion_is_unwelcome() -> None:
    moving = animation(CLIP, ALT, fps=5)
    film = opened(moving.file)
    assert (film.n_frames, film.info["loop"], moving.width) == (5, 0, 24)
    film.seek(3)
    film.load()
    assert film.info["duration"] == 200
    assert np.abs(np.asarray(film.convert("RGB")).astype(int) - CLIP[3]).max() < 10
    shown = moving.html()
    assert shown.startswith('<picture><source media="(prefers-reduced-motion: reduce)"')
    assert opened(moving.first).n_frames == 1


def test_texts_are_escaped_and_long_enough() -> None:
    shown = Picture(webp(CLIP[:1]), 'a "quoted" <b> & more', 24).html()
    assert '<img alt="a &quot;quoted&quot; &lt;b&gt; &amp; more" width="24"' in shown
    assert b64decode(shown.split("base64,")[1].rstrip('">')) == webp(CLIP[:1])
    with pytest.raises(ValueError, match="alt text 'too short' is too short"):
        animation(CLIP, "too short", fps=5)


def test_clips_play_side_by_side_and_small_ones_are_enlarged_sharply() -> None:
    page = side_by_side({"frames": CLIP, "again": CLIP[:, ::2, ::2]})
    assert page.shape == (5, CAPTION + 256, 384 + GAP + 384, 3)
    np.testing.assert_array_equal(page[2, CAPTION::8, :384:8], CLIP[2])
    np.testing.assert_array_equal(page[2, CAPTION::16, 396::16], CLIP[2, ::2, ::2])
    assert page[0, :CAPTION, :384].min() < 100, "a caption"
    with pytest.raises(ValueError, match="all of one length"):
        side_by_side({"frames": CLIP, "fewer": CLIP[:3]})
    with pytest.raises(ValueError, match="all of one length"):
        side_by_side({})


def test_pages_and_names_must_match() -> None:
    with pytest.raises(ValueError, match="1 pages and 2 names"):
        Player([b"x"], ["a", "b"], label="x", title="", picture=animation(CLIP, ALT, fps=1))


def test_a_view_is_two_outputs_and_the_picture_needs_no_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dead widget cannot hide a picture that is an output of its own."""
    outputs: list[dict[str, str]] = []
    monkeypatch.setattr(view_module, "display", lambda data, **_: outputs.append(data))
    view = play({"frames": CLIP}, title="A dot moves", alt=ALT)
    assert repr(view) == f"Player('A dot moves. {ALT}')"
    assert "pages" not in view.get_state()
    view._ipython_display_()
    still, live = outputs
    assert set(still) == {"text/html", "text/plain"}
    assert view.picture.html() in still["text/html"]
    assert set(live) == {"application/vnd.jupyter.widget-view+json"}
