"""Predict a set of videos into files that people, DAVIS and YouTube-VIS can read.

    OUT/overlays/<video>.mp4        instances drawn over the frames
    OUT/davis/<video>/<frame>.png   palette PNGs, ready for `tagvis evaluate davis --results`
    OUT/results.json                YouTube-VIS results
    OUT/parts/<video>.json          the part of results.json of each finished video

A part is written after everything else of its video, so a killed run goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tagvis_lite.atomic import write_atomically
from tagvis_lite.config import Config, config_to_dict
from tagvis_lite.data.files import write_video_file
from tagvis_lite.evaluation.davis_submission import write_davis_result
from tagvis_lite.evaluation.youtube_vis_submission import track_results
from tagvis_lite.inference import predict_video
from tagvis_lite.model.network import TagVIS
from tagvis_lite.overlay import overlay
from tagvis_lite.video import Tracks, Video


def predict_to_files(
    network: TagVIS,
    config: Config,
    videos: Sequence[Video],
    out: Path,
    *,
    weights: str,
    video_ids: Mapping[str, int] | None = None,
    device: str = "cpu",
) -> int:
    """Predict every video that `out` does not hold yet.

    Args:
        network: in any mode.
        config: of the network; data and inference are used.
        videos: what to predict; names are unique.
        out: folder to fill.
        weights: what tells these weights from others, such as a hash: results of other weights or
            of another config are not mixed.
        video_ids: `video_id` of each name in results.json; counted from 1 when not given.
        device: where the network runs.

    Returns:
        Number of videos that were predicted now, not earlier.

    Raises:
        ValueError: `out` holds results of other weights or of another config.
    """
    _open_run(out, {"weights": weights, "config": config_to_dict(config)})
    video_ids = video_ids or {video.name: k for k, video in enumerate(videos, start=1)}
    network = network.to(device)
    parts = {video.name: out / "parts" / f"{video.name}.json" for video in videos}
    waiting = [video for video in videos if not parts[video.name].exists()]
    for video in tqdm(waiting, desc="predict", unit="video", mininterval=1.0):
        tracks = predict_video(network, video, config, device)
        write_davis_result(tracks, out / "davis")
        write_video_file(out / "overlays" / f"{video.name}.mp4", _drawn(video, tracks), video.fps)
        _write_json(parts[video.name], track_results(tracks, video_ids[video.name]))
    results = [entry for path in parts.values() for entry in json.loads(path.read_text())]
    _write_json(out / "results.json", results)
    return len(waiting)


def _drawn(video: Video, tracks: Tracks) -> Iterator[Any]:
    for t in range(len(video)):
        yield overlay(video.frames[t], tracks.ids[t])


def _open_run(out: Path, run: Mapping[str, Any]) -> None:
    path = out / "run.json"
    wanted = json.loads(json.dumps(run))
    if path.exists() and json.loads(path.read_text()) != wanted:
        raise ValueError(
            f"{out} holds results of other weights or of another config (see {path}): choose "
            "another folder, or delete it"
        )
    _write_json(path, wanted)


def _write_json(path: Path, value: object) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value)))
