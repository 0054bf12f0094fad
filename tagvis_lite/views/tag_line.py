"""The tag line: tags as free parameters that move under the losses a reader chooses.

`scatter` puts tags on a line, `roll` lets them roll down L_tagging of eq. (6), with the package's
own losses; `TagLine` shows every step of the way and rolls again when a reader changes something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import tagging_loss, tagging_terms
from tagvis_lite.views.free_tags import descend, draw_frames, draw_line
from tagvis_lite.views.overlay import COLOURS
from tagvis_lite.views.picture import picture
from tagvis_lite.views.view import View, script

TERMS = ("spectra", "specter", "tempra", "temper")
MOST_INSTANCES = 8


@dataclass(frozen=True)
class Roll:
    """The way of tags down a loss.

    Attributes:
        tags: float32, steps + 1 x T x P; before the first step and after each.
        terms: the four terms of eq. (6) at each of them, unweighted; steps + 1 values each.
    """

    tags: np.ndarray
    terms: dict[str, np.ndarray]


def scatter(
    instances: int, frames: int = 1, pixels: int = 8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Tags that no loss has moved yet: noise around a random mean of each instance in each frame.

    Args:
        instances: N, 1 to 8.
        frames: T.
        pixels: of each instance in each frame.
        seed: of the random numbers.

    Returns:
        tags, float32, and ids 1..N, int64, both T x N * pixels.

    Raises:
        ValueError: no instance, or more than 8.
    """
    if not 1 <= instances <= MOST_INSTANCES:
        raise ValueError(f"{instances} instances: the tag line shows 1 to {MOST_INSTANCES}")
    draws = np.random.default_rng(seed)
    means = draws.uniform(-1.5, 1.5, (1, instances)) + draws.normal(0, 0.5, (frames, instances))
    ids = np.tile(np.repeat(np.arange(1, instances + 1), pixels), (frames, 1))
    tags = np.repeat(means, pixels, axis=1) + draws.normal(0, 0.4, ids.shape)
    return tags.astype(np.float32), ids


def roll(
    tags: np.ndarray,
    ids: np.ndarray,
    config: LossConfig,
    *,
    tag_range: str = "unbounded",
    steps: int = 80,
    learning_rate: float = 0.05,
) -> Roll:
    """Plain gradient descent of the tags themselves on L_tagging, eq. (6), with all pixels.

    Args:
        tags: T x P, where they start.
        ids: T x P, instance id of each, 1 and above.
        config: terms and their weights, margin, reduction.
        tag_range: `sigmoid` moves the logits of tags in (0, 1), D8.
        steps: of the descent.
        learning_rate: twice this share of its distance from the mean is what L_spectra alone
            takes off a tag at each step, with either reduction and any number of tags.

    Raises:
        ValueError: tags that are not finite, or of another shape than ids.
    """
    if tags.shape != ids.shape or tags.ndim != 2 or not np.isfinite(tags).all():
        raise ValueError(
            f"tags are {tags.shape} and ids {ids.shape}: expected finite tags and both T x P"
        )
    labels = torch.as_tensor(ids)[None, :, None, :]
    config = replace(config, pixels_per_instance=None)
    start = torch.tensor(tags, dtype=torch.float32)[None, :, None, :]
    bounded = tag_range == "sigmoid"
    if bounded:
        start = torch.logit(start.clamp(0.001, 0.999))

    def as_tags(values: Tensor) -> Tensor:
        return torch.sigmoid(values) if bounded else values

    terms_averaged = ids.size if config.reduction == "mean" else len(np.unique(ids))
    way = descend(
        start,
        lambda values: tagging_loss(as_tags(values), labels, config),
        steps=steps,
        learning_rate=learning_rate * terms_averaged,
    )
    seen = [as_tags(values) for values in way]
    terms = [tagging_terms(values, labels, config) for values in seen]
    return Roll(
        torch.stack(seen)[:, 0, :, 0].numpy(),
        {name: np.array([float(term[name]) for term in terms]) for name in TERMS},
    )


