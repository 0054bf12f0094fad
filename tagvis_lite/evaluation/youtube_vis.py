"""YouTube-VIS 2019 and 2021: AP and AR of instance tracks, as the official scorer has them.

The IoU of two tracks is the sum over frames of their intersections, divided by the sum of their
unions; only tracks of one video and category are compared. `average_precision` does the rest.

Scores equal the official scorer's to the last bit, but for annotations with id 0, whose matches
the official scorer takes for misses, and for ids that stand twice, of which it keeps the last
annotation alone: here each annotation is an object, whatever its id. TrackEval's `TrackMAP`, given
the areas of YouTube-VIS, differs where the official scorer is followed here:

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
from numbers import Integral
from typing import Any

import numpy as np

from tagvis_lite.data.rle import MaskTrack, intersection, read_tracks
from tagvis_lite.data.youtube_vis_json import (
    AnnotationFile,
    Track,
    is_finite,
    parse_annotations,
    parse_predictions,
)
from tagvis_lite.evaluation.average_precision import (
    MAX_DETECTIONS,
    Group,
    YoutubeVISScores,
    score_groups,
)
from tagvis_lite.video import BACKGROUND, VOID, Tracks, Video

FIRST_CATEGORIES = {
    "youtube-vis-2019": ("person", "giant_panda", "lizard"),
    "youtube-vis-2021": ("airplane", "bear", "bird"),
}


def youtube_vis_protocol(annotations: AnnotationFile, name: str | None = None) -> str:
    """Name of the protocol: both years are scored alike, but order their 40 categories differently.

    Raises:
        ValueError: `name` is of the other year than the categories.
    """
    first = tuple(annotations.categories.get(k) for k in (1, 2, 3))
    found = next((year for year, names in FIRST_CATEGORIES.items() if names == first), None)
    if name and found and name != found:
        raise ValueError(
            f"{annotations.name} has the categories of {found} ({first[0]}, {first[1]}, ...), not "
            f"of {name}: choose --protocol {found}, or give the other year's file"
        )
    return name or found or "youtube-vis"


def notes(annotations: AnnotationFile) -> list[str]:
    """Where scores against this file differ from the official tool's."""
    repeated = annotations.repeated_ids
    if not repeated:
        return []
    return [
        f"{repeated} annotations have the id of another: each is an object here, while the "
        "official tool keeps the last one of an id"
    ]


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
    annotations = parse_annotations(ground_truth, "ground truth")
    return evaluate_parsed(annotations, parse_predictions(results, annotations, "results"))


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
        for category, group in groups_of_label_maps(video, by_name[video.name]):
            groups[category].append(group)
    return score_groups(groups, {category: str(category) for category in sorted(groups)})


# ---------------------------------------------------------------- IoU


def evaluate_parsed(annotations: AnnotationFile, predictions: Sequence[Track]) -> YoutubeVISScores:
    """Score what `read_annotations` and `read_predictions` give; see `evaluate_youtube_vis`."""
    if annotations.tracks is None:
        raise ValueError(
            f"{annotations.name} has no 'annotations': nothing can be scored against the public "
            "part of a validation or test set"
        )
    objects: dict[int, list[Track]] = defaultdict(list)
    for track in annotations.tracks:
        objects[track.video_id].append(track)
    detections: dict[int, list[Track]] = defaultdict(list)
    for track in predictions:
        if track.category_id in annotations.categories:
            detections[track.video_id].append(track)
    groups: dict[int, list[Group]] = {category: [] for category in annotations.categories}
    for video_id, video in sorted(annotations.videos.items()):
        found = _groups_of_rles(video.size, objects[video_id], detections[video_id])
        for category, group in found:
            groups[category].append(group)
    return score_groups(groups, annotations.categories)


def _groups_of_rles(
    size: tuple[int, int], objects: Sequence[Track], detections: Sequence[Track]
) -> Iterator[tuple[int, Group]]:
    """Groups of all categories of a video, from the runs of its masks."""
    annotated = _by_category(objects)
    detected = _by_category(sorted(detections, key=lambda track: -track.score))
    categories = sorted(annotated.keys() | detected.keys())
    pairs = [(annotated[c], detected[c][: MAX_DETECTIONS[-1]]) for c in categories]
    tracks = [track for of_objects, found in pairs for track in of_objects + found]
    if not tracks:
        return
    masks = read_tracks([t.segmentations for t in tracks], size, [track.where for track in tracks])
    areas = np.array([mask.areas for mask in masks])
    means = _mean_areas(areas)
    start = 0
    for category, (of_objects, found) in zip(categories, pairs, strict=True):
        g = slice(start, start + len(of_objects))
        d = slice(g.stop, g.stop + len(found))
        start = d.stop
        yield (
            category,
            Group(
                ious=_ious(masks[d], areas[d], masks[g], areas[g]),
                object_areas=np.array(
                    [
                        mean if track.areas is None else _mean_annotated(track.areas)
                        for track, mean in zip(of_objects, means[g], strict=True)
                    ]
                ),
                crowd=np.array([track.crowd for track in of_objects], bool),
                areas=means[d],
                scores=np.array([track.score for track in found]),
            ),
        )


def _by_category(tracks: Sequence[Track]) -> defaultdict[int, list[Track]]:
    grouped: defaultdict[int, list[Track]] = defaultdict(list)
    for track in tracks:
        grouped[track.category_id].append(track)
    return grouped


def _ious(
    found: Sequence[MaskTrack],
    areas: np.ndarray,
    objects: Sequence[MaskTrack],
    object_areas: np.ndarray,
) -> np.ndarray:
    """IoUs, D x G; 0 where areas, D x T and G x T, keep it below 1/2, the lowest threshold."""
    ious = np.zeros((len(found), len(objects)))
    if ious.size == 0:
        return ious
    both = areas.sum(axis=1)[:, None] + object_areas.sum(axis=1)
    largest = np.stack([np.minimum(areas, other).sum(axis=1) for other in object_areas], axis=1)
    near = (3 * largest >= both) & (largest > 0)
    for d, g in np.argwhere(near).tolist():
        shared = intersection(found[d], objects[g])
        ious[d, g] = shared / (both[d, g] - shared)
    return ious


def _mean_areas(areas: np.ndarray) -> np.ndarray:
    """Mean over the frames with a mask, of N x T pixels: N float64; sums of pixels are exact."""
    return areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)


def _mean_annotated(areas: Sequence[float | None]) -> float:
    """Mean over the frames with an area; 0 if there is none."""
    seen = [area for area in areas if area]
    return float(np.mean(seen)) if seen else 0.0


def groups_of_label_maps(video: Video, tracks: Tracks) -> Iterator[tuple[int, Group]]:
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
                object_areas=_mean_areas(object_areas[:, g].T),
                crowd=np.zeros(len(g), bool),
                areas=_mean_areas(areas[:, d].T),
                scores=scores[best],
            ),
        )
