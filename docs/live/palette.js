// Colours: of instances, of tags on a line and of tags in a plane.

import { clamp } from "./view.js";

/** Okabe and Ito's colours, index 1 the first; 0 is the background. As views/overlay.py has them. */
export const INSTANCES = [
  [0, 0, 0],
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [0, 114, 178],
  [213, 94, 0],
  [204, 121, 167],
];
export const NAMES = ["none", "orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple"];

export const instanceColour = (id) => (id ? INSTANCES[1 + ((id - 1) % 7)] : INSTANCES[0]);
export const css = (rgb, alpha = 1) => `rgb(${rgb.join(" ")} / ${alpha})`;

// Viridis at nine places.
const LINE = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];

/** Colour of a tag of one number: `share` of the way from the lowest to the highest. */
function onLine(share) {
  const place = clamp(share, 0, 1) * (LINE.length - 1);
  const k = Math.min(Math.floor(place), LINE.length - 2);
  return LINE[k].map((low, c) => Math.round(low + (place - k) * (LINE[k + 1][c] - low)));
}

/** Colour of a tag of two numbers: all of one lightness, hue by direction (Oklab). */
function inPlane(first, second) {
  const [a, b] = [first, second].map((share) => 0.32 * (clamp(share, 0, 1) - 0.5));
  const lightness = 0.72;
  const [l, m, s] = [
    lightness + 0.3963 * a + 0.2158 * b,
    lightness - 0.1056 * a - 0.0639 * b,
    lightness - 0.0895 * a - 1.2915 * b,
  ].map((value) => value ** 3);
  const linear = [4.0767 * l - 3.3077 * m + 0.231 * s, -1.2684 * l + 2.6098 * m - 0.3413 * s, -0.0042 * l - 0.7034 * m + 1.7076 * s];
  return linear.map((value) => Math.round(255 * clamp(value <= 0.0031 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055, 0, 1)));
}

/** Colour of a tag, an array of one or two numbers, between `limits`, [low, high] of each. */
export function tagColour(tag, limits) {
  const shares = tag.map((value, k) => (value - limits[k][0]) / (limits[k][1] - limits[k][0]));
  return shares.length === 1 ? onLine(shares[0]) : inPlane(shares[0], shares[1]);
}
