"""Whole videos: one clip of evenly spread frames in, masks for every frame out (section IV).

    Video ──read_clip──▶ frames ──predict_clip──▶ Prediction ──merge_repeats, cluster_instances──▶
    label maps of the kept frames ──interpolate_ids──▶ Tracks

`predict_video` is these stages in a row; each can be called, timed or replaced on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from tagvis_lite.clips import make_clip, spread_indices
from tagvis_lite.config import Config, DataConfig
from tagvis_lite.instances import Instances, cluster_instances
from tagvis_lite.video import BACKGROUND, Prediction, Tracks, Video

Network = Callable[[Tensor], Prediction]
"""1 x 3 x T x H x W normalised frames to a `Prediction` with a batch dimension of 1."""


def predict_video(
    network: Network, video: Video, config: Config, device: torch.device | str | None = None
) -> Tracks:
    """Segment and follow every instance of a video.

    The network sees `config.data.clip_frames` frames, spread evenly and resized to
    `config.data.size` without keeping their shape, as in training; the other frames get their
    masks by interpolation. A module is run in evaluation mode and left in the mode it came in.

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
    frames, indices, size = read_clip(video, config.data)
    try:
        prediction, kept = merge_repeats(predict_clip(network, frames, device), indices)
        instances = cluster_instances(prediction, config.inference)
    except ValueError as error:
        raise ValueError(f"video {video.name!r}: {error}") from error
    return full_size_tracks(video, instances, kept, size, config.inference.interpolation)


def full_size_tracks(
    video: Video,
    instances: Instances,
    kept: np.ndarray,
    size: tuple[int, int],
    interpolation: Literal["signed_distance", "nearest"],
) -> Tracks:
    """Tracks of all frames at the size of the video, from instances in the frames that were kept.

    Args:
        video: whose name and frame names the tracks get.
        instances: ids T x h x w.
        kept: T indices into the video.
        size: H x W of the video.
        interpolation: see `interpolate_ids`.
    """
    return Tracks(
        name=video.name,
        ids=interpolate_ids(instances.ids, kept, len(video), size, method=interpolation),
        categories=instances.categories,
        scores=instances.scores,
        frame_names=video.frame_names,
    )


