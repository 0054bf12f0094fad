"""Pictures that follow each other: a clip that plays, or any pictures behind one slider.

All of them are in the browser, so it plays without a kernel; where nothing runs, on GitHub or the
site, a clip is an animated picture that loops and other pictures are a strip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from PIL import Image, ImageDraw, ImageFont

from tagvis_lite.views.objects import name_of, number_places
from tagvis_lite.views.picture import Picture, animation, webp
from tagvis_lite.views.view import View, script

GAP, CAPTION = 12, 34
"""Pixels between panels and above them, where pictures have two for each CSS pixel."""
PANEL = 384
"""Pixels that a panel is wide at least."""


class Player(View):
    """One of several pictures at a time: play, step, speed and a slider; by mouse, touch and keys.

    Traits:
        pages: WebP or PNG files, one for each place of the slider.
        names: what the slider stands at, one for each page.
        label: what the slider sets.
        title: what the reader should take away, above the picture.
        page: number of the page that is shown.
        fps: pages a second; 0 for pages that do not follow in time, which have no play button.
    """

    _esm = script("player.js")
    heavy = ("pages",)
    pages = traitlets.List(traitlets.Bytes()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    fps = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self,
        pages: Sequence[bytes],
        names: Sequence[str],
        *,
        label: str,
        title: str,
        picture: Picture,
        page: int = 0,
        fps: float = 0,
    ) -> None:
        """Show `pages`, twice as large as in CSS pixels, under their `names`; else see the traits.

        Raises:
            ValueError: no page, or another number of names than of pages.
        """
        if not pages or len(pages) != len(names):
            raise ValueError(
                f"{len(pages)} pages and {len(names)} names: a player needs one name a page"
            )
        super().__init__(
            picture,
            pages=list(pages),
            names=list(names),
            label=label,
            title=title,
            page=page,
            fps=fps,
        )


def play(panels: Mapping[str, np.ndarray], *, title: str, alt: str, fps: float = 6) -> Player:
    """A player of clips side by side, frame by frame together.

    Args:
        panels: caption and clip of each, uint8, T x H x W x 3, all of one T: frames, `overlay`s,
            `tag_pictures`.
        title: what the reader should take away.
        alt: what happens in the clip, in words, at least six.
        fps: frames a second.

    Raises:
        ValueError: no clip, clips of different lengths, or an `alt` that is too short.
    """
    frames = side_by_side(panels)
    pages = [webp([frame]) for frame in frames]
    names = [f"{t}" for t in range(len(frames))]
    picture = animation(frames, f"{title}. {alt}", fps=fps)
    return Player(pages, names, label="frame", title=title, picture=picture, fps=fps)


def side_by_side(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Clips beside each other under their captions, small ones enlarged: uint8, T x H x W x 3.

    Raises:
        ValueError: no clip, or clips of different lengths.
    """
    lengths = {caption: len(clip) for caption, clip in panels.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"clips of {lengths} frames: give one or more, all of one length")
    clips = [_enlarged(clip) for clip in panels.values()]
    height = max(clip.shape[1] for clip in clips)
    width = sum(clip.shape[2] for clip in clips) + GAP * (len(clips) - 1)
    background = Image.new("RGB", (width, height + CAPTION), "white")
    draw, font = ImageDraw.Draw(background), ImageFont.load_default(22)
    page = np.zeros((len(clips[0]), height + CAPTION, width, 3), np.uint8)
    starts = np.cumsum([0, *(clip.shape[2] + GAP for clip in clips[:-1])])
    for start, caption in zip(starts, panels, strict=True):
        draw.text((int(start) + 2, 4), caption, fill="#222222", font=font)
    page[:] = np.asarray(background)
    for start, clip in zip(starts, clips, strict=True):
        page[:, CAPTION : CAPTION + clip.shape[1], start : start + clip.shape[2]] = clip
    return page


def numbered(clip: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """A clip at the size of a panel, with the number of each instance printed on it.

    Args:
        clip: uint8, T x H x W x 3: frames, overlays or tag pictures.
        ids: uint8, T x h x w, of any size.

    Returns:
        uint8, T x nH x nW x 3 for a whole number n.
    """
    large = _enlarged(clip)
    scale = np.array(large.shape[1:3]) / np.array(ids.shape[1:])
    font = ImageFont.load_default(28)
    for frame, labels in zip(large, ids, strict=True):
        drawn = Image.fromarray(frame)
        draw = ImageDraw.Draw(drawn)
        for n, place in number_places(labels).items():
            y, x = (np.array(place) + 0.5) * scale
            edge: Any = {"stroke_width": 3, "stroke_fill": "#111111", "anchor": "mm"}
            draw.text((float(x), float(y)), name_of(n), fill="white", font=font, **edge)
        frame[:] = np.asarray(drawn)
    return large


def _enlarged(clip: np.ndarray) -> np.ndarray:
    """A clip at a whole multiple of its size, at least `PANEL` wide: its pixels stay sharp."""
    times = -(-PANEL // clip.shape[2])
    return clip.repeat(times, axis=1).repeat(times, axis=2)
