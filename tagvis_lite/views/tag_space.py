"""The tag space: one prediction in four linked views, clustered again as sliders move.

The frame with its instances, the tag map, the tags of each frame as a histogram with the modes, and
tags against frames. Tags of several numbers are points in a plane instead of a histogram, and it is
their first number that is drawn against frames. `recluster` is the package's own clustering at
another threshold and bandwidth, `draw_tag_space` the four views as a figure, and `TagSpace` the
views in a browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import traitlets
from matplotlib.figure import Figure

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances import Instances, Prepared, cluster_instances, prepare
from tagvis_lite.video import BACKGROUND, Prediction
from tagvis_lite.views.figures import draw_plane, plane_axes, plane_colours
from tagvis_lite.views.objects import draw_objects, name_of, numbers_like, renumbered, resized
from tagvis_lite.views.overlay import UNMATCHED, instance_colours, overlay
from tagvis_lite.views.picture import picture
from tagvis_lite.views.view import View, script, shrunk

BINS = 60
LONGEST_SIDE = 256
"""Pictures of the frames are made smaller for the browser, to this."""


def recluster(
    prediction: Prediction | Prepared, config: InferenceConfig, threshold: float, bandwidth: float
) -> Instances:
    """Instances at another threshold of the foreground and another bandwidth.

    Args:
        prediction: of one clip, or, to do this often, what `prepare` made of it.
        config: all other choices.
        threshold: pixels count if background is less likely than 1 - threshold.
        bandwidth: of the density of tags.

    Raises:
        ValueError: see `cluster_instances`.
    """
    chosen = replace(config, foreground=threshold, bandwidth=bandwidth)
    return cluster_instances(prediction, chosen)


def histogram(tags: np.ndarray, ids: np.ndarray, edges: np.ndarray) -> dict[int, np.ndarray]:
    """Pixels of each instance in each bin of tags; tags beyond the edges are in the outer bins."""
    bins = np.clip(np.searchsorted(edges, tags, side="right") - 1, 0, len(edges) - 2)
    found = np.unique(ids[ids != BACKGROUND]).tolist()
    return {n: np.bincount(bins[ids == n], minlength=len(edges) - 1) for n in found}


def draw_tag_space(
    figure: Figure,
    frames: np.ndarray,
    tags: np.ndarray,
    instances: Instances,
    t: int,
    title: str,
) -> None:
    """The four views of frame t.

    Args:
        figure: to draw on.
        frames: uint8, T x H x W x 3.
        tags: T x h x w [x K].
        instances: of the clip, ids T x h x w.
        t: frame of the first three views.
        title: what the reader should see.
    """
    (frame, tag_map), (heaps, tracks) = figure.subplots(2, 2)
    ids, colours = instances.ids, instance_colours() / 255
    frame.imshow(overlay(frames[t], resized(ids[t], frames.shape[1:3])))
    draw_objects(frame, ids[t], frames.shape[1:3], width=0.8)
    frame.set_title(f"frame {t}")
    opacity = np.where(ids[t] == BACKGROUND, 0.27, 1.0)
    if tags.ndim == 4:
        draw_plane(heaps, tags[t, None], ids[t, None], instances.modes)
        heaps.set_title("points in a plane, and modes")
        tags = tags @ plane_axes(tags, ids)
        low, high = _limits(tags, ids)
        tag_map.imshow(np.dstack([plane_colours(tags[t], low, high), opacity]))
        tags, low, high = tags[..., 0], low[0], high[0]
    else:
        low, high = _limits(tags, ids)
        tag_map.imshow(tags[t], vmin=low, vmax=high, cmap="viridis", alpha=opacity)
        edges = np.linspace(low, high, BINS + 1)
        base = np.zeros(BINS)
        for n, counts in histogram(tags[t], ids[t], edges).items():
            heaps.stairs(base + counts, edges, baseline=base, fill=True, color=colours[n])
            heaps.stairs(base + counts, edges, color="#333333", linewidth=0.6)
            base += counts
            heaps.axvline(float(instances.modes[n]), color="black", linewidth=0.8, linestyle=":")
        heaps.set(xlabel="tag", ylabel="pixels", xlim=(low, high))
        heaps.set_title("heaps, and modes of the clip")
    draw_objects(tag_map, ids[t])
    tag_map.set_title("its tags, faint outside")
    for axis in (frame, tag_map):
        axis.set(xticks=[], yticks=[])
    for n in instances.modes:
        seen = np.flatnonzero((ids == n).any(axis=(1, 2)))
        means = np.array([tags[k][ids[k] == n].mean() for k in seen])
        spreads = np.array([tags[k][ids[k] == n].std() for k in seen])
        tracks.plot(seen, means, color="#333333", linewidth=2.4)
        tracks.plot(seen, means, color=colours[n], linewidth=1.6)
        tracks.annotate(name_of(n), (seen[-1], means[-1]), (4, -3), textcoords="offset points")
        tracks.fill_between(seen, means - spreads, means + spreads, color=colours[n], alpha=0.25)
    tracks.axvline(t, color="black", linewidth=0.8)
    tracks.set(xlabel="frame", ylabel="tag", ylim=(low, high))
    tracks.set_title("tags against frames")
    figure.suptitle(title)


class TagSpace(View):
    """Frame, tag map, histogram and tracks, linked; hover a pixel to find it in all of them.

    The frame slider and the pixel under the mouse, or moved by arrow keys, stay in the browser.
    Threshold and bandwidth go to the kernel, which clusters again.

    Traits:
        frames: bytes, uint8, T x H x W x 3. `size` is T, H, W, h, w.
        tags: bytes, float32, T x h x w, and `limits`, the tags that the views show. Of tags of
            several numbers the first, or what is shown for it; `across` is then the second, and
            `limits` has its two after those of the first.
        ids: bytes, uint8, T x h x w.
        instances: for each id its name, mode, category and score.
        frame: that is shown.
        threshold, bandwidth: what the sliders stand at.
        problem: why these could not be used; empty if they could.
        colours, shades: bytes, uint8, 256 x 3: of ids, and of tags from low to high.
    """

    _esm = script("tag_space.js")
    heavy = ("frames", "tags", "across", "ids")
    frames = traitlets.Bytes().tag(sync=True)
    tags = traitlets.Bytes().tag(sync=True)
    across = traitlets.Bytes().tag(sync=True)
    ids = traitlets.Bytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    limits = traitlets.List(traitlets.Float()).tag(sync=True)
    instances = traitlets.Dict().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    threshold = traitlets.Float().tag(sync=True)
    bandwidth = traitlets.Float().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Bytes(instance_colours().tobytes()).tag(sync=True)
    shades = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        frames: np.ndarray,
        prediction: Prediction,
        config: InferenceConfig,
        *,
        title: str,
        alt: str,
        categories: Mapping[int, str] | None = None,
        truth: np.ndarray | None = None,
        frame: int = 0,
    ) -> None:
        """Show a prediction.

        Args:
            frames: uint8, T x H x W x 3: those the network saw, as they are to be shown.
            prediction: of these frames, without a batch dimension.
            config: where the sliders begin, and all other choices of the clustering.
            title: what the reader should see in the picture in its place.
            alt: text in its place.
            categories: name of each category.
            truth: uint8, T x H x W: instances that match an object of it have its number and
                colour, and the others are grey. Without it, numbers are as first found. Either way
                an instance keeps its number while sliders move.
            frame: that is shown first.

        Raises:
            ValueError: another number of frames than of tag maps, or see `cluster_instances`.
        """
        tags = prediction.tags.detach().float().cpu().numpy()
        if len(frames) != len(tags):
            raise ValueError(
                f"{len(frames)} frames and {len(tags)} tag maps: give the frames the network saw"
            )
        self._prepared, self._config = prepare(prediction), config
        self._categories = dict(categories or {})
        found = recluster(self._prepared, config, config.foreground, config.bandwidth)
        self._like, self._others = found.ids, range(1, 255)
        if truth is not None:
            self._like, self._others = truth, UNMATCHED
        found = self._named(found)
        figure = Figure(figsize=(7.2, 5.4), layout="constrained")
        draw_tag_space(figure, frames, tags, found, frame, title)
        small = np.stack([shrunk(picture, LONGEST_SIDE) for picture in frames])
        shades = matplotlib.colormaps["viridis"](np.arange(256))[:, :3]
        self._axes, across = np.eye(1), b""
        if tags.ndim == 4:
            self._axes = plane_axes(tags, found.ids)
            tags = tags @ self._axes
            across = tags[..., 1].astype(np.float32).tobytes()
            places = np.stack(np.meshgrid(*[np.linspace(0, 1, 16)] * 2), axis=-1)
            shades = plane_colours(places, np.zeros(2), np.ones(2)).reshape(256, 3)
        limits = np.stack(_limits(tags, found.ids), axis=-1)
        super().__init__(
            picture(figure, alt),
            frames=small.tobytes(),
            tags=(tags[..., 0] if across else tags).astype(np.float32).tobytes(),
            across=across,
            size=[*small.shape[:3], *tags.shape[1:3]],
            limits=limits.ravel().tolist(),
            frame=frame,
            threshold=config.foreground,
            bandwidth=config.bandwidth,
            shades=(255 * shades).round().astype(np.uint8).tobytes(),
            **self._as_traits(found),
        )
        self.observe(self._recluster, names=["threshold", "bandwidth"])

    def _as_traits(self, found: Instances) -> dict[str, Any]:
        table = {}
        for n, mode in found.modes.items():
            category = found.categories[n]
            name = self._categories.get(category, f"category {category}")
            shown = mode if isinstance(mode, float) else (mode @ self._axes).tolist()
            own = {"mode": shown, "category": name, "score": found.scores[n]}
            table[str(n)] = {"name": name_of(n), **own}
        return {"ids": found.ids.tobytes(), "instances": table}

    def _named(self, found: Instances) -> Instances:
        """The same instances under the numbers of the objects or instances that they match."""
        numbers = numbers_like(found.ids, self._like, self._others)
        of = {name: getattr(found, name) for name in ("modes", "categories", "scores")}
        renamed = {name: {numbers[n]: v for n, v in values.items()} for name, values in of.items()}
        return replace(found, ids=renumbered(found.ids, numbers), **renamed)

    def _recluster(self, _change: object) -> None:
        chosen = [self.threshold, self.bandwidth]
        try:
            again = recluster(self._prepared, self._config, *chosen)
            found, problem = self._as_traits(self._named(again)), ""
        except ValueError as error:
            found, problem = {}, str(error)
        with self.hold_sync():
            for name, value in {**found, "problem": problem}.items():
                self.set_trait(name, value)


def _limits(tags: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The range of tags that is drawn: nearly all those of instances, or all if there are none."""
    inside = tags[ids != BACKGROUND]
    if not len(inside):
        inside = tags.reshape(ids.size, *tags.shape[3:])
    low, high = np.quantile(inside, [0.005, 0.995], axis=0)
    room = 0.15 * (high - low) + 0.1
    return low - room, high + room