def read_clip(video: Video, data: DataConfig) -> tuple[Tensor, np.ndarray, tuple[int, int]]:
    """Decode and normalise the frames that the network is to see, one at a time, each once.

    Returns:
        frames: float32, 3 x T x H x W with H x W = `data.size`, prepared by `make_clip`.
        indices: int64, T, ascending, with repeats where the video is shorter than T.
        size: height and width of the video's own frames.

    Raises:
        ValueError: frames that are not uint8 H x W x 3, or not all of the same size.
    """
    indices = spread_indices(len(video), data.clip_frames)
    kept, repeats = np.unique(indices, return_inverse=True)
    frames: list[Tensor] = []
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
        still = Video(video.name, image, frame_names=[video.frame_names[t]])
        frames.append(make_clip(still, [0], data, num_classes=2).frames)
    assert size is not None  # a Video has at least one frame
    return torch.cat([frames[k] for k in repeats], dim=1), indices, size


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
    if tags.ndim != 4 or tags.shape[:2] != (1, frames.shape[1]):
        raise ValueError(
            f"the network made tags {tuple(tags.shape)} of frames {tuple(frames[None].shape)}, "
            f"expected 1 x {frames.shape[1]} x h x w"
        )
    return Prediction(
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
    counts = torch.from_numpy(repeats).to(tags.device).view(-1, 1, 1)

    def mean(values: Tensor, dim: int) -> Tensor:
        shape = list(values.shape)
        shape[dim] = len(kept)
        return values.new_zeros(shape).index_add(dim, target, values) / counts

    merged = Prediction(
        tags=mean(tags, dim=0),
        semantic_logits=None if logits is None else mean(logits, dim=1),
    )
    return merged, kept


def interpolate_ids(
    ids: np.ndarray,
    kept: Sequence[int] | np.ndarray,
    num_frames: int,
    size: tuple[int, int] | None = None,
    method: Literal["signed_distance", "nearest"] = "signed_distance",
) -> np.ndarray:
    """Label maps of all frames, at full resolution, from those of some frames (D18).

    'signed_distance' is shape-based interpolation: in each of the two neighbouring kept frames an
    instance is the region where its signed Euclidean distance map (distance to its edge, positive
    inside) is above 0; between them the two maps are shifted onto the way from the one centroid to
    the other, averaged by nearness in time, and cut at 0 again. Without the shift an object that
    moves farther than its own width between kept frames would vanish in between. Where instances
    overlap the deepest wins. 'nearest' takes the nearer kept frame (the earlier of two).

    An instance absent from one of the two kept frames stays where it is for the half of the
    interval next to the other. Before the first and after the last kept frame its mask is held.
    Distance maps are also what is enlarged (bilinearly) to `size`, which gives smooth edges.

    On nine DAVIS-2016 sequences at 112 x 112 the mean IoU of the frames left out was 0.68 with
    'nearest', 0.79 without the shift and 0.84 with it, keeping every second frame; 0.57, 0.60 and
    0.73 keeping every sixth. True masks reduced to 112 x 112 and enlarged again had a mean J&F of
    96.0 through distances, 96.0 through bilinear masks and 95.5 through nearest neighbours.

    Args:
        ids: uint8, K x h x w: 0 background, every other value an instance.
        kept: K strictly ascending frame indices within 0..num_frames - 1.
        num_frames: T.
        size: H and W of the result; None leaves it at h x w, where the kept frames are returned
            unchanged.
        method: how masks reach the frames in between.

    Returns:
        uint8, T x H x W.

    Raises:
        ValueError: ids of another dtype or shape, indices out of order or range, an unknown method.
    """
    kept = np.asarray(kept, dtype=np.int64)
    _check(ids, kept, num_frames, method)
    height, width = size or ids.shape[1:]
    out = np.zeros((num_frames, height, width), dtype=np.uint8)
    before = _shapes(ids[0])
    for t in range(kept[0] + 1):
        _paint(before, out[t])
    for k, (start, end) in enumerate(pairwise(kept), start=1):
        after = _shapes(ids[k])
        for t in range(start + 1, end + 1):
            weight = (t - start) / (end - start)
            if method == "nearest":
                weight = float(weight > 0.5)
            _paint(_between(before, after, weight), out[t])
        before = after
    for t in range(kept[-1] + 1, num_frames):
        _paint(before, out[t])
    return out


Shapes = dict[int, np.ndarray]
"""The signed distance map (float32, h x w) of each instance present in a frame."""


def _shapes(ids: np.ndarray) -> Shapes:
    return {
        int(instance): _signed_distance(ids == instance)
        for instance in np.unique(ids)
        if instance != BACKGROUND
    }


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance of pixel centres to the edge of the mask: 0.5, 1.5, ... inside, negative outside."""
    inside, outside = (
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (mask, ~mask)
    )
    distance = np.where(mask, inside - 0.5, 0.5 - outside)
    diagonal = float(np.hypot(*mask.shape))  # a mask without edge is infinitely far from it
    return np.clip(distance, -diagonal, diagonal).astype(np.float32)


def _between(before: Shapes, after: Shapes, weight: float) -> Shapes:
    """Shapes at a share `weight` of the way from one kept frame to the next."""
    if weight in (0, 1):
        return after if weight else before
    shapes = {}
    for instance in sorted(before.keys() | after.keys()):
        if instance not in after:
            if weight <= 0.5:
                shapes[instance] = before[instance]
        elif instance not in before:
            if weight > 0.5:
                shapes[instance] = after[instance]
        else:
            old, new = before[instance], after[instance]
            way = _centroid(new > 0) - _centroid(old > 0)
            shapes[instance] = (1 - weight) * _shifted(old, weight * way) + weight * _shifted(
                new, (weight - 1) * way
            )
    return shapes


def _centroid(mask: np.ndarray) -> np.ndarray:
    """Mean x and y of a mask's pixels."""
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def _shifted(distance: np.ndarray, by: np.ndarray) -> np.ndarray:
    """A map moved by (x, y) pixels, its edge values repeated outwards."""
    move = np.array([[1.0, 0.0, by[0]], [0.0, 1.0, by[1]]])
    height, width = distance.shape
    return cv2.warpAffine(distance, move, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _paint(shapes: Shapes, out: np.ndarray) -> None:
    """Write the deepest instance of each pixel into a label map (zeros, uint8, H x W)."""
    height, width = out.shape
    deepest = np.zeros((height, width), dtype=np.float32)
    for instance, distance in sorted(shapes.items()):
        if distance.shape != out.shape:
            distance = cv2.resize(distance, (width, height), interpolation=cv2.INTER_LINEAR)
        deeper = distance > deepest
        out[deeper] = instance
        deepest[deeper] = distance[deeper]


def _check(ids: np.ndarray, kept: np.ndarray, num_frames: int, method: str) -> None:
    if ids.dtype != np.uint8 or ids.ndim != 3 or ids.size == 0:
        raise ValueError(f"ids are {ids.dtype} {ids.shape}, expected uint8 K x h x w")
    if kept.shape != ids.shape[:1]:
        raise ValueError(f"{len(ids)} label maps need as many frame indices, got {kept.shape}")
    if (np.diff(kept) <= 0).any() or kept[0] < 0 or kept[-1] >= num_frames:
        raise ValueError(
            f"kept frames are {kept.tolist()}, expected strictly ascending indices within "
            f"0 to {num_frames - 1}"
        )
    if method not in ("signed_distance", "nearest"):
        raise ValueError(f"interpolation is {method!r}, expected 'signed_distance' or 'nearest'")


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
