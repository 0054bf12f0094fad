"""Static figures used in more than one place, as matplotlib figures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tagvis_lite.atomic import replacing
from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views.objects import draw_objects, matched, name_of, resized
from tagvis_lite.views.overlay import instance_colours, overlay

CORNERS = np.array(
    [[[0.15, 0.25, 0.65], [0.95, 0.80, 0.25]], [[0.10, 0.65, 0.60], [0.85, 0.25, 0.35]]]
)
"""Colours at the corners of a plane of tags: bottom left and right, top left and right."""
MOST_POINTS = 5000
"""Tags of a clip that are drawn as points."""


def filmstrip(
    frames: np.ndarray,
    tags: np.ndarray,
    predicted: np.ndarray,
    ground_truth: np.ndarray | None = None,
    *,
    title: str,
    columns: int = 4,
) -> Figure:
    """One video in rows: frames, tags of the predicted foreground, instances, ground truth.

    Instances have the number and colour of the object they match; grey ones, '?', match none.

    Args:
        frames: uint8, T x H x W x 3.
        tags: float, T x h x w [x K]; vectors have the colour of their place in a plane.
        predicted: uint8, T x H x W.
        ground_truth: uint8, T x H x W, or None for no such row.
        title: what the reader should take away.
        columns: frames shown, spread evenly.
    """
    shown = np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
    rows = ["frame", "tags", "instances"] + ["ground truth"] * (ground_truth is not None)
    height, width = frames.shape[1:3]
    size = (max(4.5, 1.6 * len(shown) + 1.1), 1.6 * len(rows) * height / width + 0.6)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.08))
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    vectors = tags.ndim == 4
    if vectors:
        tags = tags @ plane_axes(tags, resized(predicted, tags.shape[1:3]))
    low, high = _tag_range(tags, predicted)
    if ground_truth is not None:
        predicted = matched(predicted, ground_truth)
    for column, t in enumerate(shown):
        pictures = [frames[t], None, overlay(frames[t], predicted[t])]
        if ground_truth is not None:
            pictures.append(overlay(frames[t], ground_truth[t]))
        for row, picture in enumerate(pictures):
            if picture is not None:
                axes[row, column].imshow(picture)
        foreground = resized(predicted[t] != BACKGROUND, tags.shape[1:3])
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        if vectors:
            colours = np.dstack([plane_colours(tags[t], low, high), foreground])
            axes[1, column].imshow(colours, extent=extent)
        else:
            image = axes[1, column].imshow(
                np.ma.masked_where(~foreground, tags[t]),
                cmap="viridis",
                vmin=low,
                vmax=high,
                extent=extent,
            )
        axes[1, column].set_facecolor("black")
        axes[1, column].set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        draw_objects(axes[2, column], predicted[t], width=0.8)
        if ground_truth is not None:
            draw_objects(axes[1, column], ground_truth[t], numbers=False)
            draw_objects(axes[3, column], ground_truth[t], width=0.8)
        axes[0, column].set_title(f"t = {t}", fontsize=9)
    for row, name in enumerate(rows):
        axes[row, 0].set_ylabel(name, fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    if not vectors:
        figure.colorbar(image, ax=axes, label="tag", fraction=0.05, shrink=1 / len(rows))
    figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


def tag_histogram(
    tags: np.ndarray, ids: np.ndarray, modes: Mapping[int, float | np.ndarray], *, title: str
) -> Figure:
    """Tags of each instance along the tag line, with the modes that the clustering found.

    Vectors are points in a plane instead, and the modes crosses.

    Args:
        tags: float, T x h x w [x K].
        ids: uint8, T x h x w: which instance each pixel belongs to.
        modes: tag of each predicted instance.
        title: what the reader should take away.
    """
    if tags.ndim == 4:
        figure = Figure(figsize=(4.5, 4), layout="constrained")
        draw_plane(figure.subplots(), tags, ids, modes)
        figure.suptitle(title, fontsize=10, parse_math=False)
        return figure
    figure = Figure(figsize=(6, 2.4), layout="constrained")
    axis = figure.subplots()
    instances = [n for n in np.unique(ids).tolist() if n not in (BACKGROUND, VOID)]
    colours = instance_colours() / 255
    if instances:
        values = [tags[ids == n] for n in instances]
        low, high = map(float, _tag_range(tags, ids))
        bins = np.linspace(low, high, 80).tolist()
        axis.hist(
            values,
            bins=bins,
            stacked=True,
            color=[colours[n] for n in instances],
            label=[f"instance {name_of(n)}" for n in instances],
            edgecolor="#333333",
            linewidth=0.3,
        )
        columns = 1 + (len(instances) - 1) // 10
        figure.legend(loc="outside right upper", fontsize=8, ncols=columns)
    else:
        axis.text(0.5, 0.5, "no instance found", ha="center", transform=axis.transAxes)
        axis.set_xticks([])
        axis.set_yticks([])
    for mode in modes.values():
        axis.axvline(float(mode), color="black", linewidth=1, linestyle="--")
    axis.set_xlabel("tag (dashed: the modes found)")
    axis.set_ylabel("pixels of the clip")
    axis.set_title(title, fontsize=10, parse_math=False)
    return figure


def tag_pictures(
    tags: np.ndarray, ids: np.ndarray, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Tag maps as a clip to play: viridis inside instances, faint outside, at the size of the tags.

    Args:
        tags: float, T x h x w [x K].
        ids: uint8, T x H x W: the instances.
        limits: tags of the darkest and the lightest colour; all but stray ones when not given.

    Returns:
        uint8, T x h x w x 3.
    """
    vectors = tags.ndim == 4
    if vectors:
        tags = tags @ plane_axes(tags, resized(ids, tags.shape[1:3]))
    low, high = limits or _tag_range(tags, ids)
    if vectors:
        shades = plane_colours(tags, low, high)
    else:
        share = np.clip((tags - low) / (high - low), 0, 1)
        shades = matplotlib.colormaps["viridis"](share)[..., :3]
    inside = resized(ids != BACKGROUND, tags.shape[1:3])[..., None]
    return np.round(255 * np.where(inside, shades, 0.25 * shades)).astype(np.uint8)


