"""Figures and overlays: what they show is what they were given, and nothing is left empty."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis
from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views.figures import filmstrip, save, tag_histogram
from tagvis_lite.views.objects import matched
from tagvis_lite.views.overlay import instance_colours, overlay
from tagvis_lite.views.scores import score_bars

T, H, W = 6, 24, 40
RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (T, H, W, 3), dtype=np.uint8)


def two_squares() -> np.ndarray:
    ids = np.zeros((T, H, W), np.uint8)
    ids[:, 2:10, 4:14] = 1
    ids[:, 12:20, 20:28] = 2
    return ids


IDS = two_squares()
SMALL_IDS = IDS[:, ::2, ::2]
TAGS = SMALL_IDS * 3.0 + RNG.normal(0, 0.1, SMALL_IDS.shape)


def panels(figure: Figure) -> list[Axes]:
    """The axes but that of the colour bar."""
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


def assert_all_text_fits(figure: Figure) -> None:
    """Every text lies within the figure, and no two texts overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    boxes = []
    hidden = [label for axis in figure.axes for label in tick_labels_out_of_sight(axis)]
    for text in figure.findobj(Text):
        box = text.get_window_extent(canvas.get_renderer())
        if not text.get_text() or not text.get_visible() or text in hidden:
            continue
        assert page.x0 - 1 <= box.x0, text
        assert box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0, text
        assert box.y1 <= page.y1 + 1, text
        boxes.append((text, box))
    for k, (text, box) in enumerate(boxes):
        for other, second in boxes[k + 1 :]:
            apart = (
                box.x1 <= second.x0 + 1
                or second.x1 <= box.x0 + 1
                or box.y1 <= second.y0 + 1
                or second.y1 <= box.y0 + 1
            )
            assert apart, (text, other)


def tick_labels_out_of_sight(axis: Axes) -> list[Text]:
    """Labels of ticks beyond the limits, which matplotlib keeps but does not draw."""
    return [
        label
        for one, limits in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim()))
        for tick in one.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not (min(limits) <= tick.get_loc() <= max(limits) and label.get_visible())
    ]


# ---------------------------------------------------------------- overlay


def test_colours_of_instances_are_apart_and_void_is_grey() -> None:
    colours = instance_colours()
    assert colours.shape == (256, 3)
    assert colours.dtype == np.uint8
    assert colours[BACKGROUND].tolist() == [0, 0, 0]
    assert colours[VOID].tolist() == [128, 128, 128]
    first = colours[: 20 + 1].astype(int)  # as many as a prediction can have
    distances = np.abs(first[:, None] - first[None]).sum(axis=-1)
    assert distances[~np.eye(21, dtype=bool)].min() > 25


label_maps = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.sampled_from([0, 1, 2, 9, 255]),
)


