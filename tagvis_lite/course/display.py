"""Figures of the lessons: a title that says what to see, and a text for those who cannot.

Figures are made without pyplot, so a notebook shows each one once, where `show` stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import matplotlib
from IPython.display import display
from matplotlib.figure import Figure, SubFigure
from matplotlib.rcsetup import cycler

from tagvis_lite.views.overlay import COLOURS
from tagvis_lite.views.picture import alternative_text, picture, pixels, webp

STYLE: Any = {
    "axes.prop_cycle": cycler("color", COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "figure.titlesize": 11,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "image.interpolation": "nearest",
}


def use_style() -> None:
    """Draw in the style of the lessons from here on, with whatever draws by matplotlib."""
    matplotlib.rcParams.update(STYLE)


def subplots(
    rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.0, **options: Any
) -> tuple[Figure, Any]:
    """A figure of `width` x `height` inches and its axes, as `matplotlib.pyplot.subplots` gives.

    `options` are those of `Figure.subplots` (`sharex`, `squeeze`, `width_ratios`, ...).
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def show(figure: Figure, *, alt: str) -> None:
    """Put a figure into the notebook, with `alt` in its place for readers who cannot see it.

    Raises:
        ValueError: no title anywhere in the figure, a title that runs into another or out of the
            figure, or an `alt` too short to say what it shows.
    """
    alternative_text(alt)
    _check_titles(figure)
    display(picture(figure, alt))


def explore(
    draw: Callable[[Figure | SubFigure, Any], None],
    values: Sequence[Any],
    *,
    label: str,
    title: str,
    alt: str,
    shown: int = 4,
    size: tuple[float, float] = (2.4, 2.2),
) -> None:
    """A picture with a slider; in its place a filmstrip where no widget can run.

    Axes whose limits `draw` leaves open hold still: they have room for the plots of all values.

    Args:
        draw: draws the picture for one value; the same function draws slider and filmstrip.
        values: where the slider can stand; numbers, or names.
        label: what the slider sets.
        title: what the reader should take away.
        alt: text in place of the filmstrip.
        shown: pictures in the filmstrip, of values spread evenly.
        size: width and height of one picture in inches; twice that in the live view.
    """
    from tagvis_lite.views import Player

    count = min(shown, len(values))
    places = [round(k * (len(values) - 1) / max(1, count - 1)) for k in range(count)]
    strip = Figure(figsize=(size[0] * len(places), size[1] + 0.35), layout="constrained")
    figures = [Figure((2 * size[0], 2 * size[1]), layout="constrained") for _ in values]
    parts = strip.subfigures(1, len(places), squeeze=False)[0]
    for figure, value in zip(figures, values, strict=True):
        draw(figure, value)
    for part, place in zip(parts, places, strict=True):
        draw(part, values[place])
        part.suptitle(f"{label}: {_name(values[place])}", fontsize=9)
    _hold_still([*figures, *parts])
    strip.suptitle(title)
    _check_titles(strip)
    still = picture(strip, alt)
    pages = [webp([pixels(figure)]) for figure in figures]
    names = [_name(value) for value in values]
    middle = len(pages) // 2
    display(Player(pages, names, label=label, title=title, picture=still, page=middle))


def _hold_still(figures: Sequence[Figure | SubFigure]) -> None:
    """Give like axes of all figures the same limits, where the one who drew them set none."""
    for axes in zip(*(figure.axes for figure in figures), strict=False):
        if any(axis.images for axis in axes):
            continue
        for name in ("x", "y"):
            free = [axis for axis in axes if getattr(axis, f"get_autoscale{name}_on")()]
            limits = [getattr(axis, f"get_{name}lim")() for axis in free]
            lows, highs = [min(pair) for pair in limits], [max(pair) for pair in limits]
            for axis, (first, last) in zip(free, limits, strict=True):
                ends = (min(lows), max(highs)) if first < last else (max(highs), min(lows))
                getattr(axis, f"set_{name}lim")(*ends)


def _name(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _check_titles(figure: Figure) -> None:
    """Refuse a figure whose titles do not say or do not show what they should."""
    figure.draw_without_rendering()  # puts titles in their places
    titles = [axis.title for axis in figure.axes if axis.get_title()]
    titles += [text for part in (figure, *figure.subfigs) for text in part.texts]
    if not titles:
        raise ValueError("the figure has no title: say in one what the reader should see in it")
    boxes = [(title.get_text(), title.get_window_extent()) for title in titles]
    for text, box in boxes:
        if box.x0 < 0 or box.x1 > figure.bbox.x1:
            raise ValueError(f"title {text!r} runs out of the figure: break or shorten it")
    for (text, box), (other, other_box) in combinations(boxes, 2):
        if box.overlaps(other_box):
            raise ValueError(f"titles {text!r} and {other!r} overlap: break or shorten them")
