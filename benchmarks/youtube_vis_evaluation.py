"""How long YouTube-VIS AP takes, against the official way of taking it.

    python benchmarks/youtube_vis_evaluation.py

The reference is tests/evaluation/official_youtube_vis.py, the official scorer's way on pycocotools'
own matching and accumulation; some of the official scorer's other work is left out, to its favour.
Both sides begin with the same parsed json and end with the nine scores. Ours checks every mask on
the way, which the reference does not do. A second, stricter ratio sets all of ours against the
official IoUs alone: two merges and two areas by pycocotools for each pair of tracks and frame, but
neither matching nor curves. Label maps: `evaluate_tracks`, against `evaluate_youtube_vis` on RLEs
that are made of the label maps first.

Videos of 27 frames at 720p, drawn here: outlines that move and wobble, and detections that are the
objects, shifted by a few pixels. Processor time in one process and one thread; runs take turns,
and ratios are medians over the turns. The scores are compared, bit by bit, with the reference and
with the definition written out (tests/evaluation/literal_youtube_vis.py).

Prints two Markdown tables and writes benchmarks/results/youtube_vis_evaluation.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from measuring import record
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "evaluation"))
import official_youtube_vis as official

from tagvis_lite.evaluation.youtube_vis import evaluate_tracks, evaluate_youtube_vis
from tagvis_lite.evaluation.youtube_vis_submission import track_results
from tagvis_lite.paper import youtube_vis as literal
from tagvis_lite.video import Tracks, Video

HEIGHT, WIDTH, FRAMES = 720, 1280, 27


@dataclass(frozen=True)
class Case:
    """Videos with so many objects and detections each, spread over so many categories."""

    objects: int
    detections: int
    categories: int = 1
    videos: int = 1


RLE_CASES = [
    Case(1, 1),
    Case(1, 10),
    Case(2, 10),
    Case(3, 10),
    Case(5, 40),
    Case(3, 10, categories=2, videos=4),
    Case(3, 30, categories=10, videos=4),
]
LABEL_MAP_CASES = [Case(1, 1), Case(3, 10), Case(10, 20)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    cv2.setNumThreads(1)
    rle_rows = [asdict(case) | time_rles(case, turns) for case in RLE_CASES]
    label_map_rows = [asdict(case) | time_label_maps(case, turns) for case in LABEL_MAP_CASES]
    record(
        "youtube_vis_evaluation",
        {"turns": turns, "rles": rle_rows, "label_maps": label_map_rows},
    )
    print_table(rle_rows, "official way")
    print()
    print_table(label_map_rows, "through RLEs")


# ---------------------------------------------------------------- the data


Outline = tuple[np.ndarray, np.ndarray, np.ndarray]


def outline(rng: np.random.Generator) -> Outline:
    """Centre, velocity, and 120 points of a wobbly closed curve around the origin."""
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    wobble = sum(
        rng.uniform(-0.3, 0.3) / k * np.sin(k * angles + rng.uniform(0, 6)) for k in range(2, 12)
    )
    radius = rng.uniform(50, 200) * (1 + wobble)
    points = radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centre = rng.uniform((WIDTH / 4, HEIGHT / 4), (3 * WIDTH / 4, 3 * HEIGHT / 4))
    return centre, rng.uniform(-4, 4, 2), points


def paint(ids: np.ndarray, shape: Outline, t: int, offset: np.ndarray, label: int) -> None:
    centre, velocity, points = shape
    cv2.fillPoly(ids, [np.round(centre + t * velocity + offset + points).astype(np.int32)], label)


def draw_rles(case: Case) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An annotation file and results, masks overlapping freely."""
    rng = np.random.default_rng(0)
    ground_truth: dict[str, Any] = {"videos": [], "annotations": []}
    results = []
    ground_truth["categories"] = [{"id": k + 1} for k in range(case.categories)]
    for video_id in range(case.videos):
        video = {"id": video_id, "height": HEIGHT, "width": WIDTH, "length": FRAMES}
        ground_truth["videos"].append(video)
        shapes = [outline(rng) for _ in range(case.objects)]
        for k in range(case.objects + case.detections):
            detected = k >= case.objects
            offset = rng.normal(0, 12, 2) if detected else np.zeros(2)
            ids = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
            for t in range(FRAMES):
                paint(ids[t], shapes[k % case.objects], t, offset, 1)
            category = 1 + k % case.objects % case.categories
            if detected and k % 3 == 0:  # some detections are of a wrong category
                category = int(rng.integers(1, case.categories + 1))
            (entry,) = track_results(Tracks("", ids, {1: category}, {1: rng.random()}), video_id)
            if detected:
                results.append(entry)
            else:
                areas = [mask and int(coco_mask.area(mask)) for mask in entry["segmentations"]]
                ground_truth["annotations"].append(entry | {"iscrowd": 0, "areas": areas})
    return ground_truth, results


