// The toy set's renderer: tagvis_lite/data/toy.py, function by function (tests/live compare them).
//
// A scene is plain data. Lengths are in units of the shorter side of the frame, times in frames.
//   scene.background   colour [3]; waves: vectors [[x, y]], phase, frequency, tint [[3]]
//   scene.instances    from back to front: id, look, path, angle, spin, stretch, direction [2],
//                      strength [2], frequency [2], phase [2]
//   look               category 1..4, radius, colours [light, dark], texture, wavelength
//   path               anchor, amplitude, frequency, phase, trip: [x, y] each
//   scene.bar          of this page only: x, width, colour of an upright bar in front of all

export const SHAPES = ["", "disc", "square", "triangle", "star"]; // category 1..4
export const TEXTURES = ["stripes", "checks", "dots", "waves"];
const NUM_ANGLES = 1024;
const TRIP_FRAMES = 8;
const TRIP_PERIOD = 24;
const TURN = 2 * Math.PI;
const { round: wholly, fround, sin, cos, min, max } = Math;

const clip = (value, low, high) => max(low, min(high, value));
const modulo = (value, by) => ((value % by) + by) % by;

/** Frames before noise, float32, and ids, uint8: T x H x W x 3 and T x H x W. */
export function render(scene, T, [H, W]) {
  const frames = new Float32Array(T * H * W * 3);
  const ids = new Uint8Array(T * H * W);
  for (let t = 0; t < T; t++) {
    const frame = frames.subarray(t * H * W * 3, (t + 1) * H * W * 3);
    const own = ids.subarray(t * H * W, (t + 1) * H * W);
    paintBackground(scene.background, frame, t, H, W);
    for (const instance of scene.instances) paintInstance(instance, frame, own, t, H, W);
    if (scene.bar) paintBar(scene.bar, frame, own, H, W);
  }
  return { frames, ids };
}

/** Bytes as the network takes them: with noise of 3 grey values, drawn from a seed, or without. */
export function toBytes(frames, seed = null) {
  const bytes = new Uint8ClampedArray(frames.length);
  const normal = seed === null ? () => 0 : normals(seed);
  for (let k = 0; k < frames.length; k += 3) {
    const noise = 3 * normal();
    for (let c = 0; c < 3; c++) bytes[k + c] = Math.floor(clip(255 * frames[k + c] + noise + 0.5, 0, 255));
  }
  return new Uint8Array(bytes.buffer);
}

function paintBackground({ colour, vectors, phase, frequency, tint }, frame, t, H, W) {
  const side = min(H, W);
  for (let y = 0; y < H; y++)
    for (let x = 0; x < W; x++) frame.set(colour, 3 * (y * W + x));
  vectors.forEach(([kx, ky], k) => {
    const drift = phase[k] + frequency[k] * t;
    for (let y = 0; y < H; y++) {
      const along = (ky * (y + 0.5)) / side + drift;
      for (let x = 0; x < W; x++) {
        const wave = sin((kx * (x + 0.5)) / side + along);
        const first = 3 * (y * W + x);
        for (let c = 0; c < 3; c++) frame[first + c] += tint[k][c] * wave;
      }
    }
  });
}

function paintInstance(instance, frame, ids, t, H, W) {
  const side = min(H, W);
  const [centreX, centreY] = position(instance.path, t);
  const radius = outline(instance, t);
  const steepness = radius.map((r, k) => {
    const next = radius[(k + 1) % NUM_ANGLES];
    const last = radius[(k + NUM_ANGLES - 1) % NUM_ANGLES];
    const slope = ((next - last) * NUM_ANGLES) / (2 * TURN);
    return Math.sqrt(1 + (slope / r) ** 2) / side;
  });
  const reach = max(...radius) + 2 / side;
  const [light, dark] = instance.look.colours;
  const texture = pattern(instance, t);
  const from = (centre) => max(0, Math.ceil((centre - reach) * side - 0.5));
  const to = (centre, count) => min(count, Math.ceil((centre + reach) * side - 0.5));
  for (let row = from(centreY); row < to(centreY, H); row++) {
    const y = fround((row + 0.5) / side - centreY);
    for (let column = from(centreX); column < to(centreX, W); column++) {
      const x = fround((column + 0.5) / side - centreX);
      const angle = fround(Math.atan2(y, x)) * fround(NUM_ANGLES / TURN);
      const k = modulo(wholly(angle) + NUM_ANGLES / 2, NUM_ANGLES);
      const distance = (Math.sqrt(x * x + y * y) - radius[k]) / steepness[k]; // in pixels
      const pixel = row * W + column;
      if (distance < 0) ids[pixel] = instance.id;
      const alpha = clip(0.5 - distance, 0, 1);
      if (!alpha) continue;
      const rim = clip(1 + distance / (0.02 * side), 0, 1);
      const share = max(texture(x, y), rim);
      for (let c = 0; c < 3; c++) {
        const below = frame[3 * pixel + c];
        frame[3 * pixel + c] = below + alpha * (light[c] + (dark[c] - light[c]) * share - below);
      }
    }
  }
}

