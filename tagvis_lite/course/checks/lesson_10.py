"""Lesson 10: a sampler that drops random runs of frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

Sampler = Callable[[int, int, int, torch.Generator], np.ndarray]


def check_sampler(answer: Sampler) -> None:
    """Draw many clips of 8 frames from 30, dropping runs of at most 5."""
    generator = torch.Generator().manual_seed(0)
    clips = [np.asarray(answer(30, 8, 5, generator)) for _ in range(300)]
    assert all(clip.shape == (8,) for clip in clips), "a clip has exactly 8 frames"
    gaps = np.concatenate([np.diff(clip) for clip in clips])
    assert all(clip.dtype.kind in "iu" for clip in clips), "indices are integers"
    assert min(clip.min() for clip in clips) >= 0, "an index below 0"
    assert max(clip.max() for clip in clips) < 30, (
        "an index beyond the last frame: the window and what it drops have to fit into the video"
    )
    assert (gaps > 0).all(), "frames must rise: sort them, and take none twice"
    assert gaps.max() <= 6, "a run of more than 5 frames was dropped between two neighbours"
    assert gaps.max() > 1, "nothing was ever dropped"
    assert len({tuple(clip) for clip in clips}) > 100, (
        "clips hardly differ: 'diverse variations per epoch' means new random draws every time"
    )
    assert len({clip[0] for clip in clips}) > 3, "every clip begins at the same frame"
    short = [np.asarray(answer(9, 8, 5, generator)) for _ in range(50)]
    assert all(clip.max() < 9 and (np.diff(clip) > 0).all() for clip in short), (
        "in a video of 9 frames, 8 of them leave one to drop: shorten the runs that do not fit"
    )
