"""A training that is watched: frame, tag map, tags of each object and curves as it runs."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import numpy as np
import torch
from IPython.core.getipython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from torch import nn

from tagvis_lite.video import BACKGROUND, VOID, Clip
from tagvis_lite.views.objects import colour_of, draw_objects, resized
from tagvis_lite.views.picture import alternative_text, picture


class LiveTraining:
    """Draws what a network makes of one clip, again and again, and the losses so far.

        with LiveTraining(network, probe, frames, steps=400, alt="...") as watch:
            for step in range(400):
                ...
                watch(tagging=float(loss.tagging), semantic=float(loss.cross_entropy))

    In a notebook one picture is refreshed in its place, and the last one stays with it; in a
    terminal, or with `live=False`, there is one line. The network is looked at in evaluation mode,
    so its batch statistics stay as they are.

    Attributes:
        losses: name and values of each loss, one for each step.
        drawn: pictures so far.
    """

    def __init__(
        self,
        network: nn.Module,
        probe: Clip,
        frames: np.ndarray,
        *,
        steps: int,
        alt: str,
        live: bool = True,
        seconds: float = 2.0,
    ) -> None:
        """Watch `network` on `probe`.

        Args:
            network: that is trained; called with frames B x 3 x T x H x W.
            probe: one clip without batch dimension, not of the training set.
            frames: uint8, T x H x W x 3: the frames of the probe, to be shown.
            steps: of the whole training.
            alt: what the last picture shows, in words, at least six.
            live: draw while the loop runs; give `not OUT`, and a run without a reader draws once.
            seconds: between two pictures, at least; drawing takes a twentieth of the time at most.
        """
        self.network, self.probe, self.frames = network, probe, frames
        self.steps, self.alt, self.seconds = steps, alternative_text(alt), seconds
        in_notebook = getattr(get_ipython(), "kernel", None) is not None
        self.live, self.in_notebook = live and in_notebook, in_notebook
        self.losses: dict[str, list[float]] = {}
        self.drawn = 0
        self._handle: Any = None
        self._next = 0.0

    def __enter__(self) -> LiveTraining:
        return self

    def __call__(self, **losses: float) -> None:
        """Note the losses of one step, and draw if it is time."""
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(float(value))
        if time.monotonic() < self._next:
            return
        if self.live:
            began = time.monotonic()
            self._show()
            self._next = time.monotonic() + max(self.seconds, 19 * (time.monotonic() - began))
        elif not self.in_notebook:
            print(f"\r{self.line()}", end="", flush=True)
            self._next = time.monotonic() + self.seconds

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the end, also of a training that was stopped."""
        if not self.losses:
            return
        if self.in_notebook:
            self._show()
        else:
            print(f"\r{self.line()}")

    def line(self) -> str:
        """Step and losses, in one line."""
        done = len(next(iter(self.losses.values()), []))
        values = ", ".join(f"{name} {values[-1]:.3g}" for name, values in self.losses.items())
        return f"step {done} of {self.steps}: {values}"

    def _show(self) -> None:
        drawn = picture(self.draw(), f"{self.alt} ({self.line()})")
        if self._handle is None:
            self._handle = display(drawn, display_id=True)
        else:
            self._handle.update(drawn)
        self.drawn += 1

    def draw(self) -> Figure:
        """The picture of this moment."""
        tags, ids = self._tags(), self.probe.ids.numpy().astype(np.uint8)
        figure = Figure(figsize=(8.8, 2.6), layout="constrained")
        frame, tag_map, heaps, curves = figure.subplots(1, 4, width_ratios=(1, 1, 1.3, 1.5))
        middle = len(ids) // 2
        frame.imshow(self.frames[middle])
        draw_objects(frame, ids[middle], self.frames.shape[1:3])
        frame.set_title("frame, true masks")
        first = tags[middle, ..., 0]
        tag_map.imshow(first, cmap="viridis")
        draw_objects(tag_map, resized(ids[middle], first.shape), numbers=False)
        tag_map.set_title("its tags")
        for axis in (frame, tag_map):
            axis.set(xticks=[], yticks=[])
        self._draw_tags(heaps, tags, resized(ids, tags.shape[1:3]))
        for name, values in self.losses.items():
            curves.plot(np.arange(1, len(values) + 1), values, linewidth=1, label=name)
        curves.set(xlim=(0, self.steps), yscale="log", xlabel="step", title="loss")
        curves.legend(fontsize=7)
        figure.suptitle(self.line(), fontsize=9)
        return figure

    def _draw_tags(self, axis: Any, tags: np.ndarray, ids: np.ndarray) -> None:
        """A histogram by object, or, of tags of two numbers, a plane."""
        objects = np.setdiff1d(ids, [BACKGROUND, VOID]).tolist()
        values = {n: tags[ids == n] for n in objects}
        if tags.shape[-1] > 1:
            for n, own in values.items():
                axis.scatter(own[:400, 0], own[:400, 1], s=3, color=colour_of(n), label=f"{n}")
            axis.set(xlabel="first number", ylabel="second number", title="tags of objects")
            return
        own = [v[:, 0] for v in values.values()]
        edges = np.histogram_bin_edges(np.concatenate(own) if own else tags.ravel(), 50)
        for n, v in zip(objects, own, strict=True):
            counts = np.histogram(v, edges)[0]
            axis.stairs(counts, edges, fill=True, alpha=0.6, color=colour_of(n))
            axis.stairs(counts, edges, color="#333333", linewidth=0.6)
        axis.set(xlabel="tag", ylabel="pixels", title="tags of objects")

    def _tags(self) -> np.ndarray:
        """T x h x w x K tags of the probe, from the network as it is used."""
        training = self.network.training
        self.network.eval()
        device = next(self.network.parameters()).device
        with torch.no_grad():
            tags = self.network(self.probe.frames[None].to(device)).tags[0]
        self.network.train(training)
        whole = tags.float().cpu().numpy()
        return whole if whole.ndim == 4 else whole[..., None]
