"""Scores of one DAVIS sequence: J and F of every object in every frame, counted on label maps.

The definition compares binary masks, one pair of object and proposal at a time. Here one pass
over two label maps counts for all pairs at once: areas and intersections in one contingency
table, boundaries in `evaluation.boundary`. Counts are integers, so the scores made of them equal
the definition's to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from tagvis_lite.evaluation.boundary import MAX_LABELS, BoundaryCounter
from tagvis_lite.evaluation.protocols import UNSUPERVISED, DavisProtocol
from tagvis_lite.video import VOID, Frames

MAX_PROPOSALS = 20
"""Results with a higher id are refused."""


@dataclass(frozen=True)
class Statistics:
    """Summaries over the frames of G objects; G float64 each."""

    mean: np.ndarray
    recall: np.ndarray
    """Share of frames with a score above one half."""
    decay: np.ndarray
    """Mean of the first quarter of the frames minus mean of the last."""

    @classmethod
    def over_frames(cls, values: np.ndarray) -> Statistics:
        """Summarise G x T scores. A frame where two quarters meet belongs to both."""
        ends = np.round(np.linspace(1, values.shape[1], 5) + 1e-10).astype(int) - 1
        first, last = slice(ends[0], ends[1] + 1), slice(ends[3], ends[4] + 1)
        return cls(
            mean=np.array([np.mean(row) for row in values]),
            recall=np.array([np.mean(row > 0.5) for row in values]),
            decay=np.array([np.mean(row[first]) - np.mean(row[last]) for row in values]),
        )


@dataclass(frozen=True)
class SequenceScores:
    """Scores of one sequence, by ground-truth object.

    Attributes:
        name: name of the sequence.
        objects: ids of the G objects, 1 to G.
        assignment: id of the proposal given to each object, 0 where there were too few.
        num_proposals: largest id in the result.
        J: G x T float64, region similarity.
        F: G x T float64, contour accuracy.
        official_order: index into `objects` of each row in the official tables.
    """

    name: str
    objects: tuple[int, ...]
    assignment: tuple[int, ...]
    num_proposals: int
    J: np.ndarray
    F: np.ndarray
    official_order: tuple[int, ...]

    @cached_property
    def j(self) -> Statistics:
        """Mean, recall and decay of J of each object."""
        return Statistics.over_frames(self.J)

    @cached_property
    def f(self) -> Statistics:
        """Mean, recall and decay of F of each object."""
        return Statistics.over_frames(self.F)

    @property
    def jf_mean(self) -> np.ndarray:
        """J&F of each object: G float64."""
        return (self.j.mean + self.f.mean) / 2


def sequence_scores(
    ground_truth: Frames,
    result: Frames,
    name: str = "",
    protocol: DavisProtocol = UNSUPERVISED,
) -> SequenceScores:
    """Score the result of one sequence. Each frame is read once, in turn.

    Args:
        ground_truth: T label maps, H x W uint8: 0 background, 255 void. The objects are 1 to the
            largest id of frame 0; ids that appear later are ignored.
        result: T label maps of the same size, proposals numbered from 1 to at most 20.
        name: the sequence, for tables and error messages.
        protocol: which frames and pixels count, and how proposals find their objects.

    Raises:
        ValueError: lengths or sizes differ, a proposal over 20 (or over the number of objects,
            where proposals are not assigned), more than 32 objects, too few frames, or a ground
            truth that holds 0 and 255 only (the DAVIS-2016 convention) under another protocol.
    """
    num_frames = len(ground_truth)
    if num_frames == 0 or len(result) != num_frames:
        raise ValueError(
            f"sequence {name!r}: {num_frames} frames of ground truth and {len(result)} of result; "
            "a result needs exactly one label map for each frame, and there must be one"
        )
    if not protocol.end_frames and num_frames < 3:
        raise ValueError(
            f"sequence {name!r} has {num_frames} frames, and {protocol.name} leaves out the first "
            "and the last: choose another protocol, such as masks"
        )
    J, F, num_proposals = _all_pairs(ground_truth, result, name, protocol)
    num_objects = J.shape[1]
    if protocol.matched:
        proposals, objects = linear_sum_assignment(-(np.mean(J, axis=2) + np.mean(F, axis=2)) / 2)
    else:
        proposals = objects = np.arange(num_objects)
    by_object = np.argsort(objects)
    proposal_of = proposals[by_object]
    return SequenceScores(
        name=name,
        objects=tuple(range(1, num_objects + 1)),
        assignment=tuple(int(p) + 1 if p < num_proposals else 0 for p in proposal_of),
        num_proposals=num_proposals,
        J=J[proposal_of, np.arange(num_objects)],
        F=F[proposal_of, np.arange(num_objects)],
        official_order=tuple(objects.tolist()),
    )


def region_similarity(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    """J from pixels: 1 where both masks are empty. Arrays of one shape."""
    return np.divide(intersection, union, out=np.ones(union.shape), where=union > 0)


def contour_accuracy(
    of_proposal: np.ndarray,
    of_object: np.ndarray,
    proposal_matched: np.ndarray,
    object_matched: np.ndarray,
) -> np.ndarray:
    """F from boundary pixels: 1 where both boundaries are empty, 0 where one is.

    Args:
        of_proposal: boundary pixels of the proposal; of any shape that goes with the others'.
        of_object: of the object.
        proposal_matched: those of the proposal within reach of the object's.
        object_matched: those of the object within reach of the proposal's.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = proposal_matched / of_proposal
        recall = object_matched / of_object
        f: np.ndarray = 2 * precision * recall / (precision + recall)
    f[precision + recall == 0] = 0
    f[(of_proposal == 0) ^ (of_object == 0)] = 0
    f[(of_proposal == 0) & (of_object == 0)] = 1
    return f


