"""From a score to its reasons: the points that each object lost, parted by what would mend them.

In every frame, the proposal that stands for an object is mended step by step, each step as if told
the truth, and the score is taken again. What a step gains was lost to its cause:

    identity switch   another proposal fits the object better in this frame
    split             all proposals that lie mostly inside the object, taken together, fit better
    merged            without the pixels of other objects, the mask fits better
    missed            what is still lost where less than a tenth of the object is covered
    boundary          what is still lost where more is
    false positive    all that is lost in frames where the object is not

So the causes of an object add up to what it lost, to rounding, and their means over objects to what
the result lost. Under DAVIS the score of a frame is (J + F) / 2; under YouTube-VIS it is J of that
frame with the best prediction of the object's category. AP has two more, for a whole result:

    ranking           what AP would gain if predictions were ranked by their true IoU
    category          what it would gain if each also had the category of the object it fits best
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tagvis_lite.data.rle import decode_mask, intersection, read_tracks
from tagvis_lite.data.youtube_vis_json import AnnotationFile, Track
from tagvis_lite.evaluation.boundary import boundary_reach
from tagvis_lite.evaluation.davis_sequence import SequenceScores
from tagvis_lite.evaluation.mask_scores import mask_scores
from tagvis_lite.evaluation.protocols import DavisProtocol
from tagvis_lite.evaluation.youtube_vis import evaluate_parsed
from tagvis_lite.video import VOID, Frames

CAUSES = ("identity switch", "split", "merged", "missed", "boundary", "false positive")
COVERED = 0.1
"""Share of an object below which it counts as missed."""
MOST_PREDICTIONS = 20
"""Predictions of a YouTube-VIS video that are looked at, best scores first."""


@dataclass(frozen=True)
class LostPoints:
    """What one object lost.

    Attributes:
        sequence: name of the video.
        object: its id, or its place among the annotations of the video.
        category: name of its category; '' under DAVIS.
        frames: frame numbers that count: T int.
        causes: T x 6 float64, shares lost in each frame, in the order of `CAUSES`.
    """

    sequence: str
    object: int
    category: str
    frames: np.ndarray
    causes: np.ndarray

    def row(self) -> dict[str, str | int | float]:
        """What was lost in all, and to each cause: means over frames."""
        named = dict(zip(CAUSES, self.causes.mean(axis=0).tolist(), strict=True))
        category = {"Category": self.category} if self.category else {}
        lost = float(self.causes.sum(axis=1).mean())
        return {"Sequence": self.sequence, "Object": self.object, **category, "Lost": lost, **named}

    @property
    def worst_frame(self) -> int:
        """Number of the frame that lost most."""
        return int(self.frames[self.causes.sum(axis=1).argmax()])


def summaries(lost: Sequence[LostPoints]) -> list[dict[str, str | int | float]]:
    """Means over objects: of each category where there are any, else each sequence; and of all."""
    groups: dict[str, list[LostPoints]] = {}
    for of_object in lost:
        groups.setdefault(of_object.category or of_object.sequence, []).append(of_object)
    rows: list[dict[str, str | int | float]] = []
    for name, members in [*groups.items(), ("all", list(lost))]:
        table = [member.row() for member in members]
        means = {key: float(np.mean([row[key] for row in table])) for key in ("Lost", *CAUSES)}
        rows.append({"Of": name, "Objects": len(members), **means})
    return rows


# ---------------------------------------------------------------- DAVIS


def explain_davis(
    scores: SequenceScores, ground_truth: Frames, result: Frames, protocol: DavisProtocol
) -> list[LostPoints]:
    """What each object of a scored sequence lost; `Lost` is 1 - J&F-Mean of the object."""
    every = range(len(ground_truth))
    numbers = every if protocol.end_frames else every[1:-1]
    lost = np.zeros((len(scores.objects), len(numbers), len(CAUSES)))
    for column, t in enumerate(numbers):
        truth, proposed = np.asarray(ground_truth[t]), np.asarray(result[t])
        if protocol.foreground:
            truth, proposed = (ids.astype(bool).view(np.uint8) for ids in (truth, proposed))
        known = truth != VOID
        truth = truth * known
        proposed = proposed * known if protocol.matched else proposed
        objects = [truth == k for k in scores.objects]
        found = {k: proposed == k for k in np.unique(proposed).tolist() if k}
        reach = boundary_reach(*truth.shape)
        for g, (this, proposal) in enumerate(zip(objects, scores.assignment, strict=True)):
            others = (truth > 0) & ~this & (truth <= len(objects))
            given = found.get(proposal, np.zeros_like(this))
            lost[g, column] = _lost_in_frame(this, given, list(found.values()), others, reach)
    return [
        LostPoints(scores.name, k, "", np.array(numbers), lost[g])
        for g, k in enumerate(scores.objects)
    ]


# ---------------------------------------------------------------- YouTube-VIS


def explain_youtube_vis(
    annotations: AnnotationFile, predictions: Sequence[Track]
) -> Iterator[LostPoints]:
    """What each annotated object lost; `Lost` is 1 - its mean J over frames."""
    for video_id, video in annotations.videos.items():
        objects = [t for t in annotations.tracks or () if t.video_id == video_id and not t.crowd]
        found = [t for t in predictions if t.video_id == video_id]
        found = sorted(found, key=lambda track: -track.score)[:MOST_PREDICTIONS]
        ious = _track_ious(found, objects, video.size)
        lost = np.zeros((len(objects), video.length, len(CAUSES)))
        given = [_best_of_category(track, found, ious[:, g]) for g, track in enumerate(objects)]
        for t in range(video.length):
            masks = [_mask(track, t, video.size) for track in objects]
            proposals = [_mask(track, t, video.size) for track in found]
            for g, this in enumerate(masks):
                others = np.any([mask & ~this for mask in masks], axis=0)
                d = given[g]
                mine = np.zeros_like(this) if d is None else proposals[d]
                lost[g, t] = _lost_in_frame(this, mine, proposals, others, None)
        for g, track in enumerate(objects):
            name = annotations.categories[track.category_id]
            yield LostPoints(video.name, g + 1, name, np.arange(video.length), lost[g])


def ranking_and_category(
    annotations: AnnotationFile, predictions: Sequence[Track]
) -> Mapping[str, float]:
    """What AP would gain by the true ranking, and by true categories on top of it."""
    told: list[Track] = []
    relabelled: list[Track] = []
    for video_id, video in annotations.videos.items():
        objects = [t for t in annotations.tracks or () if t.video_id == video_id and not t.crowd]
        found = [t for t in predictions if t.video_id == video_id]
        ious = _track_ious(found, objects, video.size)
        for track, row in zip(found, ious, strict=True):
            same = np.array([o.category_id == track.category_id for o in objects], bool)
            told.append(replace(track, score=float(row[same].max(initial=0))))
            category = objects[int(row.argmax())].category_id if row.any() else track.category_id
            best = float(row.max(initial=0))
            relabelled.append(replace(track, score=best, category_id=category))
    ap, ranked, named = (
        evaluate_parsed(annotations, tracks).AP for tracks in (predictions, told, relabelled)
    )
    return {"AP": ap, "ranking": ranked - ap, "category": named - ranked}


def _track_ious(
    found: Sequence[Track], objects: Sequence[Track], size: tuple[int, int]
) -> np.ndarray:
    """IoU of every prediction with every object: D x G."""
    tracks = [*found, *objects]
    masks = read_tracks([t.segmentations for t in tracks], size, [t.where for t in tracks])
    ious = np.zeros((len(found), len(objects)))
    for d, g in np.ndindex(ious.shape):
        mask, other = masks[d], masks[len(found) + g]
        shared = intersection(mask, other)
        union = int(mask.areas.sum() + other.areas.sum()) - shared
        ious[d, g] = shared / union if union else 0.0
    return ious


def _best_of_category(track: Track, found: Sequence[Track], ious: np.ndarray) -> int | None:
    """The prediction of the object's category that fits it best, if any touches it."""
    same = [d for d, t in enumerate(found) if t.category_id == track.category_id and ious[d] > 0]
    return max(same, key=lambda d: ious[d]) if same else None


