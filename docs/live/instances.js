// Tags and semantics of one clip to instances: tagvis_lite/instances.py, step by step.
//
// The same pixels get the same instances as in Python (tests/live compare 500 tag maps of each
// width). Settings are those of a network's card: class_activation, foreground, bandwidth,
// prominence, min_area, max_instances. Scores are probability times compactness.

import { modes1d } from "./modes_1d.js";
import { modesNd } from "./modes_nd.js";

/**
 * Find the instances of one clip.
 *
 * tags: float32, T x h x w x K, flat, K numbers of a tag. logits: float32, C x T x h x w, flat, or
 * null for a network without a semantic branch. size: T, h and w.
 *
 * Returns ids (uint8, T x h x w: 0 background, 1 to N from the largest), and for each instance from
 * index 0: modes (K numbers), categories and scores; and foreground (float32, T x h x w).
 */
export function findInstances(tags, logits, [T, h, w], settings) {
  const pixels = T * h * w;
  const K = tags.length / pixels;
  const activate = settings.class_activation === "sigmoid" ? sigmoid : softmax;
  const probabilities = logits && activate(logits, pixels);
  const foreground = new Float32Array(pixels).fill(1);
  if (logits) for (let p = 0; p < pixels; p++) foreground[p] = Math.fround(1 - probabilities[p]);

  const places = [];
  for (let p = 0; p < pixels; p++) if (foreground[p] > Math.fround(settings.foreground)) places.push(p);
  const ids = new Uint8Array(pixels);
  if (!places.length) return { ids, modes: [], categories: [], scores: [], foreground };

  const own = places.map((p) => Array.from(tags.subarray(p * K, (p + 1) * K)));
  const find = K === 1 ? modes1d : modesNd;
  const { modes, groups } = find(own, settings.bandwidth, settings.prominence);
  const merged = dissolveSmallGroups(modes, counts(groups, modes.length), {
    pixels,
    minArea: settings.min_area,
    maxGroups: settings.max_instances + (logits ? 0 : 1),
    reach: 2 * settings.bandwidth,
  });
  const groupOf = groups.map((group) => merged[group]);
  if (!logits) removeBackgroundGroup(groupOf, T, h, w);

  const sizes = counts(groupOf, modes.length);
  const largestFirst = modes.map((_, k) => k).filter((k) => sizes[k] > 0);
  largestFirst.sort((a, b) => sizes[b] - sizes[a] || a - b);
  const [categories, scores] = [[], []];
  largestFirst.forEach((group, k) => {
    const mine = places.filter((_, n) => groupOf[n] === group);
    for (const p of mine) ids[p] = k + 1;
    const near = own.filter((tag, n) => groupOf[n] === group && distance(tag, modes[group]) <= settings.bandwidth);
    const [category, probability] = likeliestClass(probabilities, mine, pixels);
    categories.push(category);
    scores.push((probability * near.length) / mine.length);
  });
  return { ids, modes: largestFirst.map((group) => modes[group]), categories, scores, foreground };
}

export const distance = (a, b) => Math.sqrt(a.reduce((sum, value, k) => sum + (value - b[k]) ** 2, 0));

const sigmoid = (logits) => logits.map((logit) => 1 / (1 + Math.exp(-logit)));

function softmax(logits, pixels) {
  const classes = logits.length / pixels;
  const out = new Float32Array(logits.length);
  for (let p = 0; p < pixels; p++) {
    let [most, sum] = [-Infinity, 0];
    for (let c = 0; c < classes; c++) most = Math.max(most, logits[c * pixels + p]);
    for (let c = 0; c < classes; c++) sum += out[c * pixels + p] = Math.exp(logits[c * pixels + p] - most);
    for (let c = 0; c < classes; c++) out[c * pixels + p] /= sum;
  }
  return out;
}

/** How many of `groups` are 0, 1, ... count - 1; those below 0 are left out. */
function counts(groups, count) {
  const sizes = new Array(count).fill(0);
  for (const group of groups) if (group >= 0) sizes[group]++;
  return sizes;
}

/** For each group the group its pixels end in, or -1 for the background. */
function dissolveSmallGroups(modes, sizes, { pixels, minArea, maxGroups, reach }) {
  const endsIn = modes.map((_, k) => k);
  const left = new Map(sizes.map((size, k) => [k, size]));
  while (left.size) {
    const [smallest, size] = [...left].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    if (size / pixels >= minArea && left.size <= maxGroups) break;
    left.delete(smallest);
    const far = [...left.keys()].map((k) => [k, distance(modes[k], modes[smallest])]);
    const [nearest, how] = far.reduce((least, entry) => (entry[1] < least[1] ? entry : least), [-1, Infinity]);
    const target = how <= reach ? nearest : -1;
    if (target >= 0) left.set(target, left.get(target) + size);
    for (let k = 0; k < endsIn.length; k++) if (endsIn[k] === smallest) endsIn[k] = target;
  }
  return endsIn;
}

/** Set to -1 the group that covers most pixels on the border of the frames. */
function removeBackgroundGroup(groupOf, T, h, w) {
  const border = new Map();
  groupOf.forEach((group, p) => {
    const [x, y] = [p % w, Math.floor(p / w) % h];
    if (group >= 0 && (x === 0 || y === 0 || x === w - 1 || y === h - 1))
      border.set(group, (border.get(group) ?? 0) + 1);
  });
  const most = [...border].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0];
  if (most) groupOf.forEach((group, p) => (groupOf[p] = group === most[0] ? -1 : group));
}

/** The likeliest class >= 1 over some pixels and its mean probability. */
function likeliestClass(probabilities, places, pixels) {
  if (!probabilities) return [1, 1];
  let best = [1, -1];
  for (let c = 1; c < probabilities.length / pixels; c++) {
    const mean = places.reduce((sum, p) => sum + probabilities[c * pixels + p], 0) / places.length;
    if (mean > best[1]) best = [c, mean];
  }
  return best;
}
