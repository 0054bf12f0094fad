"""Scores of tracks against held-out labelled videos, as trainings and ablations report them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis
from tagvis_lite.video import Tracks, Video

TEST_VIDEOS = 64
"""Videos of the toy test split that a network is scored on."""


def score_tracks(videos: Sequence[Video], tracks: Sequence[Tracks]) -> tuple[DavisScores, float]:
    """DAVIS scores, and the instance-count error: mean of |instances found - instances there|."""
    pairs = list(zip(videos, tracks, strict=True))
    scores = evaluate_davis((v.name, v.read_ids(range(len(v))), t.ids) for v, t in pairs)
    errors = [abs(len(t.categories) - len(v.categories)) for v, t in pairs]
    return scores, float(np.mean(errors))
