"""Instances drawn over frames, in colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tagvis_lite.video import BACKGROUND, VOID

OKABE_ITO = np.array(
    [
        (230, 159, 0),  # orange
        (86, 180, 233),  # sky blue
        (0, 158, 115),  # bluish green
        (240, 228, 66),  # yellow
        (0, 114, 178),  # blue
        (213, 94, 0),  # vermillion
        (204, 121, 167),  # reddish purple
    ],
    dtype=np.uint8,
)
"""The palette of Okabe and Ito (2008) without its black, which stands for background here."""

COLOURS = [
    f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in OKABE_ITO[[4, 0, 2, 6, 1, 5, 3]]
]
"""Colours of instances 1, 2, ... in every picture and plot, as hex strings: those that read best on
white first, the pale yellow last."""

UNMATCHED = range(200, 255)
"""Numbers of found instances that match no object (`objects.matched`); all are drawn grey."""


def instance_colours() -> np.ndarray:
    """A colour for each id, uint8 256 x 3: black background, `COLOURS` in turn, grey void.

    Each further round of seven is a third darker, so ids 1 and 8 differ too.
    """
    colours = np.zeros((256, 3), dtype=np.uint8)
    rounds, places = np.divmod(np.arange(254), len(COLOURS))
    darker = np.maximum(0.25, (2 / 3) ** rounds)[:, None]
    palette = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in COLOURS])
    colours[1:VOID] = np.round(palette[places] * darker).astype(np.uint8)
    colours[UNMATCHED] = 165
    colours[VOID] = 128
    return colours


def overlay(
    frame: np.ndarray, ids: np.ndarray, opacity: float = 0.5, doubtful: Collection[int] = ()
) -> np.ndarray:
    """Tint the instances of one frame and outline them.

    Args:
        frame: uint8, H x W x 3, RGB.
        ids: uint8, H x W.
        opacity: of the tint; the outline is opaque.
        doubtful: ids that are not to be trusted, and are hatched instead.

    Returns:
        uint8, H x W x 3.
    """
    colours = instance_colours()[ids]
    weight = np.where(ids == BACKGROUND, 0.0, opacity)
    if doubtful:
        y, x = np.indices(ids.shape)
        width = max(2, min(ids.shape) // 60)
        between = (x + y) // width % 3 > 0
        weight[np.isin(ids, list(doubtful)) & between] = 0
    edge = np.zeros(ids.shape, dtype=bool)
    changes = ids[:-1] != ids[1:]
    edge[:-1] |= changes
    edge[1:] |= changes
    changes = ids[:, :-1] != ids[:, 1:]
    edge[:, :-1] |= changes
    edge[:, 1:] |= changes
    weight[edge & (ids != BACKGROUND)] = 1.0
    mixed = frame * (1 - weight[..., None]) + colours * weight[..., None]
    return np.round(mixed).astype(np.uint8)
