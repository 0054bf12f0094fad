"""Figures of the lessons: none without a title or a text, none that runs into itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tagvis_lite.course import display, explore, show, subplots
from tagvis_lite.views.free_tags import draw_frames, draw_line, draw_paths

ALT = "A line that rises from left to right."


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be displayed, in order."""
    things: list[Any] = []

    monkeypatch.setattr(display, "display", things.append)
    return things


def rising(title: str) -> Figure:
    figure, axis = subplots(width=4, height=2)
    axis.plot([0, 1], [0, 1])
    axis.set_title(title)
    return figure


def test_a_figure_is_a_picture_with_its_text(shown: list[Any]) -> None:
    show(rising("it rises"), alt="A line that rises \n from left to right.")
    (picture,) = shown
    assert picture.file.startswith(b"<svg")
    assert f'<img alt="{ALT}" width="320"' in picture._repr_mimebundle_()["text/html"]
    assert repr(picture) == ALT


@pytest.mark.parametrize(
    ("title", "alt", "message"),
    [
        ("", ALT, "has no title"),
        ("it rises", "a line", "alt text .* is too short"),
        ("it rises " * 20, ALT, "runs out of the figure"),
    ],
)
def test_what_a_reader_could_not_read_is_refused(
    shown: list[Any], title: str, alt: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        show(rising(title), alt=alt)
    assert shown == []


def test_titles_that_run_into_each_other_are_refused(shown: list[Any]) -> None:
    figure = rising("it rises")
    for x in (0.1, 0.12):
        figure.text(x, 0.5, "another title in the same place")
    with pytest.raises(ValueError, match="overlap: break or shorten"):
        show(figure, alt=ALT)


def draw_number(figure: Any, value: float) -> None:
    axis = figure.subplots()
    axis.plot([0, 1], [0, value])
    axis.set(xlabel="x", ylabel="y")


def test_explore_gives_a_slider_and_a_filmstrip_in_its_place(shown: list[Any]) -> None:
    explore(draw_number, [0.5, 1.0, 2.0, 4.0], label="slope", title="steeper", alt=ALT, shown=3)
    (view,) = shown
    assert view.names == ["0.5", "1", "2", "4"]
    assert len(set(view.pages)) == 4
    assert (view.title, view.alt, view.picture.alt) == ("steeper", ALT, ALT)


@pytest.mark.parametrize("own", [False, True])
def test_axes_of_explore_hold_still(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the one who draws sets the limits."""
    drawn: list[Any] = []

    def draw(figure: Any, value: float) -> None:
        draw_number(figure, value)
        drawn.append(figure.axes[0])
        if own:
            figure.axes[0].set_ylim(value, 0)

    monkeypatch.setattr(display, "display", lambda _view: None)
    explore(draw, [1.0, 2.0, 8.0], label="slope", title="steeper", alt=ALT)
    assert len({axis.get_xlim() for axis in drawn}) == 1
    tops = {axis.get_ylim() for axis in drawn}
    assert tops == {(1, 0), (2, 0), (8, 0)} if own else len(tops) == 1
    assert own or min(top[1] for top in tops) > 8


def test_the_filmstrip_of_a_few_values_shows_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def draw(figure: Any, value: float) -> None:
        drawn.append(value)
        draw_number(figure, value)

    monkeypatch.setattr(display, "display", lambda _view: None)
    explore(draw, [1.0, 2.0, 3.0], label="slope", title="steeper", alt=ALT)
    assert drawn == [1.0, 2.0, 3.0] * 2


def test_explore_refuses_a_filmstrip_whose_title_does_not_fit() -> None:
    with pytest.raises(ValueError, match="runs out of the figure"):
        explore(draw_number, [1.0], label="slope", title="far too long " * 9, alt=ALT)


def test_tag_plots_show_every_instance() -> None:
    tags, ids = np.array([[0.0, 1.0, 5.0], [0.2, 1.2, 5.2]]), np.array([[1, 1, 2], [1, 0, 2]])
    figure, axes = subplots(1, 3, width=9, height=3)
    draw_line(axes[0], tags[0], ids[0])
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["1", "2"]
    draw_paths(axes[1], np.stack([tags[0], tags[1]]), ids[0])
    assert len(axes[1].lines) == 3
    draw_frames(axes[2], tags, ids)
    means = [line.get_ydata() for line in axes[2].lines]
    np.testing.assert_allclose(means, [[0.5, 0.2], [5.0, 5.2]])
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in axes)
    assert figure.axes == list(axes)
