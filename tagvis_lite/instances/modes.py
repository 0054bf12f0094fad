"""Modes of the density of tags, on a line or in K dimensions (docs/decisions.md, D15 and D23).

Every heap of tags has one densest point, its mode. `modes_1d` finds the modes of tags of one
number, and `modes_nd` those of tags of K numbers, by the same rules.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import find_peaks, peak_prominences

BINS_PER_SIGMA = 8
"""Histogram bins per standard deviation of the kernel."""
REACH = 5
"""Standard deviations beyond which the kernel counts as zero."""
MAX_BINS = 1 << 16
"""Tags that would need more bins than this get wider ones, and with them a wider kernel."""
CELLS_PER_SIGMA = 3
"""Of the grid for tags of several numbers, along each axis."""
MAX_CELLS = 1 << 20
"""Tags that would need more cells than this get wider ones, and a kernel of a cell at least."""


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
    sigma = _kernel(values, bandwidth, ndim=1)
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


def modes_nd(
    values: np.ndarray, bandwidth: float, prominence: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Modes of tags of K numbers and the mode of each tag, in time linear in the tags.

    The density is that of `tag_density` on a grid of K dimensions. Every cell climbs to the densest
    cell beside it; where it ends is a peak, and the cells that end there are its basin. The higher
    of two peaks takes the other, and its basin, unless that stands at least a share `prominence` of
    its own height above the highest pass towards a higher one: the rule of `modes_1d`, which parts
    at the lowest point between two modes as basins do.

    Args:
        values: n x K, n >= 1 finite tags; the cost grows with 3^K.
        bandwidth: full width at half maximum of the kernel, in tag units.
        prominence: smallest topographic prominence of a mode over its height.

    Returns:
        Modes, float64, M x K, ascending by their first number, and int64, n: the mode 0..M-1 of
        each tag.

    Raises:
        ValueError: no values, not 2-D, NaN or infinity among them.
    """
    sigma = _kernel(values, bandwidth, ndim=2)
    axes = [_shortened(column, 2 * REACH * sigma) for column in values.T.astype(np.float64)]
    extents = np.array([shortened.max() for shortened, _, _ in axes])
    width = sigma / CELLS_PER_SIGMA
    while np.prod(extents / width + 1) > MAX_CELLS:
        width *= 1.05
    cells = [np.rint(shortened / width).astype(np.int64) for shortened, _, _ in axes]
    shape = tuple(int(cell.max()) + 1 for cell in cells)
    place = np.ravel_multi_index(cells, shape)
    counts = np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)
    density = gaussian_filter(
        counts.astype(np.float64), max(sigma / width, 1), mode="constant", truncate=4
    )
    peaks, basin = _basins(density, prominence)
    modes = np.stack(
        [
            _restored(cell * width, starts, firsts, 2 * REACH * sigma)
            for cell, (_, starts, firsts) in zip(np.unravel_index(peaks, shape), axes, strict=True)
        ],
        axis=1,
    )
    order = np.lexsort(modes.T[::-1])
    rank = np.argsort(order)
    return modes[order], rank[basin[place]]


def _basins(density: np.ndarray, prominence: float) -> tuple[np.ndarray, np.ndarray]:
    """Peaks that are prominent (flat cells) and, for each flat cell, the index of its peak.

    Cells of density 0 are nobody's: index 0, which is never asked for.
    """
    padded = np.pad(density, 1)
    heights = padded.ravel()
    land = np.flatnonzero(heights)
    strides = np.array(padded.strides) // padded.itemsize
    steps = [int(np.dot(step, strides)) for step in product((-1, 0, 1), repeat=density.ndim)]
    half = steps[: len(steps) // 2]  # the other half is the same, negative

    upward, highest = land.copy(), heights[land]
    for step in half + [-step for step in half]:
        beside = heights[land + step]
        higher = beside > highest
        upward[higher], highest[higher] = land[higher] + step, beside[higher]
    number = np.zeros(heights.size, dtype=np.int64)
    number[land] = np.arange(len(land))
    end = number[upward]
    while (end[end] != end).any():
        end = end[end]
    peaks, basin = np.unique(end, return_inverse=True)
    number[land] = basin

    # The highest pass between every two basins that touch.
    pairs, passes = [], []
    for step in half:
        touching = np.flatnonzero(heights[land + step])
        here, there = land[touching], land[touching] + step
        apart = number[here] != number[there]
        here, there = here[apart], there[apart]
        low, high = np.sort([number[here], number[there]], axis=0)
        pairs.append(low * len(peaks) + high)
        passes.append(np.minimum(heights[here], heights[there]))
    pair, height = np.concatenate(pairs), np.concatenate(passes)
    order = np.lexsort((height, pair))
    order = order[np.append(np.diff(pair[order]) > 0, True)[: len(order)]]
    downward = order[np.argsort(-height[order], kind="stable")]

    peak_height = heights[land[peaks]]
    top = np.arange(len(peaks))  # of the island that the sea leaves of each peak
    kept_by = np.arange(len(peaks))
    for k in downward:
        one, other = divmod(int(pair[k]), len(peaks))
        high, low = top[one], top[other]
        if high == low:
            continue
        if (peak_height[high], -high) < (peak_height[low], -low):
            high, low, one = low, high, other
        top[top == low] = high
        rise = peak_height[low] - height[k]
        if rise <= 0 or rise < prominence * peak_height[low]:
            kept_by[kept_by == kept_by[low]] = kept_by[one]
    modes, mode_of = np.unique(kept_by, return_inverse=True)
    inside = tuple([slice(1, -1)] * density.ndim)
    mode_of_cell = mode_of[number].reshape(padded.shape)[inside].ravel()
    cells = np.stack(np.unravel_index(land[peaks[modes]], padded.shape)) - 1
    return np.ravel_multi_index(tuple(cells), density.shape), mode_of_cell


def _kernel(values: np.ndarray, bandwidth: float, ndim: int) -> float:
    """Standard deviation of a kernel of this full width at half maximum, for tags that it fits."""
    if values.ndim != ndim or values.size == 0:
        raise ValueError(f"tags have shape {values.shape}, expected a non-empty {ndim}-D array")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(values))} of {values.size} tags are NaN or infinite: "
            "the weights are broken or the training diverged; lower its learning rate"
        )
    return float(bandwidth / np.sqrt(8 * np.log(2)))


def _shortened(values: np.ndarray, longest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers from 0 on with no gap above `longest`, and where and at what each stretch begins."""
    ascending = np.sort(values)
    gaps = np.flatnonzero(np.diff(ascending) > longest)
    firsts = ascending[np.concatenate([[0], gaps + 1])]
    lasts = ascending[np.concatenate([gaps, [len(ascending) - 1]])]
    starts = np.concatenate([[0.0], np.cumsum(lasts - firsts + longest)[:-1]])
    stretch = np.searchsorted(firsts[1:], values, side="right")
    return values - firsts[stretch] + starts[stretch], starts, firsts


def _restored(
    shortened: np.ndarray, starts: np.ndarray, firsts: np.ndarray, longest: float
) -> np.ndarray:
    """What `_shortened` made of numbers in or near one of its stretches, turned back."""
    stretch = np.searchsorted(starts[1:] - longest / 2, shortened, side="right")
    restored: np.ndarray = shortened - starts[stretch] + firsts[stretch]
    return restored
