// Modes of tags of several numbers: `modes_nd` of tagvis_lite/modes.py, step by step.

import { gaussianFilter, rint } from "./modes_1d.js";

const REACH = 5; // standard deviations beyond which the kernel counts as zero
const CELLS_PER_SIGMA = 3;
const MAX_CELLS = 1 << 20;

/** Modes of tags (arrays of K numbers each), ascending by their first number, and the mode of each. */
export function modesNd(tags, bandwidth, prominence) {
  const K = tags[0].length;
  const sigma = bandwidth / Math.sqrt(8 * Math.log(2));
  const longest = 2 * REACH * sigma;
  const axes = Array.from({ length: K }, (_, k) => shorten(Float64Array.from(tags, (tag) => tag[k]), longest));
  const extents = axes.map(({ shortened }) => shortened.reduce((most, value) => Math.max(most, value), 0));
  let width = sigma / CELLS_PER_SIGMA;
  while (extents.reduce((cells, extent) => cells * (extent / width + 1), 1) > MAX_CELLS) width *= 1.05;

  const shape = extents.map((extent) => rint(extent / width) + 3); // a cell of nothing all around
  const strides = shape.map((_, k) => shape.slice(k + 1).reduce((product, size) => product * size, 1));
  const place = tags.map((_, n) => axes.reduce((sum, axis, k) => sum + (rint(axis.shortened[n] / width) + 1) * strides[k], 0));
  const { peaks, modeOf } = basins(density(place, shape, strides, Math.max(sigma / width, 1)), strides, prominence);

  const modes = peaks.map((peak) =>
    axes.map((axis, k) => restore(((Math.floor(peak / strides[k]) % shape[k]) - 1) * width, axis, longest)),
  );
  const order = modes.map((_, m) => m).sort((a, b) => compare(modes[a], modes[b]));
  const rank = [];
  order.forEach((m, r) => (rank[m] = r));
  return { modes: order.map((m) => modes[m]), groups: place.map((cell) => rank[modeOf(cell)]) };
}

function compare(a, b) {
  const k = a.findIndex((value, j) => value !== b[j]);
  return k < 0 ? 0 : a[k] - b[k];
}

/** Tags per cell, blurred along each axis in turn; the outermost cells stay empty. */
function density(place, shape, strides, sigma) {
  let grid = new Float64Array(shape.reduce((product, size) => product * size, 1));
  for (const cell of place) grid[cell]++;
  const radius = Math.floor(4 * sigma + 0.5);
  shape.forEach((size, k) => {
    const blurred = new Float64Array(grid.length);
    const line = new Float64Array(size - 2);
    for (let start = 0; start < grid.length; start++) {
      if (Math.floor(start / strides[k]) % size) continue;
      let empty = true;
      for (let j = 0; j < line.length; j++) {
        line[j] = grid[start + (j + 1) * strides[k]];
        empty &&= line[j] === 0;
      }
      if (empty) continue;
      gaussianFilter(line, sigma, radius).forEach((value, j) => (blurred[start + (j + 1) * strides[k]] = value));
    }
    grid = blurred;
  });
  return grid;
}

/** Cells of the prominent peaks, and a function from a cell that holds tags to its peak's index. */
function basins(heights, strides, prominence) {
  const steps = strides.reduce((sums, stride) => sums.flatMap((sum) => [sum - stride, sum, sum + stride]), [0]);
  const half = steps.slice(0, steps.length >> 1);
  const land = [];
  heights.forEach((height, cell) => height && land.push(cell));

  const up = new Map(land.map((cell) => [cell, cell]));
  for (const cell of land) {
    let highest = heights[cell];
    for (const step of [...half, ...half.map((one) => -one)]) {
      if (heights[cell + step] <= highest) continue;
      highest = heights[cell + step];
      up.set(cell, cell + step);
    }
  }
  const end = (cell) => {
    const way = [];
    for (; up.get(cell) !== cell; cell = up.get(cell)) way.push(cell);
    for (const passed of way) up.set(passed, cell);
    return cell;
  };
  const peaks = [...new Set(land.map(end))].sort((a, b) => a - b);
  const index = new Map(peaks.map((peak, k) => [peak, k]));
  const basin = new Int32Array(heights.length);
  for (const cell of land) basin[cell] = index.get(end(cell));

  const keptBy = mergeBasins(peaks.map((peak) => heights[peak]), highestPasses(heights, land, half, basin, peaks.length), prominence);
  const kept = [...new Set(keptBy)].sort((a, b) => a - b);
  const number = new Map(kept.map((k, m) => [k, m]));
  return { peaks: kept.map((k) => peaks[k]), modeOf: (cell) => number.get(keptBy[basin[cell]]) };
}

/** [height, one, other] of the highest pass between every two basins that touch, highest first. */
function highestPasses(heights, land, half, basin, count) {
  const passes = new Map();
  for (const step of half)
    for (const cell of land) {
      const other = cell + step;
      if (!heights[other] || basin[cell] === basin[other]) continue;
      const pair = Math.min(basin[cell], basin[other]) * count + Math.max(basin[cell], basin[other]);
      const height = Math.min(heights[cell], heights[other]);
      if (height > (passes.get(pair) ?? 0)) passes.set(pair, height);
    }
  const downward = [...passes].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return downward.map(([pair, height]) => [height, Math.floor(pair / count), pair % count]);
}

/** For each peak the one that takes its basin: itself, or a higher one. */
function mergeBasins(peakHeights, passes, prominence) {
  const top = peakHeights.map((_, k) => k); // of the island that the sea leaves of each peak
  const keptBy = peakHeights.map((_, k) => k);
  for (const [height, one, other] of passes) {
    let [high, low, keeper] = [top[one], top[other], one];
    if (high === low) continue;
    const lower = peakHeights[high] - peakHeights[low] || low - high;
    if (lower < 0) [high, low, keeper] = [low, high, other];
    top.forEach((peak, k) => peak === low && (top[k] = high));
    const rise = peakHeights[low] - height;
    if (rise > 0 && rise >= prominence * peakHeights[low]) continue;
    const [from, to] = [keptBy[low], keptBy[keeper]];
    keptBy.forEach((peak, k) => peak === from && (keptBy[k] = to));
  }
  return keptBy;
}

/** Numbers from 0 on with no gap above `longest`, and where and at what each stretch begins. */
function shorten(values, longest) {
  const ascending = values.slice().sort();
  const [starts, firsts] = [[0], [ascending[0]]];
  for (let k = 1; k < ascending.length; k++) {
    if (ascending[k] - ascending[k - 1] <= longest) continue;
    starts.push(starts.at(-1) + (ascending[k - 1] - firsts.at(-1) + longest));
    firsts.push(ascending[k]);
  }
  const shortened = values.map((value) => {
    const stretch = firsts.findLastIndex((first) => first <= value);
    return value - firsts[stretch] + starts[stretch];
  });
  return { shortened, starts, firsts };
}

/** What `shorten` made of a number in or near one of the stretches, turned back. */
function restore(shortened, { starts, firsts }, longest) {
  const stretch = starts.findLastIndex((start, k) => k === 0 || start - longest / 2 <= shortened);
  return shortened - starts[stretch] + firsts[stretch];
}
