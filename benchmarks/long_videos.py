"""One clip of spread frames, or windows: long toy videos with the weights that ship (D18).

python benchmarks/long_videos.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from measuring import record

from tagvis_lite.checkpoint import shipped
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.evaluation.davis import evaluate_tracks
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network

VIDEOS = 16
WAYS: dict[str, tuple[Literal["spread", "windows"], int]] = {
    "spread": ("spread", 1),
    "windows": ("windows", 1),
    "windows, every 2nd frame": ("windows", 2),
}


def main() -> None:
    """Measure and record."""
    results: dict[str, dict[str, float]] = {}
    for name in ("toy", "toy2"):
        network, config = load_network(shipped(f"checkpoints/{name}.safetensors"))
        for num_frames in (29, 57):
            videos = toy_split("test", VIDEOS, ToyConfig(num_frames=num_frames))[:]
            for way, (long_videos, stride) in WAYS.items():
                inference = replace(config.inference, long_videos=long_videos, window_stride=stride)
                chosen = replace(config, inference=inference)
                tracks = [predict_video(network, video, chosen) for video in videos]
                scores, count_error = evaluate_tracks(videos, tracks)
                row = {"J&F": scores.jf_mean, "count error": count_error}
                results[f"{name}, {num_frames} frames, {way}"] = row
                print(name, num_frames, way, row, flush=True)
    record("long_videos", results)


if __name__ == "__main__":
    main()
