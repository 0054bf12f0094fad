"""Pictures with their text, in a form that every reader of a notebook shows with it.

JupyterLab and nbconvert drop the text of an `image/png` output; they, GitHub and the site keep an
`<img alt>`. So a picture is a piece of HTML that holds its file: SVG where it is a plot, WebP at
twice the size where it has pixels, and an animated WebP where it moves.
"""

from __future__ import annotations

import html
import io
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

DOTS = 80
"""CSS pixels an inch."""
LARGEST_SVG = 40_000
"""Bytes from which a plot, of very many points, is kept as pixels instead."""
FONTS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tagvis",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
}
"""Text of an SVG stays text; two drawings of one figure are the same bytes."""
LEAN = [
    (rb"^.*?(?=<svg)", b""),
    (rb"(\d\.\d\d)\d+", rb"\1"),  # a hundredth of a point is not seen
    (rb" *\n(?=[LzCQ\"])", b""),
    (rb"(?<=>)\s+(?=<)", b""),
    (rb' transform="rotate\(-0 [^"]*"', b""),
]
"""What makes an SVG of matplotlib a third smaller and looks the same."""


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture as a file and what it shows in words.

    Attributes:
        file: SVG, WebP or PNG.
        alt: text in its place.
        width: in CSS pixels.
        first: where it moves, its first picture, for readers who asked for no motion.
    """

    file: bytes
    alt: str
    width: int
    first: bytes = b""

    def html(self, attributes: str = "") -> str:
        """An `<img>` that holds the file; `attributes` are put into it."""
        alt = html.escape(self.alt)
        image = f'<img alt="{alt}" width="{self.width}"{attributes} src="{_data(self.file)}">'
        if not self.first:
            return image
        still = f'<source media="(prefers-reduced-motion: reduce)" srcset="{_data(self.first)}">'
        return f"<picture>{still}{image}</picture>"

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def picture(figure: Figure, alt: str) -> Picture:
    """A figure, on white in any theme: SVG if it is a plot, else pixels, two for each CSS pixel.

    Raises:
        ValueError: `alt` is too short to say what it shows.
    """
    text, width = alternative_text(alt), round(figure.get_figwidth() * DOTS)
    if not any(axis.images for axis in figure.axes):
        buffer = io.BytesIO()
        with matplotlib.rc_context(FONTS):
            nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
            figure.savefig(buffer, format="svg", facecolor="white", metadata=nothing)
        svg = buffer.getvalue()
        for pattern, instead in LEAN:
            svg = re.sub(pattern, instead, svg, flags=re.DOTALL)
        if len(svg) < LARGEST_SVG:
            return Picture(svg, text, width)
    return Picture(webp([pixels(figure)]), text, width)


def pixels(figure: Figure) -> np.ndarray:
    """A figure as pixels, two for each CSS pixel: uint8, H x W x 3."""
    figure.set_dpi(2 * DOTS)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def animation(frames: Sequence[np.ndarray] | np.ndarray, alt: str, *, fps: float) -> Picture:
    """Pictures that follow each other for ever, shown at half their size, sharp on any screen.

    Args:
        frames: T pictures, uint8, H x W x 3.
        alt: what happens in them, in words.
        fps: pictures a second.
    """
    text = alternative_text(alt)
    return Picture(webp(frames, fps), text, frames[0].shape[1] // 2, webp(frames[:1]))


def webp(frames: Sequence[np.ndarray] | np.ndarray, fps: float = 1) -> bytes:
    """One picture, or several that follow each other for ever, as a WebP file without loss.

    Colours are reduced to 256 that all frames share: flat areas stay flat, and the file is small.
    """
    stacked = np.concatenate(list(frames))
    palette = Image.fromarray(stacked).quantize(256, Image.Quantize.FASTOCTREE)
    reduced = np.asarray(palette.convert("RGB")).reshape(len(frames), *frames[0].shape)
    first, *others = (Image.fromarray(frame) for frame in reduced)
    buffer = io.BytesIO()
    options: dict[str, Any] = {"lossless": True, "quality": 60, "method": 4}
    if others:
        duration = round(1000 / fps)
        options |= {"save_all": True, "append_images": others, "duration": duration, "loop": 0}
    first.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def alternative_text(alt: str) -> str:
    """The text in place of a picture, in one line.

    Raises:
        ValueError: fewer than six words.
    """
    words = alt.split()
    if len(words) < 6:
        raise ValueError(f"alt text {alt!r} is too short: say what the picture shows")
    return " ".join(words)


def _data(file: bytes) -> str:
    kinds = {b"<svg": "svg+xml", b"RIFF": "webp", b"\x89PNG": "png"}
    return f"data:image/{kinds[file[:4]]};base64,{b64encode(file).decode('ascii')}"
