"""Where the points of a J&F are lost: the same predictions with one part after another made true.

A prediction is a foreground, a tag for each of its pixels, and instances found among the tags. Each
row of `PartScores.jf` makes some of these true, or replaces all of them by something trivial:

    as it is                              the prediction
    true foreground                       tags and clustering are left
    nearest true mean, clip or frame      perfect clustering: a pixel goes to the object whose mean
                                          tag, over the clip or in its frame, is nearest
    true instances                        perfect tags: the outline of the foreground is left
    one instance, tracked components      no tags at all
    position                              control: the tag of a pixel is its own (y, x)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, label
from scipy.optimize import linear_sum_assignment

from tagvis_lite.clips import spread_indices
from tagvis_lite.config import Config, DataConfig
from tagvis_lite.evaluation.davis import DavisScores, SequenceScores
from tagvis_lite.evaluation.davis_sequence import sequence_scores
from tagvis_lite.inference import Network, look
from tagvis_lite.instances import cluster_instances, prepare
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.video import BACKGROUND, VOID, Video

MOST = 20
"""Proposals that the protocol allows for a video."""


@dataclass(frozen=True)
class PartScores:
    """What is left of the error of a set of predictions when parts of them are made true.

    Attributes:
        jf: J&F, 0 to 1, of each row of the module's table.
        table: all measures of the prediction as it is, by their official names.
        by_video: J&F of the prediction as it is, of each video in order: mean over its objects.
        count_error: mean of |instances found - instances there|.
        foreground_iou: of all pixels seen.
        places: share of the variance of the objects' mean tags within a clip that a linear map of
            their centroids, one map for all clips, explains. 1: a tag is a place.
        order: share of the pairs of objects whose tags are in the order of their centroids along
            the direction in which that share is largest; None for tags of several numbers.
        direction: that direction in degrees: 0 points right, 90 down.
    """

    jf: dict[str, float]
    table: dict[str, float]
    by_video: tuple[float, ...]
    count_error: float
    foreground_iou: float
    places: float
    order: float | None
    direction: float | None

    def as_dict(self) -> dict[str, object]:
        """Plain values, for json."""
        return asdict(self)


def score_parts(
    network: Network,
    videos: Sequence[Video],
    config: Config,
    device: torch.device | str | None = None,
) -> PartScores:
    """Predict labelled videos once each and score every row of the module's table.

    Args:
        network: see `predict_video`.
        videos: with label maps.
        config: data and inference are used.
        device: see `predict_video`.

    Raises:
        ValueError: no videos, or see `predict_video` and `sequence_scores`.
    """
    rows: dict[str, list[SequenceScores]] = {}
    errors: list[int] = []
    objects: list[MeansAndCentroids] = []
    both, either = 0, 0
    for video in videos:
        seen = look(network, video, config, device)
        tags = seen.prediction.tags.cpu().numpy()
        full_truth = video.read_ids(range(len(video)))
        truth = _reduced(full_truth[seen.kept], tags.shape[1:3])
        there = (truth != BACKGROUND) & (truth != VOID)
        prepared = prepare(seen.prediction)
        as_it_is = cluster_instances(prepared, config.inference).ids
        foreground = prepared.foreground > config.inference.foreground
        if prepared.probabilities is None:  # then the clustering says what is background
            foreground = as_it_is != BACKGROUND
        certain = there.astype(np.float32)
        told = replace(
            prepared,
            foreground=certain,
            probabilities=torch.from_numpy(np.stack([1 - certain, certain])),
        )
        found = {
            "as it is": as_it_is,
            "true foreground": cluster_instances(told, config.inference).ids,
            "nearest true clip mean": nearest_true_mean(tags, foreground, truth),
            "nearest true frame mean": nearest_true_mean(tags, foreground, truth, by_frame=True),
            "true foreground, nearest true clip mean": nearest_true_mean(tags, there, truth),
            "true foreground, nearest true frame mean": nearest_true_mean(
                tags, there, truth, by_frame=True
            ),
            "true instances": true_instances(foreground, truth),
            "truth, at the size of the tags": np.where(there, truth, BACKGROUND),
            "one instance": foreground.astype(np.uint8),
            "tracked components": tracked_components(foreground),
            "position, true foreground, nearest true clip mean": nearest_true_mean(
                position(truth.shape), there, truth
            ),
        }
        for row, ids in found.items():
            full = interpolate_ids(ids, seen.kept, len(video), seen.size)
            rows.setdefault(row, []).append(sequence_scores(full_truth, full, video.name))
        errors.append(abs(len(_objects(as_it_is)) - len(_objects(truth))))
        known = truth != VOID
        both += int((foreground & there).sum())
        either += int(((foreground & known) | there).sum())
        objects.append(_means_and_centroids(tags, truth))
    order, direction = best_order(objects)
    return PartScores(
        jf={row: DavisScores(tuple(scores)).jf_mean for row, scores in rows.items()},
        table=DavisScores(tuple(rows["as it is"])).global_table(),
        by_video=tuple(float(scores.jf_mean.mean()) for scores in rows["as it is"]),
        count_error=float(np.mean(errors)),
        foreground_iou=both / max(either, 1),
        places=places(objects),
        order=order,
        direction=direction,
    )


def nearest_true_mean(
    tags: np.ndarray, foreground: np.ndarray, truth: np.ndarray, by_frame: bool = False
) -> np.ndarray:
    """Give each pixel of the foreground to the object whose mean tag is nearest to its tag.

    Args:
        tags: T x h x w [x K].
        foreground: bool, T x h x w.
        truth: uint8, T x h x w; void and background are no object.
        by_frame: take means over the frame of the pixel, not over the clip.

    Returns:
        uint8, T x h x w: ids of the truth.
    """
    if by_frame:
        frames = zip(tags[:, None], foreground[:, None], truth[:, None], strict=True)
        return np.concatenate([nearest_true_mean(*frame) for frame in frames])
    ids = np.zeros(truth.shape, dtype=np.uint8)
    objects = _objects(truth)
    if len(objects) and foreground.any():
        vectors = tags if tags.ndim > truth.ndim else tags[..., None]
        means = np.stack([vectors[truth == n].mean(axis=0) for n in objects])
        squared = np.stack([np.square(vectors[foreground] - m).sum(axis=-1) for m in means])
        ids[foreground] = objects[squared.argmin(axis=0)]
    return ids


def true_instances(foreground: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Give each pixel of the foreground to the object that is there, or nearest in its frame."""
    ids = np.zeros(truth.shape, dtype=np.uint8)
    for t, frame in enumerate(truth):
        outside = (frame == BACKGROUND) | (frame == VOID)
        if not outside.all():
            y, x = distance_transform_edt(outside, return_distances=False, return_indices=True)
            ids[t] = np.where(foreground[t], frame[y, x], BACKGROUND)
    return ids


