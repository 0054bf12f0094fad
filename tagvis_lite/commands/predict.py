"""Predict a set of videos into files that people, DAVIS and YouTube-VIS can read.

    OUT/davis/<video>/<frame>.png   palette PNGs, ready for `tagvis evaluate davis`
    OUT/davis.zip                   the same, ready to submit to DAVIS
    OUT/results.json                YouTube-VIS results
    OUT/results.zip                 the same, ready to submit
    OUT/parts/<video>.json          the part of results.json of each finished video
    OUT/run.json                    which weights and config they are of
    OUT/overlays/<video>.mp4        instances drawn over the frames, the doubtful hatched

A part is written after the PNGs of its video, so a killed run goes on where it was. Overlays come
last: the results are complete before a video is encoded, and without it they are complete too.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from tagvis_lite.checkpoint import read_header, weights_file, weights_for
from tagvis_lite.commands.check import (
    device_problems,
    folder_problems,
    problems_of,
    refuse,
    result_problems,
)
from tagvis_lite.commands.options import (
    Checkpoint,
    Device,
    Input,
    Precision,
    Split,
    device_named,
)
from tagvis_lite.config import Config, InferenceConfig, config_to_dict
from tagvis_lite.video import Video

if TYPE_CHECKING:  # torch takes seconds, and help needs none of it
    from torch import nn

    from tagvis_lite.data.youtube_vis import YoutubeVIS


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
    from tagvis_lite.data.images import at_home

    videos, dataset = find_videos(input, split, truth=False)
    weights = weights_file(checkpoint or weights_for(at_home(input)))

    refuse(
        problems_in(videos, fast=True)
        + folder_problems(out, videos)
        + result_problems(videos)
        + device_problems(device)
        + problems_of(lambda: category_ids(weights, dataset))
    )

    # They import torchvision, which takes seconds: a mistake in the path is told before.
    from tagvis_lite.model.fast import FastTagVIS
    from tagvis_lite.runs import load_network

    network, config = load_network(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    predicted = predict_to_files(
        FastTagVIS(network, precision),
        replace(config, inference=inference),
        videos,
        out,
        weights=digest if precision == "fp32" else f"{digest} in {precision}",
        video_ids=None if dataset is None else dataset.video_ids,
        category_ids=category_ids(weights, dataset),
        device=device_named(device),
    )
    print(f"{out}: {predicted} videos predicted, {len(videos) - predicted} were there already")


def category_ids(weights: Path, dataset: YoutubeVIS | None) -> dict[int, int] | None:
    """The category id in a YouTube-VIS file of each class of the weights, matched by name.

    Raises:
        ValueError: the weights have classes that the file does not have.
    """
    if dataset is None:
        return None
    config, classes = read_header(weights)
    if classes is None and config.model.num_classes == max(dataset.categories) + 1:
        return dataset.category_ids  # weights without names
    if classes == dataset.categories:  # also where two have one name
        return dataset.category_ids
    number_of = {name: number for number, name in dataset.categories.items()}
    strange = [name for name in (classes or {}).values() if name not in number_of]
    if classes is None or strange:
        known = ", ".join(strange) or f"{config.model.num_classes - 1} classes"
        raise ValueError(
            f"{weights} knows {known:.200}, but the data have {', '.join(number_of):.200}: use "
            "weights that were trained on these categories"
        )
    return {k: dataset.category_ids[number_of[name]] for k, name in classes.items()}


def predict_to_files(
    network: nn.Module,
    config: Config,
    videos: Sequence[Video],
    out: Path,
    *,
    weights: str,
    video_ids: Mapping[str, int] | None = None,
    category_ids: Mapping[int, int] | None = None,
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
        category_ids: `category_id` of each class in results.json; its number when not given.
        device: where the network runs.

    Returns:
        Number of videos that were predicted now, not earlier.

    Raises:
        ValueError: `out` holds results of other weights, of another config, or of another video
            of the same name; or see `predict_video`.
        OSError: `out` is a file, holds something else, or cannot be written to.

    Warns:
        UserWarning: an overlay could not be made.
    """
    from tagvis_lite.evaluation.davis_sequence import MAX_PROPOSALS
    from tagvis_lite.evaluation.davis_submission import write_davis_result, write_davis_zip
    from tagvis_lite.evaluation.youtube_vis_submission import track_results, write_results
    from tagvis_lite.inference import predict_video
    from tagvis_lite.runs import fingerprint, open_run, read_json, write_json

    open_run(out, {"command": "predict", "weights": weights, **config_to_dict(config)})
    video_ids = video_ids or {video.name: k for k, video in enumerate(videos, start=1)}
    network = network.to(device)
    parts = {video.name: out / "parts" / f"{video.name}.json" for video in videos}
    waiting = []
    for video in videos:
        if not parts[video.name].exists():
            waiting.append(video)
        elif read_json(parts[video.name], "video", "entries")["video"] != fingerprint([video]):
            raise ValueError(
                f"{parts[video.name]} is of another video named {video.name!r}: choose another "
                "folder for the results, or delete that one"
            )
    with tqdm(waiting, desc="predict", unit="video", mininterval=1.0, disable=None) as bar:
        for video in bar:
            (out / "overlays" / f"{video.name}.mp4").unlink(missing_ok=True)
            tracks = predict_video(network, video, config, device)
            write_davis_result(tracks, out / "davis")
            entries = track_results(tracks, video_ids[video.name])
            part = {"video": fingerprint([video]), "entries": entries, "trust": dict(tracks.trust)}
            write_json(parts[video.name], part)
    found = {name: read_json(path) for name, path in parts.items()}
    results = [
        {
            **entry,
            "video_id": video_ids[name],
            "category_id": (category_ids or {}).get(entry["category_id"], entry["category_id"]),
        }
        for name, part in found.items()
        for entry in part["entries"]
    ]
    for name in ("results.json", "results.zip"):
        write_results(out / name, results)
    write_davis_zip(out / "davis", out / "davis.zip", list(parts))
    if any(len(part["entries"]) > MAX_PROPOSALS for part in found.values()):
        warnings.warn(
            f"{out / 'davis.zip'}: a video has more than {MAX_PROPOSALS} instances, which DAVIS "
            f"does not take: use --inference.max-instances {MAX_PROPOSALS} for a submission",
            stacklevel=2,
        )
    trust = {  # parts of an earlier version have none
        name: {int(n): value for n, value in part.get("trust", {}).items()}
        for name, part in found.items()
    }
    warn_of_doubt(trust)
    for video in tqdm(videos, desc="overlays", unit="video", mininterval=1.0, disable=None):
        _write_overlay(video, out, doubtful(trust[video.name]))
    return len(waiting)