function paintBar({ x, width, colour }, frame, ids, H, W) {
  const side = min(H, W);
  for (let column = 0; column < W; column++) {
    if (Math.abs((column + 0.5) / side - x) > width / 2) continue;
    for (let row = 0; row < H; row++) {
      frame.set(colour, 3 * (row * W + column));
      ids[row * W + column] = 0;
    }
  }
}

/** Centre at time t. */
export function position({ anchor, amplitude, frequency, phase, trip }, t) {
  const progress = min((t % TRIP_PERIOD) / TRIP_FRAMES, 1);
  const away = sin(Math.PI * progress) ** 2;
  return [0, 1].map((k) => anchor[k] + amplitude[k] * sin(frequency[k] * t + phase[k]) + trip[k] * away);
}

/** Radius at time t and at NUM_ANGLES angles from -pi. */
function outline({ look, angle, spin, stretch, direction, strength, frequency, phase }, t) {
  const angles = Array.from({ length: NUM_ANGLES }, (_, k) => -Math.PI + (k * TURN) / NUM_ANGLES);
  const rest = unitOutline(look.category, angles.map((a) => a - angle - spin * t));
  const pulse = [0, 1].map((k) => strength[k] * sin(frequency[k] * t + phase[k]));
  return angles.map((a, k) => {
    const change =
      (stretch + pulse[0]) * cos(2 * (a - direction[0])) + pulse[1] * cos(3 * (a - direction[1]));
    return look.radius * rest[k] * (1 + change);
  });
}

/** Radius of a shape of area pi at each of evenly spread angles. */
function unitOutline(category, angles) {
  const polygon = (sides, sharpness) => (a) => {
    let inside = 0;
    for (let k = 0; k < sides; k++) inside += max(cos(a - (TURN * k) / sides), 0) ** sharpness;
    return inside ** (-1 / sharpness);
  };
  const star = (a) => 0.4 + 0.6 * Math.abs(2 * modulo((5 * a) / TURN, 1) - 1) ** 1.2;
  const shape = { disc: () => 1, square: polygon(4, 10), triangle: polygon(3, 10), star }[SHAPES[category]];
  const radius = angles.map(shape);
  const mean = radius.reduce((sum, r) => sum + r * r, 0) / radius.length;
  return radius.map((r) => r / Math.sqrt(mean));
}

/** Share of the dark colour at an offset from the centre; it moves and turns with the instance. */
function pattern({ look, angle, spin }, t) {
  const turned = angle + spin * t;
  const scale = TURN / look.wavelength;
  const [c, s] = [scale * cos(turned), scale * sin(turned)];
  const wave = {
    stripes: (u) => sin(u),
    checks: (u, v) => sin(u) * sin(v),
    dots: (u, v) => cos(u) + cos(v) - 1,
    waves: (u, v) => sin(u + 2 * sin(v / 2)),
  }[look.texture];
  return (x, y) => clip(0.5 + wave(c * x + s * y, c * y - s * x), 0, 1);
}

/** RGB in [0, 1] of a colour; hue is in turns, of any sign. */
export function hsvToRgb(hue, saturation, value) {
  return [5, 3, 1].map((offset) => {
    const sector = modulo(offset + 6 * hue, 6);
    return value * (1 - saturation * clip(min(sector, 4 - sector), 0, 1));
  });
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers from a seed (Box and Muller). */
function normals(seed) {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * cos(TURN * uniform());
}