def plane_axes(tags: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Two directions to show tags of K > 1 numbers in, K x 2: `tags @ axes` are points in a plane.

    Two numbers stay as they are; more are seen along the two directions in which the tags of the
    instances in `ids`, T x h x w, spread most.
    """
    if tags.shape[-1] == 2:
        return np.eye(2)
    inside = (
        tags[ids != BACKGROUND] if (ids != BACKGROUND).any() else tags.reshape(-1, tags.shape[-1])
    )
    axes: np.ndarray = np.linalg.svd(inside - inside.mean(axis=0), full_matrices=False)[2][:2].T
    return axes


def plane_colours(
    points: np.ndarray, low: np.ndarray | float, high: np.ndarray | float
) -> np.ndarray:
    """Colours, float, ... x 3, of points ... x 2 by their place between two corners."""
    x, y = np.moveaxis(np.clip((points - low) / (high - low), 0, 1), -1, 0)[..., None]
    bottom, top = ((1 - x) * left + x * right for left, right in CORNERS)
    colours: np.ndarray = (1 - y) * bottom + y * top
    return colours


def draw_plane(
    axis: Axes, tags: np.ndarray, ids: np.ndarray, modes: Mapping[int, float | np.ndarray]
) -> None:
    """Vector tags of instances as points in a plane, and the modes of the clustering as crosses.

    Args:
        axis: to draw on.
        tags: float, T x h x w x K.
        ids: uint8, T x h x w.
        modes: K numbers of each predicted instance.
    """
    axes, colours = plane_axes(tags, ids), instance_colours() / 255
    inside = np.flatnonzero((ids != BACKGROUND) & (ids != VOID))
    some = inside[:: 1 + len(inside) // MOST_POINTS]
    points = tags.reshape(-1, tags.shape[-1])[some] @ axes
    axis.scatter(points[:, 0], points[:, 1], s=3, linewidths=0, color=colours[ids.ravel()[some]])
    for mode in modes.values():
        axis.plot(*(mode @ axes), "k+", markersize=9)
    axis.set_aspect("equal", adjustable="datalim")
    numbers = "first", "second"
    if tags.shape[-1] > 2:
        numbers = "first direction", "second direction"
    axis.set(xlabel=f"tag, {numbers[0]}", ylabel=f"tag, {numbers[1]} (crosses: modes)")


def _tag_range(tags: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """From and to what there are tags of instances, but for stray ones; of each number [x K]."""
    small = resized(ids != BACKGROUND, tags.shape[1:3])
    values = tags[small] if small.any() else tags.reshape(small.size, *tags.shape[3:])
    low, high = np.quantile(values, [0.005, 0.995], axis=0)
    margin = 0.05 * (high - low) + 1e-3
    return np.stack([low - margin, high + margin])


def png(figure: Figure) -> bytes:
    """The figure as a PNG file, 80 dots an inch, on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, facecolor="white", pil_kwargs={"optimize": True})
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format its suffix names.

    Raises:
        ValueError: no suffix, or one of a format that matplotlib does not write.
    """
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in formats:
        raise ValueError(f"{path}: figures are written as {', '.join(formats)}; change the suffix")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90)
