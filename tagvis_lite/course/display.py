"""Figures of the lessons: a title that says what to see, and a text for those who cannot.

Figures are made without pyplot, so a notebook shows each one once, where `show` stands.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import matplotlib
from IPython.display import display
from matplotlib.figure import Figure, SubFigure
from matplotlib.rcsetup import cycler

from tagvis_lite.views.figures import alternative_text, png
from tagvis_lite.views.overlay import COLOURS

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
matplotlib.rcParams.update(STYLE)  # lessons draw in one style, whatever they draw with


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
    text = alternative_text(alt)
    _check_titles(figure)
    data = {"image/png": b64encode(png(figure)).decode("ascii"), "text/plain": text}
    display(data, metadata={"image/png": {"alt": text}}, raw=True)


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

    Args:
        draw: draws the picture for one value; the same function draws slider and filmstrip.
        values: where the slider can stand; numbers, or names.
        label: what the slider sets.
        title: what the reader should take away from the filmstrip.
        alt: text in its place.
        shown: pictures in the filmstrip, of values spread evenly.
        size: width and height of one picture in inches.
    """
    from tagvis_lite.views import FlipBook

    pages = []
    for value in values:
        figure = Figure(figsize=(2 * size[0], 2 * size[1]), layout="constrained")
        draw(figure, value)
        pages.append(png(figure))

    count = min(shown, len(values))
    places = [round(k * (len(values) - 1) / max(1, count - 1)) for k in range(count)]
    strip = Figure(figsize=(size[0] * len(places), size[1] + 0.35), layout="constrained")
    parts = strip.subfigures(1, len(places), squeeze=False)[0]
    for part, place in zip(parts, places, strict=True):
        draw(part, values[place])
        part.suptitle(f"{label}: {_name(values[place])}", fontsize=9)
    strip.suptitle(title)
    _check_titles(strip)
    names = [_name(value) for value in values]
    display(FlipBook(pages, names, label=label, page=len(pages) // 2, picture=png(strip), alt=alt))


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
