// What a visitor sets up, and its way into the toy set's terms and into a link.
//
// A scene here is small and plain, so that a link can hold all of it:
//   seed     of the background and the noise
//   turn     degrees by which all objects are turned about the middle of the frame
//   bar      null, or { x, width } of an upright bar in front of everything
//   objects  from back to front: shape 1..4, hue 0..1, texture 0..3, size (radius), x and y (place
//            at mid-clip, before the turn), dx and dy (way over the clip), stay: "stays", "leaves"
//            (and returns) or "visits" (and goes again)
// Numbers are kept to four digits: what a link restores is what was seen, to the pixel.

import { hsvToRgb, TEXTURES, uniforms } from "./toy.js";

export const FRAMES = 8;
export const SIZE = 64;
export const MOST_OBJECTS = 6;
const MIDDLE = [0.5, 0.5];
const SLOW = 0.02; // radians a frame: an arc of a sine so short that it is a straight way
const CAMOUFLAGE = 0.15; // the toy set's, at its medium difficulty
const CLUTTER = 0.3;

const thing = (shape, hue, x, y, more = {}) => ({
  shape, hue, texture: 0, size: 0.14, x, y, dx: 0, dy: 0, stay: "stays", ...more,
});

/** Scenes to start from, by name. */
export const GALLERY = {
  "Two alike": { seed: 3, objects: [thing(1, 0.08, 0.3, 0.28), thing(1, 0.08, 0.7, 0.72)] },
  "Two that differ": { seed: 5, objects: [thing(2, 0.6, 0.3, 0.3, { texture: 1 }), thing(4, 0.1, 0.68, 0.7)] },
  "Four on the move": {
    seed: 8,
    objects: [
      thing(1, 0.05, 0.25, 0.2, { dx: 0.3 }),
      thing(3, 0.35, 0.75, 0.4, { dx: -0.25, texture: 2 }),
      thing(2, 0.62, 0.3, 0.62, { dy: 0.12, texture: 1 }),
      thing(4, 0.85, 0.72, 0.82, { dx: -0.2, texture: 3 }),
    ],
  },
  "Behind a bar": {
    seed: 12,
    bar: { x: 0.5, width: 0.3 },
    objects: [thing(1, 0.08, 0.5, 0.3, { dx: 0.8, size: 0.11 }), thing(2, 0.6, 0.5, 0.72, { dx: -0.8, size: 0.11, texture: 1 })],
  },
  "One leaves, its twin visits": {
    seed: 21,
    objects: [thing(1, 0.08, 0.24, 0.3, { stay: "visits" }), thing(1, 0.08, 0.24, 0.3, { stay: "leaves" }), thing(4, 0.6, 0.7, 0.7)],
  },
  "Side by side": { seed: 3, objects: [thing(1, 0.08, 0.28, 0.5), thing(1, 0.08, 0.72, 0.5)] },
};

export const fromGallery = (name) => clean(GALLERY[name]);

/** A scene with every field there, within its range, to four digits. */
export function clean(scene) {
  const number = (value, low, high, other) => {
    const given = Number.isFinite(value) ? value : other;
    return Math.round(1e4 * Math.min(high, Math.max(low, given))) / 1e4;
  };
  const objects = (Array.isArray(scene?.objects) ? scene.objects : []).slice(0, MOST_OBJECTS);
  return {
    seed: Math.round(number(scene?.seed, 0, 9999, 0)),
    turn: number(scene?.turn, 0, 360, 0),
    bar: scene?.bar ? { x: number(scene.bar.x, 0, 1, 0.5), width: number(scene.bar.width, 0.02, 0.6, 0.25) } : null,
    objects: objects.map((one) => ({
      shape: Math.round(number(one.shape, 1, 4, 1)),
      hue: number(one.hue, 0, 1, 0),
      texture: Math.round(number(one.texture, 0, 3, 0)),
      size: number(one.size, 0.05, 0.3, 0.14),
      x: number(one.x, -0.2, 1.2, 0.5),
      y: number(one.y, -0.2, 1.2, 0.5),
      dx: number(one.dx, -1, 1, 0),
      dy: number(one.dy, -1, 1, 0),
      stay: ["stays", "leaves", "visits"].includes(one.stay) ? one.stay : "stays",
    })),
  };
}

/** x and y turned by degrees about the middle of the frame. */
export function turned([x, y], degrees) {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const [a, b] = [x - MIDDLE[0], y - MIDDLE[1]];
  return [MIDDLE[0] + c * a - s * b, MIDDLE[1] + s * a + c * b];
}