@given(ids=label_maps, opacity=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_overlay_tints_inside_outlines_all_around_and_leaves_background(
    ids: np.ndarray, opacity: float, seed: int
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (*ids.shape, 3), dtype=np.uint8)
    before = frame.copy()
    drawn = overlay(frame, ids, opacity)
    assert drawn.shape == frame.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(frame, before), "the frame is not drawn into"
    colours = instance_colours()
    height, width = ids.shape
    for y in range(height):
        for x in range(width):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            inside = [(a, b) for a, b in near if 0 <= a < height and 0 <= b < width]
            if ids[y, x] == BACKGROUND:
                expected = frame[y, x].astype(float)
            elif any(ids[a, b] != ids[y, x] for a, b in inside):
                expected = colours[ids[y, x]].astype(float)
            else:
                expected = (1 - opacity) * frame[y, x] + opacity * colours[ids[y, x]]
            assert np.abs(drawn[y, x] - expected).max() <= 0.51


# ---------------------------------------------------------------- filmstrip


@pytest.mark.parametrize("with_truth", [True, False])
@pytest.mark.parametrize(("columns", "shown"), [(4, [0, 2, 3, 5]), (1, [0]), (9, list(range(T)))])
def test_filmstrip_shows_each_row_at_evenly_spread_frames(
    columns: int, shown: list[int], with_truth: bool
) -> None:
    truth = np.where(IDS == 1, 2, IDS).astype(np.uint8)
    figure = filmstrip(
        FRAMES, TAGS, IDS, truth if with_truth else None, title="Two squares", columns=columns
    )
    rows = ["frame", "tags", "instances", "ground truth"][: 3 + with_truth]
    grid = np.array(panels(figure)).reshape(len(rows), len(shown))
    assert [axis.get_ylabel() for axis in grid[:, 0]] == rows
    assert [axis.get_title() for axis in grid[0]] == [f"t = {t}" for t in shown]
    assert figure.get_suptitle() == "Two squares"
    assert all(len(axis.images) == 1 for axis in grid.flat), "no empty axes"
    for column, t in enumerate(shown):
        pictures = [axis.images[0].get_array() for axis in grid[:, column]]
        assert np.array_equal(pictures[0], FRAMES[t])
        found = matched(IDS, truth) if with_truth else IDS
        assert np.array_equal(pictures[2], overlay(FRAMES[t], found[t]))
        if with_truth:
            assert np.array_equal(pictures[3], overlay(FRAMES[t], truth[t]))
        tags = pictures[1]
        assert np.array_equal(tags.mask, SMALL_IDS[t] == BACKGROUND), "foreground only"
        assert np.allclose(tags.compressed(), TAGS[t][SMALL_IDS[t] != BACKGROUND])
    assert_all_text_fits(figure)


def test_filmstrip_has_one_tag_scale_and_one_shape_of_picture() -> None:
    figure = filmstrip(FRAMES, TAGS[:, ::2], IDS, title="Tags of another shape")
    grid = np.array(panels(figure)).reshape(3, 4)
    assert len({axis.images[0].get_clim() for axis in grid[1]}) == 1
    low, high = grid[1, 0].images[0].get_clim()
    assert low < 2.9
    assert high > 6.1
    assert {tuple(axis.images[0].get_extent()) for axis in grid.flat} == {
        (-0.5, W - 0.5, H - 0.5, -0.5)
    }


def test_filmstrip_of_a_video_in_which_nothing_was_found() -> None:
    figure = filmstrip(FRAMES[:1], TAGS[:1], np.zeros_like(IDS[:1]), IDS[:1], title="Nothing")
    grid = panels(figure)
    assert len(grid) == 4
    assert grid[1].images[0].get_array().mask.all()
    assert_all_text_fits(figure)


@pytest.mark.parametrize("size", [(480, 854), (854, 480), (64, 64)])
def test_filmstrip_text_fits_whatever_the_shape_of_the_video(size: tuple[int, int]) -> None:
    frames = np.zeros((8, *size, 3), np.uint8)
    ids = np.zeros((8, *size), np.uint8)
    tags = np.zeros((8, 56, 56))
    assert_all_text_fits(
        filmstrip(frames, tags, ids, ids, title="toy-test-00007: 3 found, 3 there")
    )


# ---------------------------------------------------------------- histogram


def test_histogram_counts_the_pixels_of_each_instance_in_its_colour() -> None:
    figure = tag_histogram(TAGS, SMALL_IDS, {1: 3.0, 2: 6.0}, title="Two modes")
    (axis,) = figure.axes
    colours = instance_colours() / 255
    counted = dict.fromkeys((1, 2), 0.0)
    for patch in axis.patches:
        instance = next(n for n in (1, 2) if np.allclose(to_rgb(patch.get_facecolor()), colours[n]))
        counted[instance] += patch.get_height()
        if patch.get_height():
            assert patch.get_x() == pytest.approx(3.0 * instance, abs=0.5)
    for instance in (1, 2):
        pixels = np.count_nonzero(instance == SMALL_IDS)
        assert 0.98 * pixels <= counted[instance] <= pixels, "all but stray tags"
    assert sorted(line.get_xdata()[0] for line in axis.lines) == [3.0, 6.0]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["instance 1", "instance 2"]
    assert axis.get_title() == "Two modes"
    assert_all_text_fits(figure)


def test_histogram_without_instances_says_so() -> None:
    figure = tag_histogram(TAGS, np.zeros_like(SMALL_IDS), {}, title="Nothing")
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["no instance found"]
    assert figure.legends == []
    assert_all_text_fits(figure)


def test_histogram_leaves_void_out_and_has_room_for_twenty_instances() -> None:
    ids = (np.arange(T * H * W) % 21).reshape(T, H, W).astype(np.uint8)
    ids[0, 0] = VOID
    figure = tag_histogram(ids * 3.0, ids, {n: 3.0 * n for n in range(1, 21)}, title="Twenty")
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [f"instance {n}" for n in range(1, 21)]
    assert_all_text_fits(figure)


# ---------------------------------------------------------------- bars


def scores_of(number: int, prefix: str = "sequence") -> DavisScores:
    """Sequences of 1 to 3 objects, some found in part."""
    sequences = []
    for k in range(number):
        truth, result = (np.zeros((4, 16, 24), np.uint8) for _ in range(2))
        for n in range(1 + k % 3):
            truth[:, 1:14, 8 * n + 1 : 8 * n + 7] = n + 1
            result[:, 1 + (5 * k + n) % 9 : 14, 8 * n + 1 : 8 * n + 7] = n + 1
        sequences.append((f"{prefix}-{k}", truth, result))
    return evaluate_davis(sequences)


@pytest.mark.parametrize("number", [1, 3, 30])
def test_bars_show_j_and_f_of_every_sequence_worst_on_top(number: int) -> None:
    scores = scores_of(number)
    figure = score_bars(scores)
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert sorted(names) == sorted(sequence.name for sequence in scores.sequences)
    by_name = {sequence.name: sequence for sequence in scores.sequences}
    j_bars, f_bars = axis.containers
    assert (j_bars.get_label(), f_bars.get_label()) == ("J", "F")
    for name, j, f in zip(names, j_bars, f_bars, strict=True):
        assert j.get_width() == pytest.approx(100 * by_name[name].J.mean())
        assert f.get_width() == pytest.approx(100 * by_name[name].F.mean())
    totals = [j.get_width() + f.get_width() for j, f in zip(j_bars, f_bars, strict=True)]
    assert all(below >= above for below, above in pairwise(totals)), "bars go upwards"
    assert f"J&F {100 * scores.jf_mean:.1f}" in axis.get_title()
    assert_all_text_fits(figure)


def test_bars_leave_out_sequences_without_objects_and_take_names_as_they_are() -> None:
    nothing = np.zeros((2, 8, 8), np.uint8)
    truth = nothing.copy()
    truth[:, 2:6, 2:6] = 1
    scores = evaluate_davis([("empty", nothing, nothing), (r"$\odd$ name", truth, truth)])
    figure = score_bars(scores)
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [r"$\odd$ name"]
    assert_all_text_fits(figure)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["scores.png", "scores.PNG", "scores.svg", "scores.pdf"])
