"""Long videos by windows: T frames at a time, half of them shared with the window before (D18).

    frames     0 1 2 3 4 5 6 7 8 9 ...
    window 1   0 1 2 3 4 5 6 7              instances 1, 2
    window 2           4 5 6 7 8 9 10 11    instances 1, 2, 3: which are 2, 1 and new

Each window is clustered alone, so its ids mean nothing to the next. In the frames that both have
seen, masks of one object overlap: instances are linked there, one to one. A window's outer frames
have neighbours on one side alone, so the shared frames are halved between the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from tagvis_lite.instances import Instances

LEAST_IOU = 0.1
"""Of two masks in shared frames that are one object: those that touch only at an edge are not."""


def window_ends(num_frames: int, clip_frames: int) -> list[int]:
    """Where windows of `clip_frames` >= 2 end (exclusive); the last is moved back to fit."""
    return [*range(clip_frames, num_frames, clip_frames - clip_frames // 2), num_frames]


def stitch(windows: Iterable[Instances], ends: Sequence[int], max_instances: int) -> Instances:
    """One numbering for the instances of all windows. Holds one window at a time.

    An instance that the window before does not show in the shared frames gets a new id, even if
    it was seen earlier. Its category is the one that most of its pixels were given, its score
    their mean score; so with their trust.

    Args:
        windows: in order; neighbours share frames.
        ends: the frame after the last of each window.
        max_instances: only so many are kept, the largest.

    Returns:
        Instances of all `ends[-1]` frames, numbered from the largest; without modes, for the tags
        of two windows cannot be compared.
    """
    ids = np.zeros((0, 0, 0), dtype=np.int32)
    votes: list[Counter[int]] = [Counter()]  # of each instance: pixels by category
    sums = [np.zeros(2)]  # and score and trust times pixels; 0 is the background
    done = 0
    for end, found in zip(ends, windows, strict=True):
        if done == 0:
            ids = np.zeros((ends[-1], *found.ids.shape[1:]), dtype=np.int32)
        start = end - len(found.ids)
        number = link(ids[start:done], found.ids[: done - start])
        pixels = np.bincount(found.ids.ravel(), minlength=len(number))
        for k, category in found.categories.items():
            if number[k] == 0:
                number[k] = len(votes)
                votes.append(Counter())
                sums.append(np.zeros(2))
            votes[number[k]][category] += int(pixels[k])
            sums[number[k]] += pixels[k] * np.array([found.scores[k], found.trust.get(k, np.nan)])
        first = (start + done + 1) // 2
        ids[first:end] = number[found.ids[first - start :]]
        done = end

    sizes = np.bincount(ids.ravel(), minlength=len(votes))[1:]
    largest = [1 + int(k) for k in np.argsort(-sizes, kind="stable")[:max_instances] if sizes[k]]
    new = np.zeros(len(votes), dtype=np.uint8)
    new[largest] = 1 + np.arange(len(largest))
    means = {int(new[k]): sums[k] / votes[k].total() for k in largest}
    return Instances(
        ids=new[ids],
        categories={int(new[k]): votes[k].most_common(1)[0][0] for k in largest},
        scores={n: float(score) for n, (score, _) in means.items()},
        modes={},
        trust={n: float(trust) for n, (_, trust) in means.items() if not np.isnan(trust)},
    )


def link(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The best one-to-one match of the ids of two label maps of the same frames.

    Args:
        before: integers, T x h x w, 0 is background; T may be 0.
        after: uint8, T x h x w.

    Returns:
        int64, 256: for each id of `after` its id in `before`, 0 where there is none.
    """
    number = np.zeros(256, dtype=np.int64)
    names, places = np.unique(np.append(0, before), return_inverse=True)
    pairs = np.bincount(256 * places[1:] + after.ravel(), minlength=256 * len(names))
    common = pairs.reshape(len(names), 256)
    union = common.sum(1, keepdims=True) + common.sum(0, keepdims=True) - common
    iou = (common / np.maximum(union, 1))[1:, 1:]
    rows, columns = linear_sum_assignment(np.where(iou >= LEAST_IOU, iou, 0), maximize=True)
    matched = iou[rows, columns] >= LEAST_IOU
    number[1 + columns[matched]] = names[1 + rows[matched]]
    return number
