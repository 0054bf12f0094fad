// The tags of a whole clip: heaps on a line for one number, clouds in a plane for two.

import { clamp, ink, ticks } from "./view.js";
import { css, instanceColour, tagColour } from "./palette.js";
import { drawWays } from "./trail.js";

const WIDTH = 360;
const EDGE = { left: 38, right: 10, top: 14, bottom: 38 };
const BINS = 90;
const HEIGHT = { 1: 170, 2: 300 };

/** A canvas for `draw`, for tags of K numbers. */
export function plot(K) {
  const scale = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
  const node = document.createElement("canvas");
  Object.assign(node, { width: WIDTH * scale, height: HEIGHT[K] * scale, tabIndex: 0, className: "plot" });
  node.setAttribute("role", "application");
  node.getContext("2d").scale(scale, scale);
  return node;
}

const frameOf = (K) => ({ x: EDGE.left, y: EDGE.top, w: WIDTH - EDGE.left - EDGE.right, h: HEIGHT[K] - EDGE.top - EDGE.bottom });

/** The tag at a place of the canvas, in its CSS pixels. */
export function tagAt(node, event, limits) {
  const box = node.getBoundingClientRect();
  const K = limits.length;
  const { x, y, w, h } = frameOf(K);
  const across = ((event.clientX - box.left) * WIDTH) / box.width;
  const down = ((event.clientY - box.top) * HEIGHT[K]) / box.height;
  const shares = [(across - x) / w, 1 - (down - y) / h].slice(0, K);
  return shares.map((share, k) => limits[k][0] + clamp(share, 0, 1) * (limits[k][1] - limits[k][0]));
}

/**
 * Draw the tags of all pixels that belong to an instance, and the modes.
 *
 * `mark` is the tag of the pixel that is pointed at; `band` a tag, with `reach` on each side; `trail`
 * the points of a Trail, whose ways a plane shows.
 */
export function draw(node, result, limits, colourOf, { mark, band, reach, trail }) {
  const K = limits.length;
  const context = node.getContext("2d");
  const frame = frameOf(K);
  const place = (tag, k) => {
    const share = clamp((tag - limits[k][0]) / (limits[k][1] - limits[k][0]), 0, 1);
    return k ? frame.y + frame.h * (1 - share) : frame.x + frame.w * share;
  };
  const { text, faint } = ink(node);
  context.clearRect(0, 0, WIDTH, HEIGHT[K]);
  context.font = "12px system-ui, sans-serif";
  axes(context, frame, limits, place, text, faint);
  if (K === 1) drawHeaps(context, frame, result, limits, colourOf);
  else {
    drawClouds(context, result, place, colourOf);
    drawWays(context, trail, place);
  }
  drawBand(context, frame, place, band, reach, text);
  result.instances.modes.forEach((mode, k) => {
    const name = String(colourOf(k + 1));
    if (K === 1) dashed(context, place(mode[0], 0), frame, text, name);
    else label(context, place(mode[0], 0), place(mode[1], 1), name, text);
  });
  if (mark) drawMark(context, mark, frame, place);
}

function axes(context, frame, limits, place, text, faint) {
  context.strokeStyle = faint;
  context.fillStyle = text;
  context.lineWidth = 1;
  context.strokeRect(frame.x + 0.5, frame.y + 0.5, frame.w - 1, frame.h - 1);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const [value, name] of ticks(...limits[0])) context.fillText(name, place(value, 0), frame.y + frame.h + 17);
  context.fillText(limits.length === 1 ? "tag" : "first number", frame.x + frame.w / 2, frame.y + frame.h + 32);
  if (limits.length === 1) {
    for (let x = 0; x < frame.w; x++) {
      context.fillStyle = css(tagColour([limits[0][0] + (x / frame.w) * (limits[0][1] - limits[0][0])], limits));
      context.fillRect(frame.x + x, frame.y + frame.h, 1.5, 5);
    }
    context.fillStyle = text;
  } else {
    context.textAlign = "right";
    for (const [value, name] of ticks(...limits[1])) context.fillText(name, frame.x - 5, place(value, 1) + 4);
  }
  context.save();
  context.translate(12, frame.y + frame.h / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(limits.length === 1 ? "pixels" : "second number", 0, 0);
  context.restore();
}

function drawHeaps(context, frame, result, limits, colourOf) {
  const { ids, modes } = result.instances;
  const counts = modes.map(() => new Float64Array(BINS));
  const [low, high] = limits[0];
  ids.forEach((id, p) => {
    if (id) counts[id - 1][clamp(Math.floor(((result.tags[p] - low) / (high - low)) * BINS), 0, BINS - 1)]++;
  });
  const total = Float64Array.from({ length: BINS }, (_, b) => counts.reduce((sum, own) => sum + own[b], 0));
  const most = Math.max(1, ...total);
  const base = new Float64Array(BINS);
  counts.forEach((own, k) => {
    context.fillStyle = css(instanceColour(colourOf(k + 1)));
    own.forEach((count, b) => {
      const height = (frame.h - 4) * (count / most);
      const bottom = frame.y + frame.h - (frame.h - 4) * (base[b] / most);
      if (count) context.fillRect(frame.x + (frame.w * b) / BINS, bottom - height, frame.w / BINS + 0.4, height);
      base[b] += count;
    });
  });
}

function drawClouds(context, result, place, colourOf) {
  const { ids } = result.instances;
  ids.forEach((id, p) => {
    if (!id) return;
    context.fillStyle = css(instanceColour(colourOf(id)), 0.35);
    context.fillRect(place(result.tags[2 * p], 0) - 1, place(result.tags[2 * p + 1], 1) - 1, 2, 2);
  });
}

function dashed(context, x, frame, text, name) {
  context.strokeStyle = text;
  context.lineWidth = 1.5;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(x, frame.y);
  context.lineTo(x, frame.y + frame.h);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = text;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.fillText(name, x, frame.y - 3);
}

function label(context, x, y, name, text) {
  context.fillStyle = "white";
  context.strokeStyle = "black";
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.fillStyle = "black";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(name, x, y + 0.5);
  context.fillStyle = text;
}

function drawBand(context, frame, place, band, reach, text) {
  if (!band) return;
  context.fillStyle = css([128, 128, 128], 0.35);
  context.strokeStyle = text;
  context.lineWidth = 1;
  const [left, right] = [-1, 1].map((side) => place(band[0] + side * reach, 0));
  if (band.length === 1) {
    context.fillRect(left, frame.y, right - left, frame.h);
    return;
  }
  context.beginPath();
  const [top, bottom] = [1, -1].map((side) => place(band[1] + side * reach, 1));
  context.ellipse((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2, 0, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}

function drawMark(context, mark, frame, place) {
  const x = place(mark[0], 0);
  const y = mark.length === 1 ? frame.y + frame.h - 6 : place(mark[1], 1);
  for (const [style, line] of [["black", 5], ["white", 2]]) {
    context.strokeStyle = style;
    context.lineWidth = line;
    context.beginPath();
    context.moveTo(x - 7, y);
    context.lineTo(x + 7, y);
    context.moveTo(x, y - 7);
    context.lineTo(x, y + 7);
    context.stroke();
  }
}