def test_figures_are_saved_in_the_format_of_the_suffix(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    save(tag_histogram(TAGS, SMALL_IDS, {}, title="Two modes"), path)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[path.suffix[1:].lower()]
    assert path.read_bytes().startswith(start)
    assert list(path.parent.iterdir()) == [path]
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 100


@pytest.mark.parametrize("name", ["scores", "scores.foo"])
def test_a_suffix_of_no_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"png.*change the suffix") as caught:
        save(Figure(), tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [2, 4])
def test_vector_tags_have_the_colour_of_their_place(channels: int) -> None:
    ids = np.zeros((2, 8, 8), np.uint8)
    ids[:, :3, :4], ids[:, 5:, 4:] = 1, 2
    tags = np.random.default_rng(0).normal(0, 0.05, (*ids.shape, channels))
    tags[ids == 2] += 3
    strip = filmstrip(np.zeros((2, 8, 8, 3), np.uint8), tags, ids, title="two")
    picture = strip.axes[2].images[0].get_array()
    assert picture.shape == (8, 8, 4)
    np.testing.assert_array_equal(picture[..., 3] > 0, ids[0] > 0)
    near, far = picture[1, 1, :3], picture[6, 6, :3]
    assert np.abs(near - picture[2, 3, :3]).max() < 0.1 < np.abs(near - far).max()
    modes = {1: np.zeros(channels), 2: np.full(channels, 3.0)}
    (axis,) = tag_histogram(tags, ids, modes, title="two heaps").axes
    (points,) = axis.collections
    assert len(points.get_offsets()) == (ids > 0).sum()
    assert len({tuple(colour) for colour in points.get_facecolors()}) == 2
    crosses = np.array([np.ravel(cross.get_xydata()) for cross in axis.lines])
    distance = np.linalg.norm(crosses[0] - crosses[1])
    assert distance == pytest.approx(3 * np.sqrt(channels), rel=0.05)