def tracked_components(foreground: np.ndarray) -> np.ndarray:
    """Connected components of each frame, followed by their overlap: instances without tags.

    Components are matched to those of the frame before so that the overlap is largest in all; one
    without overlap is a new instance, up to the 20 that the protocol allows.
    """
    ids = np.zeros(foreground.shape, dtype=np.uint8)
    for t, mask in enumerate(foreground):
        components, number = label(mask)
        new_id = np.zeros(number + 1, dtype=np.uint8)
        if t > 0 and number:
            overlap = np.zeros((number + 1, MOST + 1), dtype=np.int64)
            np.add.at(overlap, (components, ids[t - 1]), 1)
            overlap[0], overlap[:, 0] = 0, 0
            here, before = linear_sum_assignment(-overlap)
            matched = overlap[here, before] > 0
            new_id[here[matched]] = before[matched]
        unmatched = 1 + np.flatnonzero(new_id[1:] == 0)
        free = np.arange(ids.max() + 1, MOST + 1)
        free = free[free > new_id.max()][: len(unmatched)]
        new_id[unmatched[: len(free)]] = free
        ids[t] = new_id[components]
    return ids


def position(shape: tuple[int, ...]) -> np.ndarray:
    """Tags that are each pixel's own y and x: float64, T x h x w x 2."""
    return np.moveaxis(np.indices(shape, dtype=np.float64)[1:], 0, -1)


def score_position(videos: Sequence[Video], data: DataConfig) -> float:
    """J&F, 0 to 1, of the control of the module's table: no network has a part in it.

    Args:
        videos: with label maps.
        data: which frames a network would see.
    """
    scores = []
    for video in videos:
        truth = video.read_ids(range(len(video)))
        kept = np.unique(spread_indices(len(video), data.clip_frames))
        seen = truth[kept]
        there = (seen != BACKGROUND) & (seen != VOID)
        ids = nearest_true_mean(position(seen.shape), there, seen)
        full = interpolate_ids(ids, kept, len(video), truth.shape[1:])
        scores.append(sequence_scores(truth, full, video.name))
    return DavisScores(tuple(scores)).jf_mean


MeansAndCentroids = tuple[np.ndarray, np.ndarray]
"""Of the n objects of a clip: mean tags, n x K, and centroids (x, y) in frames, n x 2."""


def _means_and_centroids(tags: np.ndarray, truth: np.ndarray) -> MeansAndCentroids:
    vectors = tags if tags.ndim > truth.ndim else tags[..., None]
    size = np.array(truth.shape[:0:-1])
    objects = _objects(truth)
    means = [vectors[truth == n].astype(np.float64).mean(axis=0) for n in objects]
    centroids = [np.argwhere(truth == n)[:, :0:-1].mean(axis=0) / size for n in objects]
    return np.array(means).reshape(-1, vectors.shape[-1]), np.array(centroids).reshape(-1, 2)


def places(clips: Sequence[MeansAndCentroids]) -> float:
    """Share of the variance of mean tags within clips that a linear map of centroids explains."""
    means = np.concatenate([means - means.mean(axis=0) for means, _ in clips if len(means)])
    where = np.concatenate([c - c.mean(axis=0) for _, c in clips if len(c)])
    total = np.square(means).sum()
    fitted = where @ np.linalg.lstsq(where, means, rcond=None)[0]
    return float(1 - np.square(means - fitted).sum() / total) if total > 0 else 0.0


def best_order(clips: Sequence[MeansAndCentroids]) -> tuple[float | None, float | None]:
    """The direction, in steps of 3 degrees, along which most pairs lie as their tags do.

    Returns:
        The share of those pairs and the direction in degrees; None and None where tags have several
        numbers or no clip has two objects.
    """
    pairs = [(m[j] - m[i], c[j] - c[i]) for m, c in clips for j in range(len(m)) for i in range(j)]
    if not pairs or len(pairs[0][0]) > 1:
        return None, None
    difference = np.array([tag for tag, _ in pairs])
    way = np.array([way for _, way in pairs])
    degrees = np.arange(0, 360, 3)
    along = way @ np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    shares = (np.sign(along) == np.sign(difference)).mean(axis=0)
    best = int(shares.argmax())
    return float(shares[best]), float(degrees[best])


def _objects(truth: np.ndarray) -> np.ndarray:
    found = np.unique(truth)
    return found[(found != BACKGROUND) & (found != VOID)]


def _reduced(ids: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Label maps, uint8, T x H x W, at h x w: the pixel under the centre of each."""
    reduced = torch.nn.functional.interpolate(
        torch.from_numpy(ids)[:, None], size=size, mode="nearest-exact"
    )
    return reduced[:, 0].numpy()
