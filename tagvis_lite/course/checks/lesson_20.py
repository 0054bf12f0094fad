"""Lesson 20: the IoU of tracks, what a swap costs, and what the order of a list costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Track = Sequence[np.ndarray | None]


def _square(side: int) -> np.ndarray:
    mask = np.zeros((5, 5), bool)
    mask[:side, :side] = True
    return mask


OBJECT: Track = [_square(1), _square(2), None, _square(3)]
FOUND: Track = [None, _square(2), _square(2), _square(4)]
"""Shared pixels 0 + 4 + 0 + 9, union 1 + 4 + 4 + 16: the IoU is 13 / 25."""


def check_sequence_iou(answer: Callable[[Track, Track], float]) -> None:
    """Compare on four frames with every combination of None, then on tracks out of sight."""
    try:
        given = answer(OBJECT, FOUND)
    except (TypeError, AttributeError) as error:
        raise AssertionError(
            f"None stands for an empty mask, but yours fails on it: {error}"
        ) from error
    assert np.ndim(given) == 0, f"one number for a pair of tracks, not {np.shape(given)}"
    assert isinstance(given, float | int | np.number), f"return a number; got {type(given)}"
    given = float(given)
    assert not np.isclose(given, (0 + 1 + 0 + 9 / 16) / 4), (
        "this is the mean of the IoUs of the frames: add up intersections and unions over all "
        "frames, then divide once"
    )
    assert not np.isclose(given, 13 / 20), (
        "this leaves out frames in which one track is None: its mask is empty there, the other's "
        "pixels still belong to the union"
    )
    assert not np.isclose(given, (1 + 9 / 16) / 2), (
        "this is the mean over the frames that show both: add up over all frames, then divide once"
    )
    assert not np.isclose(given, 13 / 38), (
        "this divides by the sum of both areas: subtract the intersection, it was counted twice"
    )
    assert np.isclose(given, 13 / 25), (
        f"shared 0 + 4 + 0 + 9 = 13, union 1 + 4 + 4 + 16 = 25, so {13 / 25}; you say {given:.3g}"
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        try:
            empty = float(answer([None, None], [None, None]))
        except ZeroDivisionError:
            empty = np.nan
    assert empty == 0, f"two tracks without a pixel have IoU 0 here, not {empty:.3g}"


def check_late_swap(answer: Callable[[], int]) -> None:
    """Fifteen frames shared; fifteen, five and five in the union."""
    given = answer()
    assert given != 6, (
        "15 / 20 is the share of right frames; in the other 5, object and track lie in two places, "
        "and both belong to the union"
    )
    assert given != 0, "a swap this late leaves an IoU above one half"
    assert given != 10, "the last five frames count: a track that ends on another object lost them"
    assert given == 3, (
        f"not {given}: add up what is shared and what the union holds, in frames, then count the "
        "thresholds that the quotient reaches"
    )


def check_same_tracks(answer: Callable[[], Sequence[float]]) -> None:
    """AP of four tracks, two of them hits, ranked by the answer's scores."""
    scores = np.asarray(answer(), float).ravel()
    assert scores.shape == (4,), f"four scores, not {len(scores)}"
    assert 0 <= scores.min() <= scores.max() <= 1, "scores are between 0 and 1"
    assert len(set(scores.tolist())) == 4, "no two may be equal: ties are broken by chance"
    hits = np.array([True, True, False, False])[np.argsort(-scores)]
    precision, recall = np.cumsum(hits) / np.arange(1, 5), np.cumsum(hits) / 2
    curve = [precision[recall >= r].max(initial=0) for r in np.linspace(0, 1, 101)]
    ap = float(np.mean(curve))
    assert not hits[0], f"AP is {ap:.2f}: a perfect track stands first"
    assert not hits[1], f"AP is {ap:.2f}: a perfect track still stands before one that hits nothing"
