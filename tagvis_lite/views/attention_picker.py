"""The attention picker: choose a position in a frame, see where it looks.

`attention_over_clip` gives the maps of all positions, `quantised` makes them small enough to be
sent once; `AttentionPicker` shows the maps of the position that a reader chooses.
"""

from __future__ import annotations

import zlib
from math import ceil, sqrt

import cv2
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from tagvis_lite.model.attention import attention_maps
from tagvis_lite.views.picture import picture
from tagvis_lite.views.view import View, script, shrunk

JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    90,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)
LONGEST_SIDE = 160
"""Pixels of a frame that is sent; larger ones are made smaller."""
INK = np.array([255, 176, 0])
"""A cell that gets the largest weight; cells with less let the darkened frame through."""


def attention_over_clip(query: Tensor, key: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Where each position of each frame looks, in both readings of section III-B (D4).

    Args:
        query: T x S x d.
        key: T x S x d.

    Returns:
        maps: T (asks) x S x T (answers) x S float32. Reading (a), `literal_attention`: a softmax
            over each answering frame, so the last axis sums to 1.
        shares: T x S x T float32, sum 1 over the last axis. Reading (b), `non_local_attention`:
            one softmax over the clip gives frame t this share; `maps` times it are its weights.
    """
    maps = attention_maps(query[None], key[None])[0].permute(1, 2, 0, 3)
    scores = torch.einsum("sid,tjd->sitj", query * query.shape[-1] ** -0.5, key)
    shares = scores.logsumexp(dim=-1).softmax(dim=-1)
    return maps.detach().float().numpy(), shares.detach().float().numpy()


def quantised(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps in one byte a weight: 255 stands for the largest of its map.

    Args:
        maps: ... x S, not negative.

    Returns:
        levels, uint8 ... x S, and peaks, float32 ..., the largest weight of each map. The weight
        `levels / 255 * peaks` is wrong by at most `peaks / 510`.
    """
    peaks = maps.max(axis=-1)
    scale = np.divide(255, peaks, out=np.zeros(peaks.shape), where=peaks > 0)
    return np.round(maps * scale[..., None]).astype(np.uint8), peaks.astype(np.float32)


def drawn_over(picture: np.ndarray, weights: np.ndarray, largest: float) -> np.ndarray:
    """A map over its frame: the frame grey and dark, cells in `INK` as opaque as their weight.

    Args:
        picture: uint8, H x W x 3.
        weights: h x w.
        largest: the weight that is opaque.

    Returns:
        uint8, H x W x 3.
    """
    grey = 0.5 * (picture @ np.array([0.299, 0.587, 0.114]))[..., None]
    cells = (weights / largest if largest > 0 else weights).astype(np.float32)
    size = picture.shape[1::-1]
    opacity = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)[..., None]
    return np.round(grey * (1 - opacity) + INK * opacity).astype(np.uint8)


def draw_picked(
    figure: Figure,
    pictures: np.ndarray,
    maps: np.ndarray,
    grid: tuple[int, int],
    frame: int,
    cell: tuple[int, int],
    title: str,
) -> None:
    """The asking frame with its position, and beside it the maps over the frames that answer.

    Args:
        figure: to draw on.
        pictures: uint8, T x H x W x 3.
        maps: T x S x T x S, or T x S x 1 x S where each frame asks itself.
        grid: h and w, S = h w.
        frame: that asks.
        cell: row and column that asks.
        title: what the reader should take away.
    """
    row, column = cell
    own = maps[frame, row * grid[1] + column]
    answering = range(len(pictures)) if len(own) == len(pictures) else [frame]
    columns = min(len(answering), ceil(sqrt(2 * len(answering))))
    widths = (1.2, max(1.2, columns * 0.62))
    left, right = figure.subfigures(1, 2, width_ratios=widths, squeeze=False)[0]
    axis = left.subplots()
    axis.imshow(pictures[frame])
    height, width = pictures.shape[1] / grid[0], pictures.shape[2] / grid[1]
    for colour, line in (("black", 4), ("white", 2)):
        corner = (column * width - 0.5, row * height - 0.5)
        axis.add_patch(_outline(corner, width, height, colour, line))
    axis.set_title(f"frame {frame} asks")
    axis.set_axis_off()
    rows = ceil(len(answering) / columns)
    axes = right.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, t, weights in zip(axes.flat, answering, own, strict=False):
        axis.imshow(drawn_over(pictures[t], weights.reshape(grid), float(own.max())))
        axis.set_title(f"t = {t}, max {weights.max():.2f}", fontsize=9)
    figure.suptitle(title)