def doubtful(trust: Mapping[int, float]) -> list[int]:
    """Instances that are likelier no object, or only a part of one, than one."""
    return [n for n, value in trust.items() if value < 0.5]


def warn_of_doubt(trust: Mapping[str, Mapping[int, float]]) -> None:
    """Say how many instances of all videos are not to be trusted, where there are any."""
    doubts = sum(len(doubtful(one)) for one in trust.values())
    if doubts:
        print(
            f"Not to be trusted: {doubts} of {sum(map(len, trust.values()))} instances, hatched in "
            "overlays. Their trust, in results.json, is below 0.5: they are likelier no object of "
            "their own than one"
        )


def _write_overlay(video: Video, out: Path, doubtful: Collection[int]) -> None:
    """Draw the label maps of a video over its frames, unless that was done before."""
    from tagvis_lite.data.label_maps import read_label_map
    from tagvis_lite.data.video_file import write_video_file
    from tagvis_lite.views.overlay import overlay

    path = out / "overlays" / f"{video.name}.mp4"
    if path.exists() or path.with_suffix(".webp").exists():
        return
    maps = [out / "davis" / video.name / f"{name}.png" for name in video.frame_names]
    frames = (
        overlay(video.frames[t], read_label_map(maps[t]), doubtful=doubtful)
        for t in range(len(video))
    )
    try:
        write_video_file(path, frames, video.fps)
    except (OSError, ValueError) as error:
        warnings.warn(f"no overlay, but all results are there: {error}", stacklevel=2)
