"""Whole videos: one clip of evenly spread frames in, masks for every frame out (section IV).

    Video ──read_clip──▶ frames ──predict_clip──▶ Prediction ──merge_repeats──▶ Seen
    Seen ──cluster_instances──▶ label maps of the frames seen ──interpolate_ids──▶ Tracks

`look` is the first row, `predict_video` both; each stage can be called or timed on its own. Where
the weights come with a calibration, each instance is given a trust (trust.py).
Instead of spread frames, `predict_video` takes a long video by windows where the config says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tagvis_lite.clips import normalise, prepare_frames, spread_indices
from tagvis_lite.config import Config, DataConfig
from tagvis_lite.instances import Instances, Prepared, cluster_instances, prepare
from tagvis_lite.instances.trust import evidence, trust
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.video import Prediction, Tracks, Video
from tagvis_lite.windows import stitch, window_ends

Network = Callable[[Tensor], Prediction]
"""1 x 3 x T x H x W normalised frames to a `Prediction` with a batch dimension of 1."""


def predict_video(
    network: Network, video: Video, config: Config, device: torch.device | str | None = None
) -> Tracks:
    """Segment and follow every instance of a video.

    The network sees `config.data.clip_frames` frames, spread evenly and resized to
    `config.data.size` without keeping their shape, as in training; the other frames get their
    masks by interpolation. With `config.inference.long_videos` 'windows', a video of more frames is
    seen by overlapping windows of so many (D18), at the cost of a pass for every half window. A
    module is run in evaluation mode and left in the mode it came in.

    Args:
        network: a `TagVIS`, or any callable of the same signature.
        video: its label maps, if any, are not read.
        config: data and inference are used.
        device: where the frames go; None is where the module's parameters are, or the CPU.

    Returns:
        Tracks at the resolution of the video, all background where nothing was found.

    Raises:
        ValueError: naming the video, where a frame cannot be used or the prediction is mis-shaped,
            NaN or infinite.
    """
    kept = np.union1d(np.arange(0, len(video), config.inference.window_stride), len(video) - 1)
    if config.inference.long_videos == "windows" and len(kept) > config.data.clip_frames:
        instances, size = _by_windows(network, video, kept, config, device)
    else:
        frames, indices, size = read_clip(video, config.data)
        with _errors_name(video):
            instances, kept = find_instances(network, frames, indices, config, device)
    return full_size_tracks(video, instances, kept, size, config.inference.interpolation)


def find_instances(
    network: Network,
    frames: Tensor,
    indices: np.ndarray,
    config: Config,
    device: torch.device | str | None = None,
) -> tuple[Instances, np.ndarray]:
    """The instances of one clip, each with its trust where the config has weights for it (D27).

    Trust takes a second pass of the network, over the clip in a mirror.

    Args:
        network: see `predict_video`.
        frames: float32, 3 x T x H x W.
        indices: T, the source frame of each; see `merge_repeats`.
        config: inference is used.
        device: see `predict_video`.

    Returns:
        Instances of the K different frames, and which these are, int64, K.
    """
    prediction, kept = merge_repeats(predict_clip(network, frames, device), indices)
    prepared = prepare(prediction)
    instances = cluster_instances(prepared, config.inference)
    weights = config.inference.trust
    if weights and instances.modes:
        signs = clip_evidence(network, frames, indices, prepared, instances, config, device)
        instances = replace(instances, trust={n: trust(x, weights) for n, x in signs.items()})
    return instances, kept


def clip_evidence(
    network: Network,
    frames: Tensor,
    indices: np.ndarray,
    prepared: Prepared,
    instances: Instances,
    config: Config,
    device: torch.device | str | None = None,
) -> dict[int, np.ndarray]:
    """The signs of each instance of a clip, see `evidence`: a pass over the clip in a mirror.

    Args:
        network, frames, indices, config, device: see `find_instances`.
        prepared: the prediction of the clip.
        instances: what was found in it.
    """
    mirrored, _ = merge_repeats(predict_clip(network, frames.flip(-1), device), indices)
    mirror_ids = cluster_instances(mirrored, config.inference).ids[..., ::-1]
    return evidence(prepared, instances, mirror_ids, config.inference.bandwidth)


def _by_windows(
    network: Network,
    video: Video,
    kept: np.ndarray,
    config: Config,
    device: torch.device | str | None,
) -> tuple[Instances, tuple[int, int]]:
    """Instances of the frames `kept`, more than in a clip, by windows; and the video's own size."""
    ends = window_ends(len(kept), config.data.clip_frames)
    decoded = _decode(video, kept, config.data)
    window: deque[tuple[Tensor, tuple[int, int]]] = deque(
        maxlen=config.data.clip_frames
    )  # the oldest leave

    def found() -> Iterator[Instances]:
        for before, end in pairwise([0, *ends]):
            window.extend(islice(decoded, end - before))
            with _errors_name(video):
                frames = torch.cat([frame for frame, _ in window], dim=1)
                numbers = np.arange(frames.shape[1])
                yield find_instances(network, frames, numbers, config, device)[0]

    return stitch(found(), ends, config.inference.max_instances), window[-1][1]


@dataclass(frozen=True)
class Seen:
    """What the network made of the frames of a video that it saw.

    Attributes:
        prediction: of K frames, without a batch dimension, float32.
        kept: int64, K, ascending: which frames of the video these are.
        size: height and width of the video's own frames.
    """

    prediction: Prediction
    kept: np.ndarray
    size: tuple[int, int]


