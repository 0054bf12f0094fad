"""Validation: whole videos, predicted and scored while a network is trained."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import nn

from tagvis_lite.config import Config
from tagvis_lite.evaluation.average_precision import Group, score_groups
from tagvis_lite.evaluation.davis import DavisScores, SequenceScores, sequence_scores
from tagvis_lite.evaluation.youtube_vis import groups_of_label_maps
from tagvis_lite.inference import predict_video
from tagvis_lite.video import Tracks, Video

EXAMPLES = 4
"""Videos whose tracks are shown after each validation."""


@dataclass(frozen=True)
class Validation(DavisScores):
    """J&F as DAVIS has it, and AP as YouTube-VIS has it where `train.best_by` is ap."""

    ap: float | None = None


def validate(
    network: nn.Module,
    videos: Sequence[Video],
    config: Config,
    device: torch.device | str = "cpu",
    fabric: Fabric | None = None,
    show: Callable[[Video, Tracks], object] | None = None,
) -> Validation:
    """Predict whole videos and score them: J&F as in the DAVIS unsupervised protocol.

    The network is run in evaluation mode and left in the mode it came in. With `fabric` each
    process takes its share of the videos, in the precision of training; all get all scores. `show`
    gets the first videos of the first process, and what was found in them.
    """
    rank, world = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    mine: list[tuple[SequenceScores, list[tuple[int, Group]]]] = []
    for number, video in enumerate(videos[rank::world]):
        with fabric.autocast() if fabric else nullcontext():
            tracks = predict_video(network, video, config, device)
        assert video.ids is not None
        groups = groups_of_label_maps(video, tracks) if config.train.best_by == "ap" else ()
        mine.append((sequence_scores(video.ids, tracks.ids, video.name), list(groups)))
        if show is not None and rank == 0 and number < EXAMPLES:
            show(video, tracks)
    shares: list[Any] = [mine]
    if world > 1:
        shares = [None] * world
        dist.all_gather_object(shares, mine)
    all_of_them = [shares[k % world][k // world] for k in range(len(videos))]
    ap = None
    if config.train.best_by == "ap":
        by_category: dict[int, list[Group]] = defaultdict(list)
        for _, found in all_of_them:
            for category, group in found:
                by_category[category].append(group)
        found_ap = score_groups(by_category, {k: str(k) for k in by_category}).AP
        ap = 0.0 if math.isnan(found_ap) else found_ap  # no object to find
    return Validation(tuple(scores for scores, _ in all_of_them), ap=ap)