class AttentionPicker(View):
    """Attention maps of the position and frame that a reader picks; all of it in the browser.

    Traits:
        pictures: JPEG files of the frames.
        grid: h and w of the maps; S = h w.
        answering: frames that each asking frame asks: all, or 1, itself.
        levels, peaks: bytes of `quantised` maps, uint8, deflated, and float32.
        shares: bytes, float32, of `attention_over_clip`; empty where there is one reading only.
        frame, row, column: who asks.
        over: `frame` or `clip`: what the softmax runs over, reading (a) or (b).
    """

    _esm = script("attention_picker.js")
    heavy = ("pictures", "levels")
    pictures = traitlets.List(traitlets.Bytes()).tag(sync=True)
    grid = traitlets.List(traitlets.Int()).tag(sync=True)
    answering = traitlets.Int().tag(sync=True)
    levels = traitlets.Bytes().tag(sync=True)
    peaks = traitlets.Bytes().tag(sync=True)
    shares = traitlets.Bytes().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    row = traitlets.Int(0).tag(sync=True)
    column = traitlets.Int(0).tag(sync=True)
    over = traitlets.Unicode("frame").tag(sync=True)

    def __init__(
        self,
        pictures: np.ndarray,
        maps: np.ndarray | Tensor,
        shares: np.ndarray | Tensor | None = None,
        *,
        grid: tuple[int, int],
        frame: int = 0,
        cell: tuple[int, int] = (0, 0),
        title: str,
        alt: str,
    ) -> None:
        """Show where positions look; at first position `cell` of frame `frame`.

        Args:
            pictures: uint8, T x H x W x 3.
            maps: T (asks) x S x T (answers) x S, each map of sum 1; or T x S x S where each frame
                asks itself.
            shares: T x S x T of `attention_over_clip`, for the reading with one softmax over the
                clip.
            grid: h and w, S = h w.
            frame: that asks at first.
            cell: row and column that ask at first.
            title: what the reader should take away from the picture in its place.
            alt: text in its place.

        Raises:
            ValueError: shapes that do not fit, maps that are no weights of sum 1, or a position
                outside the grid.
        """
        maps = np.asarray(maps, np.float32)
        if maps.ndim == 3:
            maps = maps[:, :, None]
        _check(pictures, maps, shares, grid, frame, cell)
        figure = Figure(figsize=(7.5, 2.9), layout="constrained")
        draw_picked(figure, pictures, maps, grid, frame, cell, title)
        levels, peaks = quantised(maps)
        super().__init__(
            picture(figure, alt),
            pictures=[_jpeg(picture) for picture in pictures],
            grid=list(grid),
            answering=maps.shape[2],
            levels=zlib.compress(levels.tobytes(), level=9),
            peaks=peaks.tobytes(),
            shares=b"" if shares is None else np.asarray(shares, np.float32).tobytes(),
            frame=frame,
            row=cell[0],
            column=cell[1],
        )


def _check(
    pictures: np.ndarray,
    maps: np.ndarray,
    shares: np.ndarray | Tensor | None,
    grid: tuple[int, int],
    frame: int,
    cell: tuple[int, int],
) -> None:
    frames, positions = len(pictures), grid[0] * grid[1]
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3 or not frames:
        raise ValueError(
            f"pictures are {pictures.dtype} {pictures.shape}: expected uint8, T x H x W x 3"
        )
    fitting = [(frames, positions, answering, positions) for answering in (1, frames)]
    if maps.shape not in fitting:
        raise ValueError(
            f"maps are {maps.shape}: {frames} pictures and a grid of {grid[0]} x {grid[1]} need "
            f"{fitting[1]}, or {fitting[0]} where each frame asks itself"
        )
    if not (
        np.isfinite(maps).all() and maps.min() >= 0 and np.allclose(maps.sum(-1), 1, atol=1e-3)
    ):
        raise ValueError("maps must be weights, not negative, of sum 1 over each answering frame")
    if shares is not None and tuple(shares.shape) != maps.shape[:3]:
        raise ValueError(f"shares are {tuple(shares.shape)}: these maps need {maps.shape[:3]}")
    if not (0 <= frame < frames and 0 <= cell[0] < grid[0] and 0 <= cell[1] < grid[1]):
        raise ValueError(f"position {cell} of frame {frame} is outside {frames} frames of {grid}")


def _jpeg(picture: np.ndarray) -> bytes:
    picture = shrunk(picture, LONGEST_SIDE)
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), JPEG)[1])


def _outline(
    corner: tuple[float, float], width: float, height: float, colour: str, line: float
) -> Rectangle:
    return Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line)