def draw_roll(figure: Figure, way: Roll, ids: np.ndarray, title: str) -> None:
    """Start, middle and end of a way side by side: dots on a line, or tags against frames."""
    last = len(way.tags) - 1
    shown = (0, last // 4, last)
    for axis, step in zip(figure.subplots(1, 3), shown, strict=True):
        if len(ids) == 1:
            draw_line(axis, way.tags[step], ids)
            axis.set_xlim(way.tags.min() - 0.3, way.tags.max() + 0.3)
        else:
            draw_frames(axis, way.tags[step], ids)
            axis.set_ylim(way.tags.min() - 0.3, way.tags.max() + 0.3)
        axis.set_title(f"step {step}")
    figure.suptitle(title)


class TagLine(View):
    """Tags that roll down chosen losses; play, step, drag a dot, change the losses.

    Steps, play and the read-outs run in the browser. A change of N, margin, terms, reduction or
    range, and a dot that was moved, roll again in the kernel, from the step that is shown.

    Traits:
        way, terms: bytes of `Roll.tags` and of its terms, float32, terms in the order of `TERMS`.
        shape: steps + 1, T, P.
        ids: bytes, uint8, T x P.
        step: that is shown.
        instances, margin, on, reduction, tag_range: what the controls stand at; `on` are the terms
            that pull and push.
        moved: a dot put elsewhere by hand: frame, pixel, its new tag and the step it was moved at.
    """

    _esm = script("tag_line.js")
    way = traitlets.Bytes().tag(sync=True)
    terms = traitlets.Bytes().tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)
    ids = traitlets.Bytes().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    instances = traitlets.Int(3).tag(sync=True)
    margin = traitlets.Float(3.0).tag(sync=True)
    on = traitlets.List(traitlets.Unicode(), list(TERMS)).tag(sync=True)
    reduction = traitlets.Unicode("mean").tag(sync=True)
    tag_range = traitlets.Unicode("unbounded").tag(sync=True)
    moved = traitlets.List(traitlets.Float()).tag(sync=True)
    colours = traitlets.List(COLOURS).tag(sync=True)

    def __init__(
        self,
        tags: np.ndarray | Tensor,
        ids: np.ndarray | Tensor,
        *,
        on: Sequence[str] = TERMS,
        title: str,
        alt: str,
        margin: float = 3.0,
        reduction: str = "mean",
        tag_range: str = "unbounded",
        seed: int = 0,
    ) -> None:
        """Start with `tags`, T x P, of instances `ids`, 1..N.

        Args:
            tags: where they start; in (0, 1) for the sigmoid range.
            ids: instance of each tag.
            on: names of the terms that act at first, of `TERMS`.
            title: what the reader should take away from the picture in its place.
            alt: text in its place.
            margin: G.
            reduction: of the terms, D10.
            tag_range: unbounded or sigmoid, D8.
            seed: of new tags when the reader changes N.
        """
        self._tags, self._ids = np.asarray(tags, np.float32), np.asarray(ids, np.int64)
        self._start, self._seed = self._tags, seed
        losses = _losses(margin, on, reduction)
        first = roll(self._tags, self._ids, losses, tag_range=tag_range)
        figure = Figure(figsize=(7.5, 2.6 if len(self._ids) == 1 else 3.0), layout="constrained")
        draw_roll(figure, first, self._ids, title)
        super().__init__(
            picture(figure, alt),
            instances=int(self._ids.max()),
            margin=margin,
            on=list(on),
            reduction=reduction,
            tag_range=tag_range,
            **self._as_traits(first),
        )
        self.observe(self._scatter_again, names="instances")
        self.observe(self._change_range, names="tag_range")
        self.observe(self._roll_again, names=["margin", "on", "reduction"])
        self.observe(self._move, names="moved")

    def _as_traits(self, way: Roll) -> dict[str, Any]:
        return {
            "way": way.tags.astype(np.float32).tobytes(),
            "terms": np.stack([way.terms[name] for name in TERMS]).astype(np.float32).tobytes(),
            "shape": list(way.tags.shape),
            "ids": self._ids.astype(np.uint8).tobytes(),
        }

    def _roll_again(self, _change: object = None) -> None:
        losses = _losses(self.margin, self.on, self.reduction)
        way = roll(self._tags, self._ids, losses, tag_range=self.tag_range)
        with self.hold_sync():
            self.step = 0
            self.set_trait("shape", list(way.tags.shape))
            for name, value in self._as_traits(way).items():
                self.set_trait(name, value)

    def _scatter_again(self, _change: object) -> None:
        frames, pixels = len(self._ids), self._ids.shape[1]
        each = max(1, pixels // len(np.unique(self._ids)))
        self._start, self._ids = scatter(self.instances, frames, each, self._seed)
        self._change_range()

    def _change_range(self, _change: object = None) -> None:
        """Begin again, with tags that the range allows."""
        self._tags = self._start
        outside = self._tags.min() <= 0 or self._tags.max() >= 1
        if self.tag_range == "sigmoid" and outside:
            self._tags = (1 / (1 + np.exp(-self._tags))).astype(np.float32)
        self._roll_again()

    def _move(self, _change: object) -> None:
        frame, pixel, tag, step = self.moved
        self._tags = np.frombuffer(self.way, np.float32).reshape(self.shape)[int(step)].copy()
        low, high = (0.001, 0.999) if self.tag_range == "sigmoid" else (-1e3, 1e3)
        self._tags[int(frame), int(pixel)] = np.clip(tag, low, high)
        self._roll_again()


def _losses(margin: float, on: Sequence[str], reduction: str) -> LossConfig:
    weights = {name: float(name in on) for name in TERMS}
    return LossConfig(margin=margin, reduction=reduction, **weights)  # type: ignore[arg-type]
