// Pictures of one frame: what the network sees, its tags, its instances, the truth.

import { clamp } from "./view.js";
import { css, instanceColour, tagColour } from "./palette.js";

const UNIT = 4; // canvas pixels a pixel of the clip
const FAINT = 0.28; // opacity of tags of the background

/** A canvas for pictures of width x height pixels; the words are for those who cannot see it. */
export function picture(width, height, words) {
  const node = document.createElement("canvas");
  Object.assign(node, { width: UNIT * width, height: UNIT * height, tabIndex: 0 });
  node.setAttribute("role", "application");
  node.setAttribute("aria-label", `${words}. Arrow keys move a pixel, Enter asks where attention looks from it`);
  node.className = "picture";
  return node;
}

/** Show pixels, rgb(p) or [r, g, b, opacity], and a cross at `cursor` ([x, y] or null). */
export function show(node, width, height, rgb, cursor = null) {
  const image = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    const [r, g, b, opacity = 1] = rgb(p);
    image.data.set([r, g, b, 255 * opacity], 4 * p);
  }
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(image, 0, 0);
  const context = node.getContext("2d");
  context.clearRect(0, 0, node.width, node.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, node.width, node.height);
  if (cursor) cross(context, (cursor[0] + 0.5) * UNIT, (cursor[1] + 0.5) * UNIT);
  return context;
}

function cross(context, x, y) {
  for (const [style, line] of [["black", 5], ["white", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = line;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
  }
}

/** The frame as the network gets it. */
export const frameColours = (frames, first) => (p) => frames.subarray(3 * (first + p), 3 * (first + p) + 3);

/** Tags in colours, faint on what the network takes for background; dark where not lit. */
export function tagColours(result, first, limits, lit) {
  const K = limits.length;
  return (p) => {
    const tag = Array.from(result.tags.subarray((first + p) * K, (first + p + 1) * K));
    const found = result.instances.ids[first + p] > 0;
    const rgb = tagColour(tag, limits);
    if (lit && !(found && lit(tag))) return [0, 0, 0, 0.85];
    return [...rgb, found ? 1 : FAINT];
  };
}

/** Instances over a pale frame, each in its colour, with an outline. */
export function idColours(frames, ids, first, colourOf, W, H) {
  return (p) => {
    const id = ids[first + p];
    const grey = 0.3 * frames[3 * (first + p)] + 0.59 * frames[3 * (first + p) + 1] + 0.11 * frames[3 * (first + p) + 2];
    const pale = 150 + 0.4 * (grey - 128);
    if (!id) return [pale, pale, pale];
    const [x, y] = [p % W, Math.floor(p / W)];
    const edge = [[1, 0], [-1, 0], [0, 1], [0, -1]].some(([dx, dy]) => {
      const inside = x + dx >= 0 && x + dx < W && y + dy >= 0 && y + dy < H;
      return inside && ids[first + p + dx + dy * W] !== id;
    });
    const colour = instanceColour(colourOf(id));
    return edge ? colour.map((value) => 0.45 * value) : colour;
  };
}

/** Print the number of each instance on its pixel that is nearest to its middle. */
export function printNumbers(context, ids, first, colourOf, W, H) {
  const own = ids.subarray(first, first + W * H);
  const number = own.reduce((most, id) => Math.max(most, id), 0);
  context.font = "bold 30px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let id = 1; id <= number; id++) {
    const pixels = Array.from(own.keys()).filter((p) => own[p] === id);
    if (pixels.length < 12) continue;
    const p = deepest(pixels, W);
    const [left, top] = [p % W, Math.floor(p / W)].map((value) => (value + 0.5) * UNIT);
    context.lineWidth = 6;
    context.strokeStyle = "white";
    context.strokeText(colourOf(id), left, top);
    context.fillStyle = "black";
    context.fillText(colourOf(id), left, top);
  }
}

/** A pixel of those that is farthest from all others: the last to go as their rim is taken off. */
function deepest(pixels, W) {
  let inside = new Set(pixels);
  for (;;) {
    const rest = [...inside].filter((p) => [-1, 1, -W, W].every((step) => inside.has(p + step)));
    if (!rest.length) return [...inside][Math.floor(inside.size / 2)];
    inside = new Set(rest);
  }
}

/** Calls point(x, y) as a pixel of the picture is pointed at or moved to, ask() when it is chosen. */
export function watch(node, width, height, cursor, { point, ask, leave }) {
  const at = (event) => {
    const box = node.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * height);
    return [clamp(x, 0, width - 1), clamp(y, 0, height - 1)];
  };
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  node.addEventListener("pointermove", (event) => point(...at(event)));
  node.addEventListener("click", (event) => {
    point(...at(event));
    ask();
  });
  node.addEventListener("pointerleave", leave);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter") ask();
    if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [x, y] = cursor() ?? [width >> 1, height >> 1];
    const [dx, dy] = moves[event.key].map((step) => step * (event.shiftKey ? 8 : 1));
    point(clamp(x + dx, 0, width - 1), clamp(y + dy, 0, height - 1));
  });
}

/** A small square of colour before words. */
export function chip(rgb) {
  const node = document.createElement("i");
  node.className = "chip";
  node.style.background = css(rgb);
  return node;
}
