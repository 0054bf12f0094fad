"""Lesson 08: the first tag map, pixels that bear their own name, and a loss without push."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import tagging_loss
from tagvis_lite.views.free_tags import descend


def check_first_map(answer: Callable[[], str]) -> None:
    """A ramp."""
    given = answer()
    assert given in ("noise", "ramp", "objects"), "return 'noise', 'ramp' or 'objects'"
    assert given != "noise", (
        "neighbouring pixels see nearly the same, and convolutions are smooth: their tags are alike"
    )
    assert given != "objects", "that comes later: to know an object one has to see its outline"


def check_own_name(answer: Callable[[Tensor, Tensor], float]) -> None:
    """Background and void left out, means over the clip, a share of pixels."""
    ids = torch.tensor([[[1, 1, 1, 1], [2, 2, 0, 255]], [[1, 1, 1, 1], [2, 2, 0, 255]]])
    first = [[0.0, 0.0, 0.0, 0.5], [2.0, 1.2, 1.0, 9.0]]
    second = [[0.0, 0.0, 0.0, 1.6], [3.0, 3.0, 8.0, -9.0]]
    tags = torch.tensor([first, second])
    given = answer(tags, ids)
    assert given is not None, "return a number"
    value = float(given)
    right = 10 / 12
    wrong = {
        6.5 / 8: "that is the mean over objects: count pixels",
        12 / 12: "means are over the whole clip, not over each frame",
        10 / 16: "background and void are no objects: leave their pixels out",
    }
    for mistake, why in wrong.items():
        assert not math.isclose(value, mistake, abs_tol=1e-6), why
    renamed = float(answer(tags, torch.where(ids == 2, 7, ids)))
    assert math.isclose(renamed, value, abs_tol=1e-6), (
        "numbers of objects are names: 7 for 2 must change nothing"
    )
    assert math.isclose(value, right, abs_tol=1e-6), (
        f"10 of 12 object pixels are nearest to their own mean, {right:.3f}; you say {value:.3f}. "
        "Background and void have no mean and no pixels here"
    )


def check_no_push(answer: Callable[[LossConfig], LossConfig]) -> None:
    """Pixels gather; two objects a fifth apart stay so."""
    given = answer(LossConfig(pixels_per_instance=None))
    assert isinstance(given, LossConfig), f"return a LossConfig, not {type(given).__name__}"
    ids = torch.tensor([1, 2]).repeat_interleave(6)[None, None, None].expand(1, 3, 1, 12)
    noise = torch.linspace(-0.5, 0.5, 6).repeat(2)
    start = (0.2 * (ids == 2) + noise).float()
    end = descend(
        start,
        lambda tags: tagging_loss(tags, ids, replace(given, pixels_per_instance=None)).sum(),
        steps=300,
        learning_rate=1.0,
    )[-1]
    spread = max(end[ids == n].std().item() for n in (1, 2))
    gap = (end[ids == 2].mean() - end[ids == 1].mean()).abs().item()
    names = {"specter": given.specter, "temper": given.temper}
    pushing = [name for name, weight in names.items() if weight > 0]
    assert gap < 1, f"they part, to {gap:.1f}: L_{' and L_'.join(pushing)} still pushes"
    assert spread < 0.1, "the pixels of an object no longer gather: leave a pull in"
