"""Tags and semantics to instances: the modes of the tag density of one clip (D15, D16).

The paper stops at "well-separated consistent tags per instance" (section IV). Here the semantic
branch says which pixels are objects, and the tags of those pixels, over the whole clip at once,
say which object each belongs to. Tags of one instance heap up around one value, so every heap of
their density is one instance, already followed through all frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from tagvis_lite.config import InferenceConfig
from tagvis_lite.instances.modes import modes_1d, modes_nd
from tagvis_lite.video import BACKGROUND, Prediction


@dataclass(frozen=True)
class Instances:
    """The instances of one clip or video, numbered 1..N from the largest to the smallest.

    Attributes:
        ids: uint8, T x h x w: 0 background, 1..N instances.
        categories: semantic class (>= 1) of each instance id.
        scores: confidence in [0, 1] of each instance id.
        modes: tag at which each instance's tags are densest: a float, or float64, K.
        trust: of each instance, see trust.py; empty where the weights have no calibration.
    """

    ids: np.ndarray
    categories: Mapping[int, int]
    scores: Mapping[int, float]
    modes: Mapping[int, float | np.ndarray]
    trust: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """One clip's prediction made ready for clustering again and again, as under a live slider.

    Attributes:
        tags: float32, T x h x w [x K].
        probabilities: float32, C x T x h x w, on the device of the logits; None without logits.
        foreground: float32, T x h x w: 1 - p(background), or 1 everywhere without logits.
        order: int64, T * h * w: pixels in ascending order of their tags; None for vectors.
    """

    tags: np.ndarray
    probabilities: Tensor | None
    foreground: np.ndarray
    order: np.ndarray | None


def prepare(prediction: Prediction) -> Prepared:
    """Do what no setting of the clustering changes, once.

    Args:
        prediction: of one clip, without a batch dimension: tags T x h x w [x K], logits
            C x T x h x w with C >= 2, on any device, of any float dtype.

    Raises:
        ValueError: a batch dimension, one class only, NaN or infinity in the logits.
    """
    _check_prediction(prediction)
    tags = prediction.tags.detach().to(torch.float32).cpu().numpy()
    order = np.argsort(tags, axis=None) if tags.ndim == 3 else None
    if prediction.semantic_logits is None:
        return Prepared(tags, None, np.ones(tags.shape[:3], dtype=np.float32), order)
    logits = prediction.semantic_logits.detach().to(torch.float32)
    probabilities = logits.sigmoid() if prediction.sigmoid else logits.softmax(dim=0)
    background = probabilities[BACKGROUND]
    if not probabilities.isfinite().all():
        raise ValueError(
            "semantic logits hold NaN or infinity: the weights are broken or the training "
            "diverged; lower its learning rate"
        )
    return Prepared(tags, probabilities, (1 - background).cpu().numpy(), order)


def cluster_instances(prediction: Prediction | Prepared, config: InferenceConfig) -> Instances:
    """Find the instances of one clip.

    1. Foreground: pixels where 1 - p(background) is above `config.foreground`.
    2. Groups: the modes of their tags, parted at the valleys between (`modes_1d`, `modes_nd`).
    3. Groups below `config.min_area` dissolve, smallest first, and so do the smallest beyond
       `config.max_instances`. A group within twice the bandwidth of another mode is taken for
       blended tags at an edge of that instance, which gets its pixels; a group on its own is
       taken for a false alarm and becomes background.
    4. Category: the class >= 1 of largest mean semantic probability over the instance's pixels.
       Score: that probability times compactness, the share of the instance's tags that lie
       within one bandwidth of its mode; or that probability alone, by `config.score`.

    Without a semantic branch (Table III, last row) the background was trained as one more
    instance: every pixel is grouped, the group with most pixels on the border of the frames is the
    background, every category is 1, and the score is the compactness.

    Args:
        prediction: see `prepare`, or what it returned: clustering the same prediction
            with other settings then costs less, and the result is the same.
        config: all but `interpolation`, `long_videos` and `window_stride` is used.

    Raises:
        ValueError: see `prepare`; NaN or infinity in the foreground's tags.
    """
    prepared = prediction if isinstance(prediction, Prepared) else prepare(prediction)
    probabilities = prepared.probabilities
    foreground = prepared.foreground > config.foreground
    ids = np.zeros(foreground.shape, dtype=np.uint8)
    if not foreground.any():
        return Instances(ids, {}, {}, {})

    tags = prepared.tags.reshape(foreground.size, *prepared.tags.shape[3:])
    places = np.flatnonzero(foreground)
    if prepared.order is None:
        modes, groups = modes_nd(tags[places], config.bandwidth, config.prominence)
    else:
        ascending = prepared.order[foreground.ravel()[prepared.order]]
        modes, cuts = modes_1d(tags[ascending], config.bandwidth, config.prominence)
        groups = np.searchsorted(cuts, tags[places])
    merged = _dissolve_small_groups(
        modes,
        np.bincount(groups, minlength=len(modes)),
        num_pixels=foreground.size,
        min_area=config.min_area,
        max_groups=config.max_instances + (probabilities is None),
        reach=2 * config.bandwidth,
    )
    group_of = merged[groups]
    if probabilities is None:  # then every pixel is foreground
        _remove_background_group(group_of.reshape(foreground.shape))

    sizes = np.bincount(group_of[group_of >= 0], minlength=len(modes))
    largest_first = [int(k) for k in np.argsort(-sizes, kind="stable") if sizes[k] > 0]
    number = np.zeros(len(modes) + 1, dtype=np.uint8)  # of each group; the last is the background
    number[largest_first] = 1 + np.arange(len(largest_first))
    ids.ravel()[places] = number[group_of]
    by_instance = np.split(
        np.argsort(ids, axis=None, kind="stable"), np.cumsum(np.bincount(ids.ravel()))[:-1]
    )
    categories, scores = {}, {}
    for instance, k in enumerate(largest_first, start=1):
        pixels = by_instance[instance]
        compactness = float(np.mean(_distances(tags[pixels], modes[k]) <= config.bandwidth))
        categories[instance], probability = _category(probabilities, pixels)
        scores[instance] = probability
        if config.score == "probability_and_compactness" or probabilities is None:
            scores[instance] = probability * compactness
    found = modes[largest_first] if modes.ndim == 2 else modes[largest_first].tolist()
    return Instances(ids, categories, scores, dict(enumerate(found, start=1)))


def _distances(tags: np.ndarray, mode: np.ndarray) -> np.ndarray:
    """Euclidean distances of tags, n [x K], to one."""
    difference = tags - mode
    if difference.ndim == 1:
        return np.abs(difference)
    return np.sqrt(np.einsum("nk,nk->n", difference, difference))


def _dissolve_small_groups(
    modes: np.ndarray,
    sizes: np.ndarray,
    num_pixels: int,
    min_area: float,
    max_groups: int,
    reach: float,
) -> np.ndarray:
    """For each group the group its pixels end in, or -1 for the background."""
    ends_in = np.arange(len(modes))
    sizes = sizes.astype(np.float64)  # infinite once dissolved
    while np.isfinite(sizes).any():
        smallest = int(sizes.argmin())
        large_enough = sizes[smallest] / num_pixels >= min_area
        if large_enough and np.isfinite(sizes).sum() <= max_groups:
            break
        pixels, sizes[smallest] = sizes[smallest], np.inf
        distances = np.where(np.isfinite(sizes), _distances(modes, modes[smallest]), np.inf)
        nearest = int(distances.argmin())
        if distances[nearest] <= reach:
            sizes[nearest] += pixels
            ends_in[ends_in == smallest] = nearest
        else:
            ends_in[ends_in == smallest] = -1
    return ends_in


def _remove_background_group(group_of: np.ndarray) -> None:
    """Set to -1, in place, the group that covers most pixels on the border of the frames."""
    border = np.ones(group_of.shape, dtype=bool)
    border[:, 1:-1, 1:-1] = False
    on_border = group_of[border & (group_of >= 0)]
    if on_border.size:
        group_of[group_of == np.bincount(on_border).argmax()] = -1


def _category(probabilities: Tensor | None, pixels: np.ndarray) -> tuple[int, float]:
    """The likeliest class >= 1 over some pixels (flat places) and its mean probability."""
    if probabilities is None:
        return 1, 1.0
    places = torch.from_numpy(pixels).to(probabilities.device)
    means = probabilities.flatten(1).index_select(1, places).mean(dim=1)
    category = 1 + int(means[1:].argmax())
    return category, float(means[category])


def _check_prediction(prediction: Prediction) -> None:
    shape = tuple(prediction.tags.shape)
    vectors = len(shape) == 4 and shape[3] <= 4  # K; a batch of clips has their width there
    if not (len(shape) == 3 or vectors) or prediction.tags.numel() == 0:
        raise ValueError(
            f"tags are {shape}, expected those of one clip, T x h x w [x K]: "
            "take one clip of the batch"
        )
    if prediction.semantic_logits is not None and len(prediction.semantic_logits) < 2:
        raise ValueError("semantic logits have one class, expected background and at least one")
