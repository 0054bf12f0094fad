"""Lesson 10: how far unseen frames are, a sampler of clips, and a test that sees nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

Sampler = Callable[[int, int, int, torch.Generator], np.ndarray]


def check_sampler(answer: Sampler) -> None:
    """Draw many clips of 8 frames from 30, dropping runs of at most 5; then count runs."""
    generator = torch.Generator().manual_seed(0)
    before = torch.random.get_rng_state()
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
    first, second = (
        np.asarray(answer(30, 8, 5, torch.Generator().manual_seed(1))) for _ in range(2)
    )
    assert np.array_equal(first, second), (
        "the same generator gives another clip: use it for every draw, or no run can be repeated"
    )
    assert torch.equal(before, torch.random.get_rng_state()), (
        "a draw came from the generator of everybody: pass generator=generator to each"
    )
    short = [np.asarray(answer(9, 8, 5, generator)) for _ in range(50)]
    assert all(clip.max() < 9 and (np.diff(clip) > 0).all() for clip in short), (
        "in a video of 9 frames, 8 of them leave one to drop: shorten the runs that do not fit"
    )
    runs = np.array([(np.diff(answer(60, 8, 5, generator)) > 1).sum() for _ in range(1600)])
    shares = np.bincount(runs, minlength=8) / len(runs)
    assert shares[2:].sum() > 0.1, "never more than one run is dropped: draw how many, from 0 to 7"
    assert shares.min() > 0.05, (
        f"of 8 numbers of runs, 0 to 7, each should come as often; shares are {shares.round(2)}. "
        "Is the number drawn first, or does a coin decide before every frame?"
    )


def check_farthest(answer: Callable[[], int]) -> None:
    """Distances to the nearest of 12 frames of 100."""
    given = answer()
    seen = np.rint(np.linspace(0, 99, 12))
    expected = int(np.abs(np.arange(100)[:, None] - seen).min(1).max())
    assert given != 9, "9 is from one seen frame to the next; one between has one on either side"
    assert given != 8, "8 frames lie between two seen ones; those in the middle are nearer"
    assert given != 4.5, "between two frames there is no half frame: which frames lie there?"
    assert given == expected, f"steps are 99 / 11 frames: not {given}, the worst is {expected}"


def check_blind_test(answer: Callable[[], np.ndarray]) -> None:
    """Whether mirroring changes the label map."""
    ids = np.asarray(answer())
    assert ids.shape == (8, 10), f"8 x 10 pixels, not {ids.shape}"
    assert len(np.unique(ids[ids > 0])) >= 2, "at least two objects, with ids of their own"
    changed = float((ids != ids[:, ::-1]).mean())
    upside = float((ids != ids[::-1]).mean())
    assert changed == 0 or upside > 0, (
        "this is its own image upside down, but clips are mirrored left to right"
    )
    assert changed == 0, (
        f"a mirror changes {changed:.0%} of the pixels: every object has to be its own mirror "
        "image, not that of another object"
    )
