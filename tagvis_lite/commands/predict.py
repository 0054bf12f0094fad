"""Predict a set of videos into files that people, DAVIS and YouTube-VIS can read.

    OUT/overlays/<video>.mp4        instances drawn over the frames
    OUT/davis/<video>/<frame>.png   palette PNGs, ready for `tagvis evaluate davis`
    OUT/davis.zip                   the same, ready to submit to DAVIS
    OUT/results.json                YouTube-VIS results
    OUT/results.zip                 the same, ready to submit
    OUT/parts/<video>.json          the part of results.json of each finished video
    OUT/run.json                    which weights and config they are of

A part is written after everything else of its video, so a killed run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from tagvis_lite.atomic import write_atomically
from tagvis_lite.commands.check import folder_problems, problems_of, refuse
from tagvis_lite.commands.options import (
    Checkpoint,
    Device,
    Input,
    Precision,
    Split,
    device_named,
    weights_file,
)
from tagvis_lite.config import Config, InferenceConfig, config_to_dict
from tagvis_lite.video import Tracks, Video

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from torch import nn


def predict(
    input: Input,
    out: Path,
    inference: InferenceConfig,
    split: Split = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Predict the instances of videos: overlay videos, palette PNGs and YouTube-VIS results.

    The thresholds of --inference are those of the checkpoint when not given.

    Args:
        out: folder to fill; a run that was stopped goes on.
        inference: how tags become instances.
    """
    from tagvis_lite.data.check import problems_in
    from tagvis_lite.data.find import find_videos

    videos, video_ids = find_videos(input, split, truth=False)
    weights = weights_file(checkpoint)

    refuse(
        problems_in(videos, fast=True)
        + folder_problems(out, [video.name for video in videos])
        + problems_of(lambda: device_named(device))
    )

    # They import torchvision, which takes seconds: a mistake in the path is told before.
    from tagvis_lite.checkpoint import load_network
    from tagvis_lite.model.fast import FastTagVIS

    network, config = load_network(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    predicted = predict_to_files(
        FastTagVIS(network, precision),
        replace(config, inference=inference),
        videos,
        out,
        weights=digest if precision == "fp32" else f"{digest} in {precision}",
        video_ids=video_ids,
        device=device_named(device),
    )
    print(f"{out}: {predicted} videos predicted, {len(videos) - predicted} were there already")


def predict_to_files(
    network: nn.Module,
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
        network: a `TagVIS` or a `FastTagVIS`, in any mode.
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
        ValueError: `out` holds results of other weights, of another config, or of another video
            of the same name; or see `predict_video`.
    """
    from tagvis_lite.data.video_file import write_video_file
    from tagvis_lite.evaluation.davis_submission import write_davis_result, write_davis_zip
    from tagvis_lite.evaluation.youtube_vis_submission import track_results, write_results
    from tagvis_lite.inference import predict_video

    _open_run(out, {"weights": weights, "config": config_to_dict(config)})
    video_ids = video_ids or {video.name: k for k, video in enumerate(videos, start=1)}
    network = network.to(device)
    parts = {video.name: out / "parts" / f"{video.name}.json" for video in videos}
    waiting = [video for video in videos if not _is_done(parts[video.name], video)]
    with tqdm(waiting, desc="predict", unit="video", mininterval=1.0, disable=None) as bar:
        for video in bar:
            tracks = predict_video(network, video, config, device)
            write_davis_result(tracks, out / "davis")
            target = out / "overlays" / f"{video.name}.mp4"
            write_video_file(target, _drawn(video, tracks), video.fps)
            entries = track_results(tracks, video_ids[video.name])
            _write_json(parts[video.name], {"video": _fingerprint(video), "entries": entries})
    results = [
        {**entry, "video_id": video_ids[name]}
        for name, path in parts.items()
        for entry in _read_json(path)["entries"]
    ]
    for name in ("results.json", "results.zip"):
        write_results(out / name, results)
    write_davis_zip(out / "davis", out / "davis.zip")
    return len(waiting)


def _drawn(video: Video, tracks: Tracks) -> Iterator[np.ndarray]:
    from tagvis_lite.views.overlay import overlay

    for t in range(len(video)):
        yield overlay(video.frames[t], tracks.ids[t])


def _is_done(part: Path, video: Video) -> bool:
    if not part.exists():
        return False
    if _read_json(part)["video"] != _fingerprint(video):
        raise ValueError(
            f"{part} is of another video named {video.name!r}: choose another folder for the "
            "results, or delete that one"
        )
    return True


def _fingerprint(video: Video) -> str:
    """Tells apart videos of one name, by their length and first frame."""
    frame = hashlib.sha256(video.read_frames([0]).tobytes()).hexdigest()
    return f"{len(video)} frames, the first {frame}"


def _open_run(out: Path, run: Mapping[str, Any]) -> None:
    path = out / "run.json"
    wanted = json.loads(json.dumps(run))
    if path.exists() and _read_json(path) != wanted:
        raise ValueError(
            f"{out} holds results of other weights or of another config (see {path}): choose "
            "another folder, or delete it"
        )
    _write_json(path, wanted)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): delete it") from error


def _write_json(path: Path, value: object) -> None:
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value)))