def _mask(track: Track, t: int, size: tuple[int, int]) -> np.ndarray:
    segmentation = track.segmentations[t]
    return decode_mask(segmentation, size, track.where, t) if segmentation else np.zeros(size, bool)


# ---------------------------------------------------------------- one object in one frame


def _lost_in_frame(
    this: np.ndarray,
    given: np.ndarray,
    proposals: Iterable[np.ndarray],
    others: np.ndarray,
    reach: int | None,
) -> np.ndarray:
    """Shares lost to each cause: 6 float64.

    Args:
        this: the object: bool, H x W, as all masks here.
        given: the proposal that stands for it.
        proposals: all of the frame.
        others: pixels of other objects.
        reach: of a match of boundaries, for J and F; None for J alone.
    """
    lost = np.zeros(len(CAUSES))
    mask, score = given, _score(this, given, reach)
    if not this.any():
        lost[CAUSES.index("false positive")] = 1 - score
        return lost

    def mend(cause: str, candidates: Iterable[np.ndarray]) -> None:
        nonlocal mask, score
        before = score
        for candidate in candidates:
            value = _score(this, candidate, reach)
            if value > score:
                mask, score = candidate, value
        lost[CAUSES.index(cause)] = score - before

    touching = [proposal for proposal in proposals if (proposal & this).any()]
    inside = [proposal for proposal in touching if 2 * (proposal & this).sum() > proposal.sum()]
    mend("identity switch", touching)
    mend("split", [np.any(inside, axis=0)] if len(inside) > 1 else [])
    mend("merged", [mask & ~others])
    covered = (mask & this).sum() >= COVERED * this.sum()
    lost[CAUSES.index("boundary" if covered else "missed")] = 1 - score
    return lost


def _score(this: np.ndarray, mask: np.ndarray, reach: int | None) -> float:
    """(J + F) / 2 of one mask against one object, or J where there is no `reach`."""
    both = this | mask
    rows, columns = (np.flatnonzero(both.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 1.0
    if reach is None:
        return float((this & mask).sum() / both.sum())
    # All that counts lies within the box around both masks, an empty pixel wider where it can be.
    box = tuple(slice(max(side[0] - 1, 0), side[-1] + 2) for side in (rows, columns))
    scores = mask_scores(this[box], mask[box], [reach])
    return float((scores.J + scores.F[0]) / 2)
