"""Turn a run of composites.py into the weights for real video: calibrate, score, write the card.

    TAGVIS_REAL_DATA=... python benchmarks/ship_real_video.py runs/real_video/NAME

Chosen on composites of the validation sequences: the thresholds of the clustering, whether long
videos are seen by windows or spread frames, and the four weights of an instance's trust (D27).
Measured on composites of the test sequences, which nothing was trained or chosen on: how well that
trust is calibrated, and where the network fails, by size, speed, occlusion, camera and number of
objects. Writes data/checkpoints/real.safetensors, its card real.json, and docs/images/trust.svg.
The run's own scores are those that composites.py recorded, at the thresholds of the toy profile.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
from composites import FRAMES, read_part
from matplotlib.figure import Figure
from measuring import RESULTS
from ship_checkpoint import CHECKPOINTS

from tagvis_lite.atomic import replacing
from tagvis_lite.clips import spread_indices
from tagvis_lite.config import Config, config_to_dict
from tagvis_lite.data.find import ONE_CLASS
from tagvis_lite.evaluation.davis import DavisScores, evaluate_tracks
from tagvis_lite.inference import (
    Network,
    clip_evidence,
    merge_repeats,
    predict_clip,
    predict_video,
    read_clip,
)
from tagvis_lite.instances import cluster_instances, prepare
from tagvis_lite.instances.trust import ENOUGH, SIGNS, fit_trust, is_right, trust
from tagvis_lite.runs import load_network, save_network
from tagvis_lite.study.composites.draw import Composites, Mix
from tagvis_lite.study.composites.sources import Sources
from tagvis_lite.study.provenance import provenance
from tagvis_lite.training.tuning import score_settings
from tagvis_lite.video import BACKGROUND, Video
from tagvis_lite.views.objects import resized
from tagvis_lite.views.picture import picture

WIDE = Mix(objects=(1, 5), untouched=0.1, stills=0.2, shapes=0, seen=False)
"""All that is hard: small and large, leaving, behind a bar, alone and untouched."""
CALIBRATION, TEST = 96, 96
LICENCE = (
    "14 sequences of DAVIS-2016 and 30 first frames of DAVIS-2017 (CC BY 4.0 unless their list of "
    "sources says otherwise for a clip), as composites, which are no benchmark"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("run", type=Path)
    chosen = parser.parse_args()
    recorded = json.loads((RESULTS / "real_video.json").read_text())["runs"][chosen.run.name]
    network, config = load_network(chosen.run)
    toy, toy_config = load_network("toy2")

    fitting = composites(read_part("validation"), CALIBRATION, 3)
    tried = [
        replace(config.inference, foreground=a, bandwidth=b, prominence=c, min_area=d)
        for a, b, c, d in product((0.3, 0.5), (0.4, 0.75, 1.2), (0.1, 0.3), (0.002, 0.01))
    ]
    found = score_settings(network, fitting, config, tried, "cpu")
    config = replace(config, inference=tried[int(np.argmax(found))])
    print(f"thresholds: {config.inference}, J&F {max(found):.3f}, least {min(found):.3f}")
    long_videos = {
        way: score(network, fitting, with_(config, way)) for way in ("spread", "windows")
    }
    print(f"validation J&F by spread frames or windows: {long_videos}")
    way = max(long_videos, key=lambda name: long_videos[name])
    fitted = look_at(network, fitting, config)
    weights = fit_trust(fitted.signs, fitted.right)
    config = with_(config, way)

    videos = composites(read_part("test"), TEST, 4)
    tested = look_at(network, videos, config)
    values = np.array([trust(signs, weights) for signs in tested.signs])
    calibration = reliability(values, tested.right)
    print(calibration)
    shapes = replace(config, model=toy_config.model, inference=toy_config.inference)
    scores = evaluated(network, videos, config)
    both = {"these": scores.jf_mean, "toy2": score(toy, videos, shapes)}
    print(f"J&F beside that of weights that saw shapes alone: {both}")
    atlas = failures(videos, scores)
    for row in atlas:
        print(row)

    config = replace(config, inference=replace(config.inference, trust=weights))
    save_network(CHECKPOINTS / "real.safetensors", network, config, categories=ONE_CLASS, half=True)
    held_out = recorded["scores"]["held out"]["J&F"]
    card = {
        "summary": (
            f"composites of real video, two numbers a tag, {config.train.steps:,} steps from the "
            f"weights toy2; J&F {100 * held_out:.1f} on held-out composites, which are no benchmark"
        ),
        "data": LICENCE,
        "limits": (
            "It has seen 41 of them in training, mostly people, animals and vehicles, as "
            "composites; on other videos much of what it finds is no object. Each instance has a "
            "trust: look at that first"
        ),
        "run": recorded,
        "validation J&F of long videos": long_videos,
        "test J&F of all that is hard": both,
        "trust": {"signs": SIGNS, "weights": weights, **calibration},
        "failures": atlas,
        "config": config_to_dict(config),
        "provenance": provenance(),
    }
    with replacing(CHECKPOINTS / "real.json") as file:
        file.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    drawn = picture(draw_reliability(calibration), "Trust against the share that was right")
    with replacing(Path(__file__).parent.parent / "docs" / "images" / "trust.svg") as file:
        file.write_bytes(drawn.file)


def with_(config: Config, long_videos: str) -> Config:
    return replace(config, inference=replace(config.inference, long_videos=long_videos))


def composites(sources: Sources, number: int, seed: int) -> list[Video]:
    return list(Composites(sources, number, FRAMES, seed=2000 + seed, mix=WIDE))


def evaluated(network: Network, videos: Sequence[Video], config: Config) -> DavisScores:
    tracks = [predict_video(network, video, config) for video in videos]
    return evaluate_tracks(videos, tracks)[0]


def score(network: Network, videos: Sequence[Video], config: Config) -> float:
    return evaluated(network, videos, config).jf_mean


# ---------------------------------------------------------------- trust


@dataclass(frozen=True)
class Found:
    """Instances of all videos: their signs, n x 3, and whether each covers an object, n."""

    signs: np.ndarray
    right: np.ndarray


def look_at(network: Network, videos: Sequence[Video], config: Config) -> Found:
    """What is found in one clip of each video, and what it is worth."""
    signs, right = [], []
    for video in videos:
        frames, indices, _ = read_clip(video, config.data)
        made, kept = merge_repeats(predict_clip(network, frames), indices)
        prepared = prepare(made)
        instances = cluster_instances(prepared, config.inference)
        if not instances.modes:
            continue
        found = clip_evidence(network, frames, indices, prepared, instances, config)
        truth = resized(video.read_ids(kept.tolist()), instances.ids.shape[1:])
        correct = is_right(instances.ids, truth)
        for n, values in found.items():
            signs.append(values)
            right.append(correct[n])
    return Found(np.array(signs), np.array(right))


def reliability(values: np.ndarray, right: np.ndarray) -> dict[str, object]:
    """How trust and truth go together: by fifths of the scale, and as Brier score and AUC."""
    which = np.minimum((values * 5).astype(int), 4)
    order = values[right][:, None] - values[~right][None]
    return {
        "instances": len(values),
        "right": float(right.mean()),
        "Brier score": float(np.square(values - right).mean()),
        "Brier score of the mean": float(right.mean() * (1 - right.mean())),
        "AUC": float((order > 0).mean() + 0.5 * (order == 0).mean()),
        "right of those above one half": float(right[values >= ENOUGH].mean()),
        "right of those below": float(right[values < ENOUGH].mean()),
        "bins": [
            {
                "trust": float(values[which == k].mean()),
                "right": float(right[which == k].mean()),
                "instances": int((which == k).sum()),
            }
            for k in range(5)
            if (which == k).any()
        ],
    }


def draw_reliability(calibration: dict[str, object]) -> Figure:
    bins = calibration["bins"]
    assert isinstance(bins, list)
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="as it should be")
    x, y = [one["trust"] for one in bins], [one["right"] for one in bins]
    errors = [np.sqrt(r * (1 - r) / one["instances"]) for r, one in zip(y, bins, strict=True)]
    axis.errorbar(x, y, errors, marker="o", color="#0072B2", label="held-out composites")
    for one in bins:
        at = (one["trust"], one["right"])
        axis.annotate(str(one["instances"]), at, (6, -10), textcoords="offset points")
    axis.set(xlabel="trust", ylabel="share that covers an object", xlim=(0, 1), ylim=(0, 1))
    axis.set_title("Trust and truth (numbers: instances)")
    axis.legend(loc="upper left")
    return figure


# ---------------------------------------------------------------- failures


def failures(videos: Sequence[Video], scores: DavisScores) -> list[dict[str, object]]:
    """J&F of the objects of each kind: thirds of each of five quantities."""
    kinds: dict[str, list[float]] = {}
    found = {video.name: quantities(video) for video in videos}
    rows_of = [  # the benchmark counts a number that no frame shows, too
        row
        for row in scores.per_object_table()
        if int(row["Object"]) in found[str(row["Sequence"])]
    ]
    for row in rows_of:
        for name, value in found[str(row["Sequence"])][int(row["Object"])].items():
            kinds.setdefault(name, []).append(value)
    jf = np.array([row["J&F-Mean"] for row in rows_of], dtype=float)
    rows: list[dict[str, object]] = []
    for name, values_of in kinds.items():
        values = np.array(values_of)
        low, high = np.quantile(values, [1 / 3, 2 / 3])
        parts = {
            "lowest third": values <= low,
            "middle": (values > low) & (values < high),
            "highest third": values >= high,
        }
        if len(counts := np.unique(values)) <= 5:
            parts = {f"{count:g}": values == count for count in counts}
        for part, chosen in parts.items():
            if chosen.any():
                rows.append(
                    {
                        "quantity": name,
                        "part": part,
                        "from": float(values[chosen].min()),
                        "to": float(values[chosen].max()),
                        "objects": int(chosen.sum()),
                        "J&F": float(jf[chosen].mean()),
                    }
                )
    return rows


def quantities(video: Video) -> dict[int, dict[str, float]]:
    """Of each object of a video, by its number."""
    times = spread_indices(len(video), len(video)).tolist()
    ids, frames = video.read_ids(times), video.read_frames(times)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    shifts = [np.hypot(*cv2.phaseCorrelate(a, b)[0]) for a, b in pairwise(grey)]
    camera = float(np.median(shifts)) / ids.shape[2]
    found = {}
    objects = [n for n in np.unique(ids).tolist() if n not in (BACKGROUND, 255)]
    for n in objects:
        mask = ids == n
        areas = mask.sum(axis=(1, 2))
        shown = np.flatnonzero(areas)
        places = np.array([np.argwhere(mask[t]).mean(0) for t in shown])
        steps = np.hypot(*np.diff(places, axis=0).T) / np.maximum(1, np.diff(shown))
        found[n] = {
            "size: side of its area, share of the frame's": float(
                np.sqrt(areas[shown].mean() / mask[0].size)
            ),
            "speed: widths of the frame a frame": float(
                np.median(steps) / ids.shape[2] if len(steps) else 0.0
            ),
            "hidden: 1 - smallest area over largest": float(1 - areas.min() / areas.max()),
            "camera: median shift of the picture, widths a frame": camera,
            "number of objects in the video": float(len(objects)),
        }
    return found


if __name__ == "__main__":
    main()
