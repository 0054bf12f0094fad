"""What training does not fit: the thresholds by which tags become instances (D15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from tqdm.auto import tqdm

from tagvis_lite.clips import make_clip
from tagvis_lite.config import Config, InferenceConfig
from tagvis_lite.evaluation.davis import DavisScores, SequenceScores, sequence_scores
from tagvis_lite.inference import Network, look
from tagvis_lite.instances import cluster_instances, prepare
from tagvis_lite.video import Video


def score_settings(
    network: Network,
    videos: Sequence[Video],
    config: Config,
    settings: Sequence[InferenceConfig],
    device: torch.device | str = "cpu",
) -> list[float]:
    """J&F (0 to 1) of each setting of the clustering; the network sees each video once.

    Scored are the frames that it saw, at the size of its tags: a share of the time that whole
    videos take, and blind to what interpolation loses, which no setting here changes.

    Args:
        network: see `predict_video`.
        videos: with label maps.
        config: of the network.
        settings: to compare; `long_videos` is not looked at.
        device: where the network runs.

    Raises:
        ValueError: see `predict_video` and `sequence_scores`.
    """
    scores: list[list[SequenceScores]] = [[] for _ in settings]
    for video in tqdm(videos, "tune", unit="video", disable=None):
        seen = look(network, video, config, device)
        stride, size = config.model.label_stride, config.data
        truth = make_clip(video, seen.kept, size, 2, label_stride=stride).ids
        logits = seen.prediction.semantic_logits
        prepared = prepare(
            replace(
                seen.prediction,
                tags=seen.prediction.tags.cpu(),
                semantic_logits=None if logits is None else logits.cpu(),
            )
        )
        for setting, of_setting in zip(settings, scores, strict=True):
            ids = cluster_instances(prepared, setting).ids
            of_setting.append(sequence_scores(truth.numpy().astype(np.uint8), ids, video.name))
    return [DavisScores(tuple(of_setting)).jf_mean for of_setting in scores]