/** The scene as toy.js renders it. */
export function toToy(scene) {
  const background = drawBackground(scene.seed);
  const instances = scene.objects.map((one, k) => toInstance(one, k + 1, scene.turn, background.colour));
  const bar = scene.bar && { ...scene.bar, colour: background.colour.map((value) => 0.5 * value) };
  return { background, instances, bar };
}

function toInstance(one, id, turn, background) {
  const light = hsvToRgb(one.hue, 0.8, 0.9);
  const dark = hsvToRgb(one.hue, 0.8, 0.32);
  const mixed = [light, dark].map((rgb) => rgb.map((value, c) => value + CAMOUFLAGE * (background[c] - value)));
  return {
    id,
    look: { category: one.shape, radius: one.size, colours: mixed, texture: TEXTURES[one.texture], wavelength: 0.1 },
    path: toPath(one, turned([one.x, one.y], turn)),
    angle: 0.3,
    spin: 0,
    stretch: 0.05,
    direction: [0.5, 0],
    strength: [0, 0],
    frequency: [0.5, 0.5],
    phase: [0, 0],
  };
}

/** A straight way with `place` in its middle, and perhaps a trip that is farthest at frame 4. */
function toPath({ dx, dy, size, stay }, place) {
  const middle = (FRAMES - 1) / 2;
  const speed = 1 / (2 * Math.sin(SLOW * middle));
  const out = place.map((_, k) => (k === nearestSide(place)[0] ? nearestSide(place)[1] * (nearestSide(place)[2] + 1.6 * size) : 0));
  const visits = stay === "visits";
  return {
    anchor: place.map((value, k) => value + (visits ? out[k] : 0)),
    amplitude: [dx * speed, dy * speed],
    frequency: [SLOW, SLOW],
    phase: [-SLOW * middle, -SLOW * middle],
    trip: stay === "stays" ? [0, 0] : out.map((value) => (visits ? -value : value)),
  };
}

/** Axis, direction and distance of the side of the frame that is nearest to a place. */
function nearestSide([x, y]) {
  const sides = [[0, -1, x], [1, -1, y], [0, 1, 1 - x], [1, 1, 1 - y]];
  return sides.reduce((least, side) => (side[2] < least[2] ? side : least));
}

/** Four waves over one colour, drawn as the toy set draws them. */
function drawBackground(seed) {
  const uniform = uniforms(1000 + seed);
  const between = (low, high) => low + (high - low) * uniform();
  const colour = hsvToRgb(uniform(), between(0, 0.4), between(0.3, 0.7));
  const waves = Array.from({ length: 4 }, () => {
    const direction = between(0, 2 * Math.PI);
    const number = (2 * Math.PI) / between(0.3, 1.5);
    return {
      vector: [number * Math.cos(direction), number * Math.sin(direction)],
      phase: between(0, 2 * Math.PI),
      frequency: between(-0.1, 0.1),
      tint: [0, 1, 2].map(() => ((uniform() < 0.5 ? -1 : 1) * between(0.3, 1) * CLUTTER) / 4),
    };
  });
  return {
    colour,
    vectors: waves.map((wave) => wave.vector),
    phase: waves.map((wave) => wave.phase),
    frequency: waves.map((wave) => wave.frequency),
    tint: waves.map((wave) => wave.tint),
  };
}

/** A text for the address of a link, and back; null where it is not one of ours. */
export function toLink(scene, extra = {}) {
  const { seed, turn, bar, objects } = scene;
  const rows = objects.map((o) => [o.shape, o.hue, o.texture, o.size, o.x, o.y, o.dx, o.dy, o.stay[0]].join(","));
  const parts = { s: seed, t: turn, ...(bar && { b: `${bar.x},${bar.width}` }), o: rows.join(";"), ...extra };
  return new URLSearchParams(parts).toString().replaceAll("%2C", ",").replaceAll("%3B", ";");
}

export function fromLink(text) {
  const parts = new URLSearchParams(text);
  if (!parts.has("s") || !parts.has("o")) return null;
  const stays = { s: "stays", l: "leaves", v: "visits" };
  const objects = parts.get("o").split(";").filter(Boolean).map((row) => {
    const [shape, hue, texture, size, x, y, dx, dy] = row.split(",").map(Number);
    return { shape, hue, texture, size, x, y, dx, dy, stay: stays[row.split(",")[8]] };
  });
  const [x, width] = (parts.get("b") ?? "").split(",").map(Number);
  const scene = { seed: Number(parts.get("s")), turn: Number(parts.get("t")), bar: parts.has("b") ? { x, width } : null, objects };
  return { scene: clean(scene), extra: Object.fromEntries([...parts].filter(([key]) => !"stbo".includes(key))) };
}