def _all_pairs(
    ground_truth: Frames, result: Frames, name: str, protocol: DavisProtocol
) -> tuple[np.ndarray, np.ndarray, int]:
    """J and F of all proposals and objects, and the number of proposals.

    Returns:
        J and F: P x G x T; where there are fewer proposals than objects, the rest are empty.
        The largest id of the result.
    """
    truth = _label_map(ground_truth[0], f"ground truth of sequence {name!r}, frame 0")
    size = truth.shape
    num_objects = 1 if protocol.foreground else int(truth[truth != VOID].max(initial=0))
    scored = range(len(ground_truth)) if protocol.end_frames else range(1, len(ground_truth) - 1)
    if num_objects > MAX_LABELS:
        raise ValueError(
            f"ground truth of sequence {name!r}, frame 0, has id {num_objects}: ids must count the "
            f"objects from 1 without gaps, and at most {MAX_LABELS} are supported"
        )
    boundaries = BoundaryCounter(*size)
    J = np.ones((max(MAX_PROPOSALS, num_objects), num_objects, len(scored)))
    F = np.ones_like(J)
    num_proposals = 0
    void_seen = ids_seen = False
    for column, t in enumerate(scored):
        if t > 0:
            truth = _label_map(ground_truth[t], f"ground truth of sequence {name!r}, frame {t}")
        proposed = _label_map(result[t], f"result of sequence {name!r}, frame {t}")
        if truth.shape != size or proposed.shape != size:
            raise ValueError(
                f"sequence {name!r}, frame {t}: ground truth is {truth.shape} and the result "
                f"{proposed.shape}, but the first frame of ground truth is {size} (height, width); "
                "nothing is resized here, write results at the size of the ground truth"
            )
        if protocol.foreground:
            truth, proposed = (ids.astype(bool).view(np.uint8) for ids in (truth, proposed))
        limit = MAX_PROPOSALS if protocol.matched else num_objects
        num_proposals = max(num_proposals, _largest_proposal(proposed, limit, name, t))

        if truth.max() == VOID:
            known = truth != VOID
            truth = truth * known
            if protocol.matched:
                proposed = proposed * known
            void_seen = True
        largest = int(truth.max())
        ids_seen |= largest > 0
        if largest > num_objects:
            truth = truth * (truth <= num_objects)
        if num_objects == 0:
            continue

        # Around the box of all labels there is background, which counts nothing.
        x, y, width, height = cv2.boundingRect(cv2.max(truth, proposed))
        box = slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
        truth, proposed = (np.ascontiguousarray(ids[box]) for ids in (truth, proposed))
        present = int(proposed.max())
        table = _contingency_table(truth, proposed, num_objects + 1, present + 1)
        areas, object_areas = table.sum(axis=0)[1:], table.sum(axis=1)[1:]
        shared = table[1:, 1:].T
        J[:, :, column] = object_areas == 0  # of an empty proposal
        J[:present, :, column] = region_similarity(shared, areas[:, None] + object_areas - shared)
        edges = boundaries.count(truth, proposed, num_objects, present)
        F[:, :, column] = edges.objects == 0
        F[:present, :, column] = contour_accuracy(
            edges.proposals[:, None],
            edges.objects[None],
            edges.proposals_matched,
            edges.objects_matched,
        )

    if void_seen and not ids_seen:
        raise ValueError(
            f"ground truth of sequence {name!r} holds nothing but 0 and 255: in DAVIS-2016 255 is "
            f"the object, in {protocol.name} it is void; choose --protocol davis-2016"
        )
    rows = max(num_proposals, num_objects)
    return J[:rows], F[:rows], num_proposals


def _label_map(frame: np.ndarray, what: str) -> np.ndarray:
    ids = np.asarray(frame)
    if ids.dtype != np.uint8 or ids.ndim != 2 or ids.size == 0:
        raise ValueError(f"{what}: {ids.dtype} {ids.shape}, expected a uint8 H x W label map")
    return np.ascontiguousarray(ids)


def _largest_proposal(proposed: np.ndarray, limit: int, name: str, t: int) -> int:
    largest = int(proposed.max())
    if largest <= limit:
        return largest
    advice = f"at most {limit} proposals, numbered from 1, are allowed"
    if limit != MAX_PROPOSALS:
        advice = (
            f"the ground truth has {limit} objects; proposals with ids of their own choice are "
            f"scored by --protocol {UNSUPERVISED.name}"
        )
    if set(np.unique(proposed).tolist()) <= {0, VOID}:
        advice = (
            "a mask of 0 and 255 is not a label map: write the object as 1, or, if it is of "
            "DAVIS-2016, choose --protocol davis-2016"
        )
    raise ValueError(f"result of sequence {name!r}, frame {t}, has id {largest}: {advice}")


def _contingency_table(a: np.ndarray, b: np.ndarray, num_a: int, num_b: int) -> np.ndarray:
    """Pixels with id i in `a` and id j in `b`: num_a x num_b int64."""
    table = np.zeros((num_a, num_b), np.int64)
    rows = max(1, 2**24 // a.shape[1])  # calcHist counts in float32: exact up to 2^24
    for y in range(0, a.shape[0], rows):
        bands = [a[y : y + rows], b[y : y + rows]]
        histogram = cv2.calcHist(bands, [0, 1], None, [num_a, num_b], [0, num_a, 0, num_b])
        table += histogram.astype(np.int64)
    return table
