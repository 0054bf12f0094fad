"""Scores of tracks against held-out labelled videos, as trainings and ablations report them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagvis_lite.evaluation.davis import DavisScores, evaluate_davis
from tagvis_lite.video import BACKGROUND, VOID, Tracks, Video

TEST_VIDEOS = 64
"""Videos of the toy test split that a network is scored on."""


def score_tracks(videos: Sequence[Video], tracks: Sequence[Tracks]) -> tuple[DavisScores, float]:
    """DAVIS scores, and the instance-count error: mean of |instances found - instances there|."""
    truths = [video.read_ids(range(len(video))) for video in videos]
    pairs = list(zip(videos, truths, tracks, strict=True))
    scores = evaluate_davis((video.name, truth, track.ids) for video, truth, track in pairs)
    # not `video.categories`: that of a DAVIS video has every id there could be
    errors = [
        abs(len(track.categories) - len(set(np.unique(truth).tolist()) - {BACKGROUND, VOID}))
        for _, truth, track in pairs
    ]
    return scores, float(np.mean(errors))
