"""YouTube-VIS 2019 and 2021: AP and AR of instance tracks, as the official scorer has them.

The IoU of two tracks is the sum over frames of their intersections, divided by the sum of their
unions; only tracks of one video and category are compared. `average_precision` does the rest.

Scores equal the official scorer's to the last bit, but for annotations with id 0, whose matches
the official scorer takes for misses. TrackEval's `TrackMAP`, given the areas of YouTube-VIS,
differs where the official scorer is followed here:

- its thresholds, from `arange` and less an epsilon, lie up to two ulps beside those of `linspace`:
  an IoU that is exactly 0.9 or so may match in one and not in the other;
- equal scores of several videos rank in the order of the videos' ids, there in that of the file;
- it never matches a crowd twice, and forgets what was matched to the detection with its id 0.

Two kinds of input, one metric: `evaluate_youtube_vis` takes RLEs, whose masks may overlap, and
`evaluate_tracks` takes label maps and makes no RLE of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from tagvis_lite.evaluation.average_precision import (
    MAX_DETECTIONS,
    Group,
    YoutubeVISScores,
    score_groups,
)
from tagvis_lite.evaluation.rle import MaskTrack, intersection, read_tracks
from tagvis_lite.evaluation.youtube_vis_submission import (
    AnnotatedVideo,
    entry_problems,
    is_finite,
    read_json,
    read_results,
    read_videos,
)
from tagvis_lite.video import BACKGROUND, VOID, Tracks, Video


def evaluate_youtube_vis_files(annotations: str | Path, results: str | Path) -> YoutubeVISScores:
    """Score `results.json`, or a zip with it at its root, against an annotation file.

    Raises:
        FileNotFoundError: one of the files is not there.
        ValueError: no json or zip that can be read, or see `evaluate_youtube_vis`.
    """
    ground_truth = read_json(annotations)
    return _evaluate(ground_truth, read_results(results), str(annotations), str(results))


def evaluate_youtube_vis(
    ground_truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> YoutubeVISScores:
    """Score parsed results against parsed annotations.

    Areas of ground truth are the annotations' `areas`, as in the official scorer, or the masks'
    where there are none. Of detections, the best 100 of each video and category are looked at.

    Args:
        ground_truth: an annotation file: `videos`, `categories`, `annotations` with `iscrowd`.
        results: predictions; the list may be empty. RLEs may be compressed or not.

    Raises:
        ValueError: not of the YouTube-VIS layout, unknown ids, another number of segmentations
            than frames (which the official scorer cuts off in silence), a damaged mask.
    """
    return _evaluate(ground_truth, results, "ground truth", "results")


def evaluate_tracks(videos: Sequence[Video], tracks: Sequence[Tracks]) -> YoutubeVISScores:
    """Score label maps against label maps: the same numbers, without an RLE.

    Ids that no label map shows are neither objects nor predictions. Void (255) of the ground
    truth is background: YouTube-VIS knows no void.

    Args:
        videos: with label maps and a category for each id in them.
        tracks: one for each video, by name, in any order.

    Raises:
        ValueError: a video without label maps or tracks, tracks of no video, a size that differs,
            an id without category, a score that is not finite.
    """
    by_name = {of_video.name: of_video for of_video in tracks}
    names = [video.name for video in videos]
    if len(by_name) != len(tracks) or len(set(names)) != len(names) or set(by_name) != set(names):
        wrong = sorted(set(by_name) ^ set(names))
        raise ValueError(f"expected tracks of each video once; look at {wrong or sorted(by_name)}")
    groups: dict[int, list[Group]] = defaultdict(list)
    for video in videos:
        for category, group in _groups_of_label_maps(video, by_name[video.name]):
            groups[category].append(group)
    return score_groups(groups, {category: str(category) for category in sorted(groups)})


# ---------------------------------------------------------------- IoU


def _evaluate(
    ground_truth: Any, results: Sequence[Any], gt_name: str, results_name: str
) -> YoutubeVISScores:
    videos, categories = read_videos(ground_truth, gt_name)
    if not isinstance(ground_truth.get("annotations"), list):
        raise ValueError(
            f"{gt_name} has no list of 'annotations': nothing can be scored against the public part"
        )
    objects: dict[int, list[_Entry]] = defaultdict(list)
    for k, content in enumerate(ground_truth["annotations"]):
        where = f"{gt_name}, annotations[{k}]"
        _check_annotation(content, videos, categories, where)
        objects[content["video_id"]].append(_Entry(content, where))
    detections: dict[int, list[_Entry]] = defaultdict(list)
    for k, content in enumerate(results):
        where = f"{results_name}, prediction {k}"
        for problem in entry_problems(content, videos, categories, where, scored=True):
            raise ValueError(f"{problem} (tagvis check-submission finds all such problems)")
        detections[content["video_id"]].append(_Entry(content, where))

    groups: dict[int, list[Group]] = {category: [] for category in categories}
    for video_id, video in sorted(videos.items()):
        found = _groups_of_rles(video, objects[video_id], detections[video_id])
        for category, group in found:
            groups[category].append(group)
    return score_groups(groups, categories)


@dataclass(frozen=True)
class _Entry:
    """An annotation or a prediction, and what to call it in an error."""

    content: Mapping[str, Any]
    where: str


def _check_annotation(
    entry: Any,
    videos: Mapping[int, AnnotatedVideo],
    categories: Mapping[int, str],
    where: str,
) -> None:
    for problem in entry_problems(entry, videos, categories, where, scored=False):
        raise ValueError(problem)
    if entry.get("iscrowd") not in (0, 1):
        raise ValueError(f"{where}: 'iscrowd' is {entry.get('iscrowd')!r:.40}, expected 0 or 1")
    areas = entry.get("areas")
    if areas is not None and (
        not isinstance(areas, list)
        or len(areas) != videos[entry["video_id"]].length
        or not all(area is None or is_finite(area) for area in areas)
    ):
        raise ValueError(f"{where}: 'areas' must hold a number or null for each frame")


def _groups_of_rles(
    video: AnnotatedVideo, objects: Sequence[_Entry], detections: Sequence[_Entry]
) -> Iterator[tuple[int, Group]]:
    """Groups of all categories of a video, from the runs of its masks."""
    scores = np.array([float(entry.content["score"]) for entry in detections])
    best_first = [detections[k] for k in np.argsort(-scores, kind="stable")]
    annotated = _by_category(objects)
    detected = {
        category: entries[: MAX_DETECTIONS[-1]]
        for category, entries in _by_category(best_first).items()
    }
    categories = sorted(annotated.keys() | detected.keys())
    entries = [e for c in categories for e in annotated.get(c, []) + detected.get(c, [])]
    masks = iter(
        read_tracks(
            [entry.content["segmentations"] for entry in entries],
            video.height,
            video.width,
            [entry.where for entry in entries],
        )
    )
    for category in categories:
        of_objects, found = annotated.get(category, []), detected.get(category, [])
        object_masks, found_masks = (
            list(islice(masks, len(of_objects))),
            list(islice(masks, len(found))),
        )
        areas = [
            _mean_area(entry.content.get("areas") or mask.areas)
            for entry, mask in zip(of_objects, object_masks, strict=True)
        ]
        yield (
            category,
            Group(
                ious=_ious(found_masks, object_masks),
                object_areas=np.array(areas),
                crowd=np.array([bool(entry.content["iscrowd"]) for entry in of_objects], bool),
                areas=np.array([_mean_area(mask.areas) for mask in found_masks]),
                scores=np.array([float(entry.content["score"]) for entry in found]),
            ),
        )


def _by_category(entries: Sequence[_Entry]) -> dict[int, list[_Entry]]:
    grouped: dict[int, list[_Entry]] = defaultdict(list)
    for entry in entries:
        grouped[entry.content["category_id"]].append(entry)
    return dict(grouped)


def _ious(found: Sequence[MaskTrack], objects: Sequence[MaskTrack]) -> np.ndarray:
    """IoUs, D x G, or 0 where areas alone keep it below 1/2, the lowest threshold."""
    ious = np.zeros((len(found), len(objects)))
    if ious.size == 0:
        return ious
    areas = np.array([mask.areas for mask in found])
    of_objects = np.array([mask.areas for mask in objects])
    both = areas.sum(axis=1)[:, None] + of_objects.sum(axis=1)
    largest = np.stack([np.minimum(areas, other).sum(axis=1) for other in of_objects], axis=1)
    near = (3 * largest >= both) & (largest > 0)
    for d, g in np.argwhere(near).tolist():
        shared = intersection(found[d], objects[g])
        ious[d, g] = shared / (both[d, g] - shared)
    return ious


def _mean_area(areas: Sequence[float | None] | np.ndarray) -> float:
    """Mean over the frames with an area; 0 if there is none."""
    values = np.array(areas, float)  # None becomes NaN
    seen = values[(values != 0) & (values == values)]
    return float(seen.mean()) if len(seen) else 0.0


def _groups_of_label_maps(video: Video, tracks: Tracks) -> Iterator[tuple[int, Group]]:
    """Groups of all categories of a video, from one contingency table of its label maps."""
    if video.ids is None:
        raise ValueError(f"video {video.name!r} has no label maps to score against")
    if len(video) != len(tracks.ids):
        raise ValueError(
            f"video {video.name!r} has {len(video)} frames, its tracks {len(tracks.ids)}"
        )
    table = np.zeros((256, 256), np.int64)
    object_areas = np.zeros((len(video), 256), np.int64)
    areas = np.zeros((len(video), 256), np.int64)
    for t, predicted in enumerate(tracks.ids):
        (ids,) = video.read_ids([t])
        if ids.shape != predicted.shape:
            raise ValueError(
                f"label map {video.frame_names[t]} of video {video.name!r} is {ids.shape}, its "
                f"tracks {predicted.shape}: bring tracks to the original resolution"
            )
        pairs = ids.astype(np.intp)
        pairs *= 256
        pairs += predicted
        in_frame = np.bincount(pairs.ravel(), minlength=256 * 256).reshape(256, 256)
        table += in_frame
        object_areas[t] = in_frame.sum(axis=1)
        areas[t] = in_frame.sum(axis=0)

    def seen(areas: np.ndarray) -> list[int]:
        ids = np.flatnonzero(areas.any(axis=0)).tolist()
        return [k for k in ids if k not in (BACKGROUND, VOID)]

    objects, detections = seen(object_areas), seen(areas)
    unknown = [k for k in objects if not isinstance(video.categories.get(k), Integral)]
    if unknown:
        raise ValueError(f"video {video.name!r} has ids {unknown} without a category")
    endless = [k for k in detections if not is_finite(tracks.scores[k])]
    if endless or areas[:, VOID].any():
        reason = f"scores of ids {endless} are not finite" if endless else f"id {VOID} is void"
        raise ValueError(f"tracks of {tracks.name!r}: {reason}")
    categories = {video.categories[k] for k in objects} | {tracks.categories[k] for k in detections}
    for category in sorted(categories):
        g = [k for k in objects if video.categories[k] == category]
        d = [k for k in detections if tracks.categories[k] == category]
        scores = np.array([tracks.scores[k] for k in d], float)
        best = np.argsort(-scores, kind="stable")[: MAX_DETECTIONS[-1]]
        d = [d[k] for k in best]
        shared = table[np.ix_(g, d)].T
        union = areas[:, d].sum(axis=0)[:, None] + object_areas[:, g].sum(axis=0) - shared
        yield (
            category,
            Group(
                ious=shared / union,
                object_areas=np.array([_mean_area(object_areas[:, k]) for k in g]),
                crowd=np.zeros(len(g), bool),
                areas=np.array([_mean_area(areas[:, k]) for k in d]),
                scores=scores[best],
            ),
        )
