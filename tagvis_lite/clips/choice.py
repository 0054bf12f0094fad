"""Which frames of a video a clip has: spread evenly, or drawn with runs left out (section IV)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Generator

Drops = Literal["runs", "one_run", "every_gap", "fixed_stride"]


def spread_indices(num_frames: int, clip_frames: int) -> np.ndarray:
    """Choose `clip_frames` of `num_frames` frames evenly; the first and the last are kept.

    Strictly increasing when the video is long enough. A shorter video gives every frame at
    least once, in order, the repeats evenly spread. One clip frame is the video's first.

    Returns:
        int64, clip_frames: indices into the video.

    Raises:
        ValueError: a number below 1.
    """
    _require_frames(num_frames, clip_frames)
    return np.rint(np.linspace(0, num_frames - 1, clip_frames)).astype(np.int64)


def sample_indices(
    num_frames: int,
    clip_frames: int,
    max_drop: int,
    generator: Generator | None = None,
    drops: Drops = "runs",
) -> np.ndarray:
    """Choose the frames of a training clip: a random window with random runs left out.

    1. The number of dropped runs is uniform in 0..min(clip_frames - 1, frames to spare), and
       each run lies between another two neighbours of the clip, chosen at random.
    2. Each run has 1..`max_drop` frames, uniform. Once the runs together reach the frames the
       video has to spare, the one in hand is cut short and those still to come are empty.
    3. The window (kept and dropped frames) starts anywhere it fits, uniform.

    Other readings of 'dropping a random number of consecutive frames between 1 to 5' differ in step
    1 and 2: `one_run` in a clip; a run in `every_gap` of the clip; or all these of one length, a
    `fixed_stride`, and as many frames as the video has to spare.

    So neighbouring clip frames are 1..`max_drop` + 1 video frames apart. A video of fewer than
    `clip_frames` frames has none to drop and gives `spread_indices`.

    Args:
        num_frames: frames of the video.
        clip_frames: T, frames of the clip.
        max_drop: longest dropped run; 0 gives consecutive frames.
        generator: source of randomness; None is torch's global one.
        drops: where the runs are (docs/decisions.md, D18).

    Returns:
        int64, clip_frames: indices into the video, strictly increasing when
        num_frames >= clip_frames.

    Raises:
        ValueError: a number of frames below 1.
    """
    _require_frames(num_frames, clip_frames)
    spare = num_frames - clip_frames
    if spare < 0:
        return spread_indices(num_frames, clip_frames)

    steps = torch.ones(clip_frames, dtype=torch.int64)  # steps[0] leads to the window's start
    if max_drop > 0 and clip_frames > 1 and drops == "fixed_stride":
        steps[1:] += min(uniform(1, max_drop, generator), spare // (clip_frames - 1))
    elif max_drop > 0:
        runs = min(clip_frames - 1, spare)
        if drops == "runs":
            runs = uniform(0, runs, generator)
        elif drops == "one_run":
            runs = min(1, runs)
        lengths = torch.randint(1, max_drop + 1, (runs,), generator=generator)
        dropped = lengths.cumsum(0).clamp(max=spare).diff(prepend=torch.zeros(1, dtype=torch.int64))
        where = 1 + torch.randperm(clip_frames - 1, generator=generator)[:runs]
        steps[where] += dropped
    span = int(steps.sum())
    steps[0] = uniform(0, num_frames - span, generator)
    return steps.cumsum(0).numpy()


def uniform(low: int, high: int, generator: Generator | None) -> int:
    """An integer in low..high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _require_frames(num_frames: int, clip_frames: int) -> None:
    if num_frames < 1 or clip_frames < 1:
        raise ValueError(
            f"cannot choose {clip_frames} of {num_frames} frames: both must be 1 or more"
        )