def draw_label_maps(case: Case) -> tuple[Video, Tracks]:
    rng = np.random.default_rng(0)
    shapes = [outline(rng) for _ in range(max(case.objects, case.detections))]
    both = np.zeros((2, FRAMES, HEIGHT, WIDTH), np.uint8)
    for maps, number, spread in zip(both, (case.objects, case.detections), (0, 12), strict=True):
        for label, shape in enumerate(shapes[:number], start=1):
            offset = rng.normal(0, 1, 2) * spread
            for t in range(FRAMES):
                paint(maps[t], shape, t, offset, label)
    categories = dict.fromkeys(range(1, len(shapes) + 1), 1)
    scores = {label: float(rng.random()) for label in categories}
    frames = np.zeros((FRAMES, 1, 1, 3), np.uint8)
    return Video("a", frames, both[0], categories), Tracks("a", both[1], categories, scores)


# ---------------------------------------------------------------- the measurement


def time_rles(case: Case, turns: int) -> dict[str, float]:
    ground_truth, results = draw_rles(case)
    ours = evaluate_youtube_vis(ground_truth, results).values()
    for other in (literal, official):
        expected = other.evaluate(ground_truth, results)
        if repr(ours) != repr(expected):
            raise SystemExit(f"{case}: the scores differ: {ours} {expected}")
    scorer = official.YoutubeVISEval(ground_truth, results)
    scorer._prepare()
    return compare(
        {
            "reference": lambda: official.evaluate(ground_truth, results),
            "ious_alone": lambda: [scorer.computeIoU(*key) for key in list(scorer._dts)],
        },
        lambda: evaluate_youtube_vis(ground_truth, results),
        turns,
    )


def time_label_maps(case: Case, turns: int) -> dict[str, float]:
    video, tracks = draw_label_maps(case)

    def through_rles() -> dict[str, float]:
        entry = {"id": 1, "height": HEIGHT, "width": WIDTH, "length": FRAMES}
        objects = Tracks("a", video.read_ids(range(FRAMES)), video.categories, tracks.scores)
        annotations = [entry | {"iscrowd": 0} for entry in track_results(objects, 1)]
        ground_truth = {
            "videos": [entry],
            "categories": [{"id": 1}],
            "annotations": annotations,
        }
        return evaluate_youtube_vis(ground_truth, track_results(tracks, 1)).values()

    ours = evaluate_tracks([video], [tracks]).values()
    if repr(ours) != repr(through_rles()):
        raise SystemExit(f"{case}: the scores differ: {ours} {through_rles()}")
    return compare({"reference": through_rles}, lambda: evaluate_tracks([video], [tracks]), turns)


def compare(
    references: dict[str, Callable[[], object]], ours: Callable[[], object], turns: int
) -> dict[str, float]:
    """Milliseconds of all, and how many times faster ours is, over runs in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in (*references, "ours")}
    for _ in range(turns):
        for name, function in (references | {"ours": ours}).items():
            start = time.process_time()
            function()
            seconds[name].append(time.process_time() - start)
    row = {f"{name}_ms": 1e3 * median(values) for name, values in seconds.items()}
    for name in references:
        ratios = [a / b for a, b in zip(seconds[name], seconds["ours"], strict=True)]
        key = "ratio" if name == "reference" else f"{name}_ratio"
        row |= {key: median(ratios), f"{key}_lowest": min(ratios), f"{key}_highest": max(ratios)}
    return row


def print_table(rows: list[dict[str, Any]], reference: str) -> None:
    print(
        f"| videos | categories | objects | detections | {reference}, ms | ours, ms "
        "| ratio (lowest to highest) | ratio of official IoUs alone |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        ious_alone = f"{row['ious_alone_ratio']:.1f}" if "ious_alone_ratio" in row else "-"
        print(
            f"| {row['videos']} | {row['categories']} | {row['objects']} | {row['detections']} "
            f"| {row['reference_ms']:.1f} | {row['ours_ms']:.1f} "
            f"| {row['ratio']:.1f} ({row['ratio_lowest']:.1f} to {row['ratio_highest']:.1f}) "
            f"| {ious_alone} |"
        )


if __name__ == "__main__":
    main()
