"""What the choices of inference are worth with the weights that ship (D15, D16), and what is left.

    python benchmarks/inference_choices.py

On sets of 64 toy test videos: AP by the score of an instance; J&F of the tags of the whole clip
clustered at once, and of every frame's alone, linked to the nearest tag of the frames before. On
the first set: J&F with one part after another made true (`tagvis_lite.study.oracles`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measuring import record

from tagvis_lite.checkpoint import shipped
from tagvis_lite.config import InferenceConfig
from tagvis_lite.data.toy import toy_split
from tagvis_lite.evaluation import davis, youtube_vis
from tagvis_lite.inference import full_size_tracks, look
from tagvis_lite.instances import cluster_instances
from tagvis_lite.runs import load_network
from tagvis_lite.study.oracles import score_parts
from tagvis_lite.video import Prediction

SETS, VIDEOS = 8, 64
REACH = 1.5
"""Half the margin: a mode that is farther from those of all frames before is a new instance."""


def linked_frames(prediction: Prediction, config: InferenceConfig) -> np.ndarray:
    """Ids of instances that are found in each frame alone and linked by their tags."""
    assert prediction.semantic_logits is not None
    ids = np.zeros(prediction.tags.shape, dtype=np.uint8)
    known: list[float] = []
    for t in range(len(ids)):
        frame = Prediction(
            prediction.tags[t : t + 1], prediction.semantic_logits[:, t : t + 1].contiguous()
        )
        found = cluster_instances(frame, config)
        before = np.array(known)
        for n, mode in found.modes.items():
            distance = np.append(np.abs(before - mode), REACH)
            j = int(distance.argmin())
            if j == len(before):
                j = len(known)
                known.append(float(mode))
            ids[t][found.ids[0] == n] = j + 1
    return np.where(ids <= 20, ids, 0)


def main() -> None:
    """Measure and record."""
    network, config = load_network(shipped("checkpoints/toy.safetensors"))
    inference = config.inference
    every = list(toy_split("test", SETS * VIDEOS))
    rows = []
    for start in range(0, len(every), VIDEOS):
        videos = every[start : start + VIDEOS]
        seen = [look(network, video, config) for video in videos]
        row: dict[str, float] = {}
        for score in ("probability_and_compactness", "probability"):
            chosen = replace(inference, score=score)
            tracks = [
                full_size_tracks(
                    v, cluster_instances(s.prediction, chosen), s.kept, s.size, "signed_distance"
                )
                for v, s in zip(videos, seen, strict=True)
            ]
            row[f"AP, {score}"] = youtube_vis.evaluate_tracks(videos, tracks).AP
        row["J&F, whole clip"] = davis.evaluate_tracks(videos, tracks)[0].jf_mean
        row["J&F, frames linked by tag"] = davis.evaluate_davis(
            (v.name, v.read_ids(range(len(v))), linked_frames(s.prediction, inference))
            for v, s in zip(videos, seen, strict=True)
        ).jf_mean
        rows.append(row)
        print({name: round(100 * value, 1) for name, value in row.items()}, flush=True)
    parts = score_parts(network, every[:VIDEOS], config).as_dict()
    record("inference_choices", {"sets": rows, "parts of the first set": parts})


if __name__ == "__main__":
    main()
