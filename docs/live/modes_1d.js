// Modes of one-number tags: `modes_1d` and `tag_density` of tagvis_lite/modes.py.

const BINS_PER_SIGMA = 8;
const REACH = 5; // standard deviations beyond which the kernel counts as zero
const MAX_BINS = 1 << 16;
const RADIUS = 4 * BINS_PER_SIGMA; // where the kernel of the filter ends, in bins

/**
 * Modes of tags (arrays of one number each), ascending, and the mode 0, 1, ... of each.
 *
 * `bandwidth` is the full width at half maximum of the kernel, `prominence` the share of its own
 * height by which a mode stands above the valley towards any higher one.
 */
export function modes1d(tags, bandwidth, prominence) {
  const values = Float64Array.from(tags, ([tag]) => tag);
  const { positions, density } = tagDensity(values, bandwidth);
  const peaks = findPeaks(density).filter((peak) => prominenceOf(density, peak) >= prominence * density[peak]);
  const cuts = [];
  for (let k = 0; k + 1 < peaks.length; k++) {
    const valley = density.subarray(peaks[k], peaks[k + 1]);
    const least = valley.reduce((low, value) => Math.min(low, value), Infinity);
    const lowest = [...valley.keys()].filter((j) => valley[j] === least);
    cuts.push(positions[peaks[k] + lowest[lowest.length >> 1]]);
  }
  const groups = Array.from(values, (value) => cuts.filter((cut) => cut < value).length);
  return { modes: peaks.map((peak) => [positions[peak]]), groups };
}

/** Centres of the bins of a histogram of tags, and the density there in tags per bin. */
export function tagDensity(values, bandwidth) {
  const sigma = bandwidth / Math.sqrt(8 * Math.log(2));
  const ascending = values.slice().sort();
  const shortened = new Float64Array(ascending.length);
  for (let k = 1; k < ascending.length; k++)
    shortened[k] = shortened[k - 1] + Math.min(ascending[k] - ascending[k - 1], 2 * REACH * sigma);
  const last = shortened[shortened.length - 1];
  const binWidth = Math.max(sigma / BINS_PER_SIGMA, last / MAX_BINS);

  const margin = REACH * BINS_PER_SIGMA;
  const histogram = new Float64Array(rint(last / binWidth) + 1 + 2 * margin);
  for (const place of shortened) histogram[margin + rint(place / binWidth)]++;
  const density = gaussianFilter(histogram);
  const positions = new Float64Array(density.length);
  let after = 0;
  for (let b = 0; b < density.length; b++) {
    const centre = binWidth * (b - margin);
    while (after < shortened.length && shortened[after] < centre) after++;
    const [below, above] = [Math.max(after - 1, 0), Math.min(after, shortened.length - 1)];
    const nearest = centre - shortened[below] < shortened[above] - centre ? below : above;
    positions[b] = ascending[nearest] + (centre - shortened[nearest]);
  }
  return { positions, density };
}

/** The nearest whole number; of two, the even one. */
export function rint(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/** scipy's gaussian_filter1d with zeros outside, its sums in the same order. */
export function gaussianFilter(line, sigma = BINS_PER_SIGMA, radius = RADIUS) {
  const weights = Array.from({ length: radius + 1 }, (_, k) => Math.exp((-0.5 / (sigma * sigma)) * (k * k)));
  const total = weights.reduce((sum, weight, k) => sum + (k ? 2 : 1) * weight, 0);
  weights.forEach((weight, k) => (weights[k] = weight / total));
  const at = (k) => (k < 0 || k >= line.length ? 0 : line[k]);
  return line.map((value, k) => {
    let sum = value * weights[0];
    for (let j = radius; j > 0; j--) sum += (at(k - j) + at(k + j)) * weights[j];
    return sum;
  });
}

/** Local maxima; of a flat one its middle. */
function findPeaks(line) {
  const found = [];
  for (let k = 1; k < line.length - 1; k++) {
    if (line[k - 1] >= line[k]) continue;
    let end = k;
    while (end + 1 < line.length && line[end + 1] === line[k]) end++;
    if (end + 1 < line.length && line[end + 1] < line[k]) found.push((k + end) >> 1);
    k = end;
  }
  return found;
}

/** Height of a peak above the higher of the two valleys that part it from anything higher. */
function prominenceOf(line, peak) {
  const bases = [-1, 1].map((step) => {
    let least = line[peak];
    for (let k = peak; k >= 0 && k < line.length && line[k] <= line[peak]; k += step) least = Math.min(least, line[k]);
    return least;
  });
  return line[peak] - Math.max(...bases);
}
