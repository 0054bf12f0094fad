"""Figures 5 and 6 in the paper's layout, from our own predictions on held-out toy videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tagvis_lite.checkpoint import shipped
from tagvis_lite.clips import spread_indices
from tagvis_lite.data.toy import CATEGORIES, toy_split
from tagvis_lite.inference import look
from tagvis_lite.instances import cluster_instances
from tagvis_lite.runs import load_network
from tagvis_lite.views.overlay import instance_colours, overlay


def figures(videos: int = 4, columns: int = 5, frame_inches: float = 1.5) -> dict[str, Figure]:
    """Figures 5 and 6 in the paper's layout, a row for each video, from our own predictions."""
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    instances, classes, names = [], [], []
    for video in toy_split("test", videos):
        seen = look(network, video, config)
        prediction, kept = seen.prediction, seen.kept
        assert prediction.semantic_logits is not None
        shown = spread_indices(len(kept), columns)
        pictures = _in_grey(video.read_frames(kept[shown].tolist()))
        ids = cluster_instances(prediction, config.inference).ids[shown]
        semantic = prediction.semantic_logits.argmax(dim=0).numpy().astype(np.uint8)[shown]
        instances.append([overlay(f, i) for f, i in zip(pictures, ids, strict=True)])
        classes.append([overlay(f, s) for f, s in zip(pictures, semantic, strict=True)])
        names.append(video.name)
    by_instance = _grid(
        instances, names, frame_inches, "Instances found, one colour each, errors included"
    )
    by_class = _grid(
        classes, names, frame_inches, "Classes found, one colour each, errors included"
    )
    colours = instance_colours() / 255
    by_class.legend(
        handles=[Patch(color=colours[c], label=name) for c, name in CATEGORIES.items()],
        loc="outside lower center",
        ncols=len(CATEGORIES),
        fontsize=8,
        frameon=False,
    )
    return {"figure-5.png": by_instance, "figure-6.png": by_class}


def _in_grey(frames: np.ndarray) -> np.ndarray:
    """Frames T x H x W x 3 in few greys, whose files are small."""
    grey = 16 * (frames.mean(axis=-1, keepdims=True) / 16).round()
    return np.minimum(grey, 255).astype(np.uint8).repeat(3, axis=-1)


def _grid(
    rows: Sequence[Sequence[np.ndarray]], names: Sequence[str], inches: float, title: str
) -> Figure:
    size = (inches * len(rows[0]) + 0.2, inches * len(rows) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axis, picture in zip(axes.flat, [p for row in rows for p in row], strict=True):
        axis.imshow(picture, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name, fontsize=7)
    figure.suptitle(title, fontsize=11)
    return figure
