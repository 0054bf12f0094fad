"""DAVIS 2017 Unsupervised word for word: J, F, their assignment and their tables.

One binary volume for each object, one boundary map and one dilation for each pair and frame: slow
and hungry, easy to check against the protocol. `tagvis_lite.evaluation` gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

VOID = 255
BOUND_TH = 0.008


@dataclass
class LiteralScores:
    """One sequence: J and F of each frame for the pairs of the best assignment."""

    J: np.ndarray
    """Rows of the assignment, in the order of the proposals, x T."""
    F: np.ndarray
    proposals: list[int]
    """Proposal (from 1; padding counts on) of each row."""
    objects: list[int]
    """Ground-truth object (from 1) of each row."""


def read_ids(paths: Sequence[Path], foreground_255: bool = False) -> np.ndarray:
    """T x H x W float64, as the protocol's own reader keeps label maps."""
    first = np.array(Image.open(paths[0]))
    volume = np.zeros((len(paths), *first.shape))
    for t, path in enumerate(paths):
        volume[t] = np.array(Image.open(path))
    if foreground_255:
        volume[volume == 255] = 1
    return volume


def one_hot(volume: np.ndarray, num: int) -> np.ndarray:
    """num x T x H x W bool, through a float volume per id."""
    ids = np.ones((num, *volume.shape)) * np.arange(1, num + 1)[:, None, None, None]
    return ids == volume[None]


def boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from the one to the east, south or south-east; H x W bool."""
    east, south, south_east = (np.zeros_like(mask) for _ in range(3))
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    south_east[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ east) | (mask ^ south) | (mask ^ south_east)
    edge[-1] = mask[-1] ^ east[-1]
    edge[:, -1] = mask[:, -1] ^ south[:, -1]
    edge[-1, -1] = False
    return edge


def disk(radius: float) -> np.ndarray:
    """Structuring element of all offsets within `radius` pixels."""
    r = np.arange(-radius, radius + 1)
    return (r[:, None] ** 2 + r[None, :] ** 2 <= radius**2).astype(np.uint8)


def region_similarity(truth: np.ndarray, proposal: np.ndarray, void: np.ndarray) -> np.ndarray:
    """J of each frame: intersection over union without void; 1 where both are empty."""
    intersection = np.sum(truth & proposal & ~void, axis=(-2, -1))
    union = np.sum((truth | proposal) & ~void, axis=(-2, -1))
    with np.errstate(invalid="ignore"):
        j = intersection / union
    j[union == 0] = 1
    return j


def contour_accuracy(truth: np.ndarray, proposal: np.ndarray, void: np.ndarray) -> float:
    """F of one frame: harmonic mean of the shares of each outline near the other."""
    radius = np.ceil(BOUND_TH * np.linalg.norm(truth.shape))
    of_proposal, of_truth = boundary(proposal & ~void), boundary(truth & ~void)
    near_proposal = cv2.dilate(of_proposal.astype(np.uint8), disk(radius))
    near_truth = cv2.dilate(of_truth.astype(np.uint8), disk(radius))
    n_proposal, n_truth = np.sum(of_proposal), np.sum(of_truth)
    if n_proposal == 0 and n_truth > 0:
        precision, recall = 1.0, 0.0
    elif n_proposal > 0 and n_truth == 0:
        precision, recall = 0.0, 1.0
    elif n_proposal == 0 and n_truth == 0:
        precision, recall = 1.0, 1.0
    else:
        precision = float(np.sum(of_proposal * near_truth) / n_proposal)
        recall = float(np.sum(of_truth * near_proposal) / n_truth)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def evaluate(truth: np.ndarray, result: np.ndarray) -> LiteralScores:
    """Score one sequence; `truth` and `result` are T x H x W label maps of any dtype."""
    assert truth.shape == result.shape
    void = truth == VOID
    truth = np.where(void, 0, truth)
    objects = one_hot(truth, int(truth[0].max()))
    proposals = one_hot(result, int(result.max()))
    assert len(proposals) <= 20
    missing = len(objects) - len(proposals)
    if missing > 0:
        padding = np.zeros((missing, *truth.shape), bool)
        proposals = np.concatenate([proposals, padding])
    j = np.zeros((len(proposals), len(objects), len(truth)))
    f = np.zeros_like(j)
    for o, one in enumerate(objects):
        for p, other in enumerate(proposals):
            j[p, o] = region_similarity(one, other, void)
            f[p, o] = [contour_accuracy(*frame) for frame in zip(one, other, void, strict=True)]
    rows, columns = linear_sum_assignment(-(np.mean(j, axis=2) + np.mean(f, axis=2)) / 2)
    return LiteralScores(
        j[rows, columns], f[rows, columns], list(rows + 1), [int(c) + 1 for c in columns]
    )


def statistics(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, recall and decay of the T values of one object."""
    ends = (np.round(np.linspace(1, len(values), 5) + 1e-10) - 1).astype(int)
    bins = [values[ends[i] : ends[i + 1] + 1] for i in range(4)]
    return (
        float(np.nanmean(values)),
        float(np.nanmean(values > 0.5)),
        float(np.nanmean(bins[0]) - np.nanmean(bins[3])),
    )


def global_table(sequences: Sequence[LiteralScores]) -> list[float]:
    """J&F-Mean, J-Mean, J-Recall, J-Decay, F-Mean, F-Recall, F-Decay: means over objects."""
    j = [statistics(values) for scores in sequences for values in scores.J]
    f = [statistics(values) for scores in sequences for values in scores.F]
    j_mean, j_recall, j_decay = (float(np.mean([row[k] for row in j])) for k in range(3))
    f_mean, f_recall, f_decay = (float(np.mean([row[k] for row in f])) for k in range(3))
    return [(j_mean + f_mean) / 2.0, j_mean, j_recall, j_decay, f_mean, f_recall, f_decay]
