"""Tags as free parameters: what a loss does to tags when no network stands in between.

Lessons 03 to 07 put a few tags on a line and let them roll down a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from tagvis_lite.views.overlay import COLOURS


def descend(
    tags: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    steps: int = 200,
    learning_rate: float = 0.05,
) -> Tensor:
    """Plain gradient descent on the tags themselves.

    Args:
        tags: where they start, any shape.
        loss: tags to a scalar.
        steps: number of steps.
        learning_rate: step size.

    Returns:
        steps + 1 x shape of `tags`: the tags before the first step and after each.
    """
    moving = tags.detach().clone().requires_grad_(True)
    history = [tags.detach().clone()]
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(moving), moving)
        with torch.no_grad():
            moving -= learning_rate * gradient
        history.append(moving.detach().clone())
    return torch.stack(history)


def draw_line(
    axis: Axes, tags: np.ndarray | Tensor, ids: Sequence[int] | np.ndarray | Tensor
) -> None:
    """Tags of one moment as dots on a line, a row and a colour for each instance.

    Args:
        axis: to draw on.
        tags: P values.
        ids: instance id of each; 1 and above.
    """
    tags, ids = np.asarray(tags).ravel(), np.asarray(ids).ravel()
    instances = np.unique(ids)
    for row, n in enumerate(instances):
        own = tags[ids == n]
        axis.scatter(
            own, np.full(len(own), -row), s=22, color=_colour(n), alpha=0.7, label=f"n = {n}"
        )
    axis.set_yticks(range(0, -len(instances), -1), [f"{n}" for n in instances])
    axis.set_ylim(-len(instances) + 0.4, 0.6)
    axis.set_xlabel("tag")
    axis.set_ylabel("instance n")


def draw_paths(
    axis: Axes, history: np.ndarray | Tensor, ids: Sequence[int] | np.ndarray | Tensor
) -> None:
    """Tags against descent steps: one thin line per tag, a colour for each instance.

    Args:
        axis: to draw on.
        history: steps + 1 x P, as `descend` returns for P tags.
        ids: instance id of each tag; 1 and above.
    """
    history, ids = np.asarray(history), np.asarray(ids).ravel()
    history = history.reshape(len(history), -1)
    for n in np.unique(ids):
        lines = axis.plot(history[:, ids == n], color=_colour(n), linewidth=1.2, alpha=0.8)
        lines[0].set_label(f"n = {n}")
    axis.set_xlabel("step of gradient descent")
    axis.set_ylabel("tag")


def draw_frames(axis: Axes, tags: np.ndarray | Tensor, ids: np.ndarray | Tensor) -> None:
    """Tags against frames: a dot per pixel and the mean of each instance in each frame, joined.

    Args:
        axis: to draw on.
        tags: T x P.
        ids: T x P: instance id of each; 1 and above, 0 for a pixel of no instance.
    """
    tags, ids = np.asarray(tags), np.asarray(ids)
    frames = np.arange(len(tags))
    for n in np.unique(ids[ids > 0]):
        own = ids == n
        t, _ = np.nonzero(own)
        axis.scatter(t, tags[own], s=10, color=_colour(n), alpha=0.4, linewidths=0)
        seen = own.any(axis=1)
        means = [tags[k][own[k]].mean() if seen[k] else np.nan for k in frames]
        axis.plot(frames, means, color=_colour(n), linewidth=1.5, label=f"n = {n}")
    axis.set_xticks(frames)
    axis.set_xlabel("frame t")
    axis.set_ylabel("tag")


def _colour(n: int) -> str:
    return COLOURS[(int(n) - 1) % len(COLOURS)]
