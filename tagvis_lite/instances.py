"""Tags and semantics to instances: the modes of the tag density of one clip (D15, D16).

The paper stops at "well-separated consistent tags per instance" (section IV). Here the semantic
branch says which pixels are objects, and the tags of those pixels, over the whole clip at once,
say which object each belongs to. Tags of one instance heap up around one value, so every heap of
their density is one instance, already followed through all frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks, peak_prominences
from torch import Tensor

from tagvis_lite.config import InferenceConfig
from tagvis_lite.video import BACKGROUND, Prediction

BINS_PER_SIGMA = 8
"""Histogram bins per standard deviation of the kernel."""
REACH = 5
"""Standard deviations beyond which the kernel counts as zero."""
MAX_BINS = 1 << 16
"""Tags that would need more bins than this get wider ones, and with them a wider kernel."""


@dataclass(frozen=True)
class Instances:
    """The instances of one clip, numbered 1..N from the largest to the smallest.

    Attributes:
        ids: uint8, T x h x w: 0 background, 1..N instances.
        categories: semantic class (>= 1) of each instance id.
        scores: confidence in [0, 1] of each instance id.
        modes: tag at which each instance's tags are densest.
    """

    ids: np.ndarray
    categories: Mapping[int, int]
    scores: Mapping[int, float]
    modes: Mapping[int, float]


@dataclass(frozen=True)
class Reading:
    """One clip's prediction made ready for clustering again and again, as under a live slider.

    Attributes:
        tags: float32, T x h x w.
        probabilities: float32, C x T x h x w, on the device of the logits; None without logits.
        foreground: float32, T x h x w: 1 - p(background), or 1 everywhere without logits.
        order: int64, T * h * w: pixels in ascending order of their tags.
    """

    tags: np.ndarray
    probabilities: Tensor | None
    foreground: np.ndarray
    order: np.ndarray


def read_prediction(prediction: Prediction) -> Reading:
    """Do what no setting of the clustering changes, once.

    Args:
        prediction: of one clip, without a batch dimension: tags T x h x w, logits C x T x h x w
            with C >= 2, on any device, of any float dtype.

    Raises:
        ValueError: a batch dimension, one class only, NaN or infinity in the logits.
    """
    _check_prediction(prediction)
    tags = prediction.tags.detach().to(torch.float32).cpu().numpy()
    order = np.argsort(tags, axis=None)
    if prediction.semantic_logits is None:
        return Reading(tags, None, np.ones_like(tags), order)
    probabilities = prediction.semantic_logits.detach().to(torch.float32).softmax(dim=0)
    background = probabilities[BACKGROUND]
    if not background.isfinite().all():  # a softmax is finite in all classes or in none
        raise ValueError(
            "semantic logits hold NaN or infinity: the weights are broken or the training "
            "diverged; lower its learning rate"
        )
    return Reading(tags, probabilities, (1 - background).cpu().numpy(), order)


def cluster_instances(prediction: Prediction | Reading, config: InferenceConfig) -> Instances:
    """Find the instances of one clip.

    1. Foreground: pixels where 1 - p(background) is above `config.foreground`.
    2. Groups: the modes of their tags, parted at the valleys between (`modes_1d`).
    3. Groups below `config.min_area` dissolve, smallest first, and so do the smallest beyond
       `config.max_instances`. A group within twice the bandwidth of another mode is taken for
       blended tags at an edge of that instance, which gets its pixels; a group on its own is
       taken for a false alarm and becomes background.
    4. Category: the class >= 1 of largest mean semantic probability over the instance's pixels.
       Score: that probability times compactness, the share of the instance's tags that lie
       within one bandwidth of its mode.

    Without a semantic branch (Table III, last row) the background was trained as one more
    instance: every pixel is grouped, the group with most pixels on the border of the frames is the
    background, every category is 1, and the score is the compactness.

    Args:
        prediction: see `read_prediction`, or what it returned: clustering the same prediction
            with other settings then costs less, and the result is the same.
        config: foreground, bandwidth, prominence, min_area and max_instances are used.

    Raises:
        ValueError: see `read_prediction`; NaN or infinity in the foreground's tags.
    """
    reading = prediction if isinstance(prediction, Reading) else read_prediction(prediction)
    tags, probabilities = reading.tags, reading.probabilities
    foreground = reading.foreground > config.foreground
    if not foreground.any():
        return Instances(np.zeros(tags.shape, dtype=np.uint8), {}, {}, {})

    ascending = reading.order[foreground.ravel()[reading.order]]
    modes, cuts = modes_1d(tags.ravel()[ascending], config.bandwidth, config.prominence)
    places = np.flatnonzero(foreground)
    groups = np.searchsorted(cuts, tags.ravel()[places])
    merged = _dissolve_small_groups(
        modes,
        np.bincount(groups, minlength=len(modes)),
        num_pixels=tags.size,
        min_area=config.min_area,
        max_groups=config.max_instances + (probabilities is None),
        reach=2 * config.bandwidth,
    )
    group_of = merged[groups]
    if probabilities is None:  # then every pixel is foreground
        _remove_background_group(group_of.reshape(tags.shape))

    sizes = np.bincount(group_of[group_of >= 0], minlength=len(modes))
    largest_first = [int(k) for k in np.argsort(-sizes, kind="stable") if sizes[k] > 0]
    ids = np.zeros(tags.shape, dtype=np.uint8)
    categories, scores = {}, {}
    for instance, k in enumerate(largest_first, start=1):
        pixels = places[group_of == k]
        ids.ravel()[pixels] = instance
        compactness = float(np.mean(np.abs(tags.ravel()[pixels] - modes[k]) <= config.bandwidth))
        categories[instance], probability = _category(probabilities, pixels)
        scores[instance] = probability * compactness
    return Instances(ids, categories, scores, dict(enumerate(modes[largest_first].tolist(), 1)))


def modes_1d(
    values: np.ndarray, bandwidth: float, prominence: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Modes of a set of tags and the cuts that part them, in O(n log n).

    Modes are the local maxima of `tag_density` that stand at least a share `prominence` of their
    own height above the valley towards any higher one. The ripple of a flat stretch, such as tags
    blended at the edge between two instances, does not.

    Args:
        values: n >= 1 finite tags.
        bandwidth: full width at half maximum of the kernel, in tag units.
        prominence: smallest topographic prominence of a mode over its height.

    Returns:
        Modes, float64, K >= 1, ascending, and cuts, float64, K - 1: the lowest point between
        neighbouring modes. `np.searchsorted(cuts, values)` is the mode 0..K-1 of each value.

    Raises:
        ValueError: see `tag_density`.
    """
    positions, density = tag_density(values, bandwidth)
    peaks, _ = find_peaks(density)
    prominences, _, _ = peak_prominences(density, peaks)
    peaks = peaks[prominences >= prominence * density[peaks]]
    cuts = []
    for left, right in pairwise(peaks):
        valley = density[left:right]
        lowest = np.flatnonzero(valley == valley.min())
        cuts.append(positions[left + lowest[len(lowest) // 2]])
    return positions[peaks], np.array(cuts)


def tag_density(values: np.ndarray, bandwidth: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian kernel density of tags, from a histogram with bins far narrower than the kernel.

    Unbounded tags may be anywhere, so empty stretches that no kernel reaches across are shortened
    before binning: a stray tag of 1e30 costs a few bins and leaves the rest as it was.

    Args:
        values: n >= 1 finite tags.
        bandwidth: full width at half maximum of the kernel, in tag units.

    Returns:
        Centres of the bins, ascending, in tag units, and the density there in tags per bin, 0 at
        both ends. Both float64.

    Raises:
        ValueError: no values, not 1-D, NaN or infinity among them.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"tags have shape {values.shape}, expected a non-empty 1-D array")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(values))} of {values.size} tags are NaN or infinite: "
            "the weights are broken or the training diverged; lower its learning rate"
        )
    sigma = bandwidth / np.sqrt(8 * np.log(2))
    is_sorted = (values[1:] >= values[:-1]).all()
    ascending = values if is_sorted else np.sort(values)
    steps = np.minimum(np.diff(ascending), 2 * REACH * sigma)
    shortened = np.concatenate([[0.0], np.cumsum(steps)])
    bin_width = max(sigma / BINS_PER_SIGMA, shortened[-1] / MAX_BINS)

    margin = REACH * BINS_PER_SIGMA
    histogram = np.bincount(np.rint(shortened / bin_width).astype(np.int64))
    density = gaussian_filter1d(
        np.pad(histogram, margin).astype(np.float64), BINS_PER_SIGMA, mode="constant", truncate=4
    )
    centres = bin_width * (np.arange(len(density)) - margin)
    after = np.searchsorted(shortened, centres)
    below, above = np.maximum(after - 1, 0), np.minimum(after, len(shortened) - 1)
    nearest = np.where(centres - shortened[below] < shortened[above] - centres, below, above)
    return ascending[nearest] + (centres - shortened[nearest]), density


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
        distances = np.where(np.isfinite(sizes), np.abs(modes - modes[smallest]), np.inf)
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
    if prediction.tags.ndim != 3 or prediction.tags.numel() == 0:
        raise ValueError(
            f"tags are {tuple(prediction.tags.shape)}, expected those of one clip, T x h x w: "
            "take one clip of the batch"
        )
    if prediction.semantic_logits is not None and len(prediction.semantic_logits) < 2:
        raise ValueError("semantic logits have one class, expected background and at least one")