def look(
    network: Network, video: Video, config: Config, device: torch.device | str | None = None
) -> Seen:
    """Show the network one clip of evenly spread frames of a video.

    Arguments as `predict_video` takes them. Raises ValueError naming the video.
    """
    frames, indices, size = read_clip(video, config.data)
    with _errors_name(video):
        prediction, kept = merge_repeats(predict_clip(network, frames, device), indices)
    return Seen(prediction, kept, size)


def full_size_tracks(
    video: Video,
    instances: Instances,
    kept: np.ndarray,
    size: tuple[int, int],
    method: Literal["signed_distance", "nearest"],
) -> Tracks:
    """Tracks of all frames at the size of the video, from instances in the frames that were seen.

    Args:
        video: whose name and frame names the tracks get.
        instances: ids K x h x w of the frames `kept`.
        kept: which frames these are, ascending.
        size: height and width of the video's own frames.
        method: see `interpolate_ids`.
    """
    return Tracks(
        name=video.name,
        ids=interpolate_ids(instances.ids, kept, len(video), size, method),
        categories=instances.categories,
        scores=instances.scores,
        frame_names=video.frame_names,
        trust=instances.trust,
    )


def read_clip(video: Video, data: DataConfig) -> tuple[Tensor, np.ndarray, tuple[int, int]]:
    """Decode and normalise the frames that the network is to see, one at a time, each once.

    Returns:
        frames: float32, 3 x T x H x W with H x W = `data.size`, normalised.
        indices: int64, T, ascending, with repeats where the video is shorter than T.
        size: height and width of the video's own frames.

    Raises:
        ValueError: frames that are not uint8 H x W x 3, or not all of the same size.
    """
    indices = spread_indices(len(video), data.clip_frames)
    kept, repeats = np.unique(indices, return_inverse=True)
    decoded = list(_decode(video, kept, data))
    return torch.cat([decoded[k][0] for k in repeats], dim=1), indices, decoded[0][1]


def _decode(
    video: Video, kept: np.ndarray, data: DataConfig
) -> Iterator[tuple[Tensor, tuple[int, int]]]:
    """Frames one by one, float32, 3 x 1 x H x W as `data.size`, normalised; and their own size."""
    size: tuple[int, int] | None = None
    for t in kept:
        image = video.read_frames([t])
        height, width = image.shape[1:3]
        if size is not None and size != (height, width):
            raise ValueError(
                f"frame {video.frame_names[t]} of video {video.name!r} is {height} x {width}, but "
                f"frame {video.frame_names[kept[0]]} is {size[0]} x {size[1]}; give all one size"
            )
        size = (height, width)
        yield normalise(prepare_frames(image, data), data), size


def predict_clip(
    network: Network, frames: Tensor, device: torch.device | str | None = None
) -> Prediction:
    """Run the network on one clip.

    Args:
        network: see `predict_video`.
        frames: float32, 3 x T x H x W.
        device: see `predict_video`.

    Returns:
        The prediction without a batch dimension, in float32, on the device.

    Raises:
        ValueError: the prediction is not of one clip of T frames.
    """
    if device is None:
        parameter = next(network.parameters(), None) if isinstance(network, nn.Module) else None
        device = "cpu" if parameter is None else parameter.device
    with _evaluation_mode(network), torch.inference_mode():
        prediction = network(frames[None].to(device))
    tags, logits = prediction.tags, prediction.semantic_logits
    if tags.ndim not in (4, 5) or tags.shape[:2] != (1, frames.shape[1]):
        raise ValueError(
            f"the network made tags {tuple(tags.shape)} of frames {tuple(frames[None].shape)}, "
            f"expected 1 x {frames.shape[1]} x h x w [x K]"
        )
    return replace(
        prediction,
        tags=tags[0].to(torch.float32),
        semantic_logits=None if logits is None else logits[0].to(torch.float32),
    )


def merge_repeats(
    prediction: Prediction, indices: Sequence[int] | np.ndarray
) -> tuple[Prediction, np.ndarray]:
    """Report each source frame once: the mean tags and logits of its repeats (D19).

    Args:
        prediction: of one clip of T frames, without a batch dimension.
        indices: T, the source frame of each clip frame.

    Returns:
        The prediction of the K <= T different source frames, in ascending order, and their
        indices, int64, K.

    Raises:
        ValueError: another number of indices than of frames.
    """
    if len(indices) != len(prediction.tags):
        raise ValueError(f"{len(prediction.tags)} clip frames but {len(indices)} frame indices")
    kept, clip_to_kept, repeats = np.unique(
        np.asarray(indices, dtype=np.int64), return_inverse=True, return_counts=True
    )
    tags, logits = prediction.tags, prediction.semantic_logits
    target = torch.from_numpy(clip_to_kept).to(tags.device)
    counts = torch.from_numpy(repeats).to(tags.device)

    def mean(values: Tensor, dim: int) -> Tensor:
        shape = list(values.shape)
        shape[dim] = len(kept)
        sums = values.new_zeros(shape).index_add(dim, target, values)
        return sums / counts.view(-1, *[1] * (values.ndim - dim - 1))

    merged = replace(
        prediction,
        tags=mean(tags, dim=0),
        semantic_logits=None if logits is None else mean(logits, dim=1),
    )
    return merged, kept


@contextmanager
def _errors_name(video: Video) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"video {video.name!r}: {error}") from error


@contextmanager
def _evaluation_mode(network: Network) -> Iterator[None]:
    modules = list(network.modules()) if isinstance(network, nn.Module) else []
    training = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
