"""Static figures used in more than one place, as matplotlib figures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tagvis_lite.atomic import replacing
from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views.objects import draw_objects, matched, name_of, resized
from tagvis_lite.views.overlay import instance_colours, overlay


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
        tags: float, T x h x w.
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
        foreground = resized(predicted[t] != BACKGROUND, tags.shape[1:])
        image = axes[1, column].imshow(
            np.ma.masked_where(~foreground, tags[t]),
            cmap="viridis",
            vmin=low,
            vmax=high,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
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
    figure.colorbar(image, ax=axes, label="tag", fraction=0.05, shrink=1 / len(rows))
    figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


def tag_histogram(
    tags: np.ndarray, ids: np.ndarray, modes: Mapping[int, float | np.ndarray], *, title: str
) -> Figure:
    """Tags of each instance along the tag line, with the modes that the clustering found.

    Args:
        tags: float, T x h x w.
        ids: uint8, T x h x w: which instance each pixel belongs to.
        modes: tag of each predicted instance.
        title: what the reader should take away.
    """
    figure = Figure(figsize=(6, 2.4), layout="constrained")
    axis = figure.subplots()
    instances = [n for n in np.unique(ids).tolist() if n not in (BACKGROUND, VOID)]
    colours = instance_colours() / 255
    if instances:
        values = [tags[ids == n] for n in instances]
        bins = np.linspace(*_tag_range(tags, ids), 80).tolist()
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
        tags: float, T x h x w.
        ids: uint8, T x H x W: the instances.
        limits: tags of the darkest and the lightest colour; all but stray ones when not given.

    Returns:
        uint8, T x h x w x 3.
    """
    low, high = limits or _tag_range(tags, ids)
    shades = matplotlib.colormaps["viridis"](np.clip((tags - low) / (high - low), 0, 1))[..., :3]
    inside = resized(ids != BACKGROUND, tags.shape[1:])[..., None]
    return np.round(255 * np.where(inside, shades, 0.25 * shades)).astype(np.uint8)


def _tag_range(tags: np.ndarray, ids: np.ndarray) -> tuple[float, float]:
    """Range that holds all but stray tags of the instances."""
    small = resized(ids != BACKGROUND, tags.shape[1:])
    values = tags[small] if small.any() else tags
    low, high = np.quantile(values, [0.005, 0.995])
    margin = 0.05 * (high - low) + 1e-3
    return float(low - margin), float(high + margin)


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
