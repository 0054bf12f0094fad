// Where the three attention modules look from a pixel: one strip of frames for each.

import { element } from "./view.js";

const MODULES = [
  ["spatio_temporal_attention", "Spatio-temporal", "before there are tags: every frame asks every frame"],
  ["tag_attention", "Tag-based", "of what the tags say: every frame asks every frame"],
  ["self_attention", "Self-attention", "each frame asks itself"],
];
const UNIT = 2;
const INK = [255, 176, 0];

/**
 * Fill `root` with the maps of one answer of the worker.
 *
 * `asked` is { frame, x, y } of the pixel; `frames` uint8 T x size x size x 3.
 */
export function showAttention(root, result, asked, frames, size) {
  const T = result.size[0];
  const rows = MODULES.filter(([name]) => result.maps[name]).map(([name, title, words]) => {
    const map = result.maps[name];
    const cells = Math.sqrt(map.length / (name === "self_attention" ? T : T * T));
    const side = Math.sqrt(cells);
    const cell = Math.floor((asked.y * side) / size) * side + Math.floor((asked.x * side) / size);
    const own = name === "self_attention";
    const weights = (t) => {
      const first = own ? (asked.frame * cells + cell) * cells : ((asked.frame * cells + cell) * T + t) * cells;
      return own && t !== asked.frame ? null : map.subarray(first, first + cells);
    };
    const all = Array.from({ length: T }, (_, t) => weights(t));
    const most = Math.max(...all.filter(Boolean).map((one) => Math.max(...one)));
    const tiles = all.map((one, t) => tile(one, most, side, frames.subarray(3 * t * size * size), size, t === asked.frame ? cell : -1, t));
    const even = 1 / cells;
    const said = `${words}; the strongest weight is ${most.toFixed(2)}, ${(most / even).toFixed(0)} times an even share`;
    return element("div", {}, element("h4", { textContent: title }), element("p", { className: "small", textContent: said }), element("div", { className: "strip" }, ...tiles));
  });
  root.replaceChildren(...rows);
}

function tile(weights, most, side, frame, size, cell, t) {
  const node = element("canvas", { width: size * UNIT, height: size * UNIT, className: "tile" });
  const context = node.getContext("2d");
  const image = new ImageData(size, size);
  for (let p = 0; p < size * size; p++) {
    const grey = 0.55 * (0.3 * frame[3 * p] + 0.59 * frame[3 * p + 1] + 0.11 * frame[3 * p + 2]);
    image.data.set([grey, grey, grey, weights ? 255 : 70], 4 * p);
  }
  const small = new OffscreenCanvas(size, size);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, node.width, node.height);
  const width = node.width / side;
  weights?.forEach((weight, k) => {
    context.fillStyle = `rgb(${INK.join(" ")} / ${0.95 * (weight / most)})`;
    context.fillRect((k % side) * width, Math.floor(k / side) * width, width, width);
  });
  if (cell >= 0) {
    context.strokeStyle = "white";
    context.lineWidth = 2;
    context.strokeRect((cell % side) * width + 1, Math.floor(cell / side) * width + 1, width - 2, width - 2);
  }
  node.setAttribute("role", "img");
  const at = weights ? `up to ${Math.max(...weights).toFixed(2)}` : "not asked";
  node.setAttribute("aria-label", `frame ${t + 1}: ${at}`);
  return node;
}
