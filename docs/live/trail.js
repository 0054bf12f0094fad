// What turning a scene did to its tags: one point an object for every turn that was looked at.

import { ink, ticks } from "./view.js";
import { css, instanceColour } from "./palette.js";

const WIDTH = 360;
const HEIGHT = 170;
const EDGE = { left: 38, right: 18, top: 8, bottom: 38 };

/** Mean tag (K numbers) of each true object over the clip, index 0 the first. */
export function meanTags(tags, truth) {
  const K = tags.length / truth.length;
  const number = truth.reduce((most, id) => Math.max(most, id), 0);
  const sums = Array.from({ length: number }, () => new Array(K + 1).fill(0));
  truth.forEach((id, p) => {
    if (!id) return;
    for (let k = 0; k < K; k++) sums[id - 1][k] += tags[p * K + k];
    sums[id - 1][K]++;
  });
  return sums.map((sum) => sum.slice(0, K).map((value) => value / sum[K]));
}

export class Trail {
  points = []; // { turn, means, jf }, by turn
  #of = ""; // the scene but for its turn

  add(scene, means, jf) {
    const of = JSON.stringify({ ...scene, turn: 0 });
    if (of !== this.#of) [this.points, this.#of] = [[], of];
    this.points = this.points.filter(({ turn }) => turn !== scene.turn);
    this.points.push({ turn: scene.turn, means, jf });
    this.points.sort((a, b) => a.turn - b.turn);
  }

  /** Whether turns have been tried, so that there is something to see. */
  get shown() {
    return this.points.length > 1;
  }
}

export function trailCanvas() {
  const scale = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
  const node = document.createElement("canvas");
  Object.assign(node, { width: WIDTH * scale, height: HEIGHT * scale, className: "plot" });
  node.setAttribute("role", "img");
  node.getContext("2d").scale(scale, scale);
  return node;
}

/** One number: the tag of each object against the turn; `now` is the turn of the scene. */
export function drawTrail(node, points, [low, high], now) {
  const context = node.getContext("2d");
  const { text, faint } = ink(node);
  const x = (turn) => EDGE.left + ((WIDTH - EDGE.left - EDGE.right) * turn) / 180;
  const y = (tag) => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (1 - (tag - low) / (high - low));
  context.clearRect(0, 0, WIDTH, HEIGHT);
  context.font = "12px system-ui, sans-serif";
  context.strokeStyle = faint;
  context.fillStyle = text;
  context.lineWidth = 1;
  context.strokeRect(EDGE.left + 0.5, EDGE.top + 0.5, x(180) - EDGE.left, y(low) - EDGE.top);
  context.beginPath();
  context.moveTo(x(now), EDGE.top);
  context.lineTo(x(now), y(low));
  context.stroke();
  context.textAlign = "center";
  for (const turn of [0, 45, 90, 135, 180]) context.fillText(`${turn}°`, x(turn), y(low) + 17);
  context.fillText("turn", x(90), y(low) + 32);
  context.textAlign = "right";
  for (const [tag, name] of ticks(low, high, 4)) context.fillText(name, EDGE.left - 5, y(tag) + 4);
  points[0].means.forEach((_, k) => {
    const places = points.map(({ turn, means }) => [x(turn), y(means[k]?.[0] ?? NaN)]);
    line(context, places, css(instanceColour(k + 1)));
  });
  const words = points.map(({ turn, means }) => `${Math.round(turn)}°: ${means.map(([tag]) => tag.toFixed(1)).join(" and ")}`);
  node.setAttribute("aria-label", `tag of each object against the turn; ${words.join("; ")}`);
}

/** Two numbers: the way of each object through the plane, drawn over its clouds. */
export function drawWays(context, points, place) {
  if (points.length < 2) return;
  points[0].means.forEach((_, k) => {
    const places = points.map(({ means }) => [place(means[k]?.[0] ?? NaN, 0), place(means[k]?.[1] ?? NaN, 1)]);
    line(context, places, css(instanceColour(k + 1)));
    context.strokeStyle = css(instanceColour(k + 1));
    context.beginPath();
    context.arc(...places[0], 9, 0, 2 * Math.PI);
    context.stroke();
    context.fillStyle = ink(context.canvas).text;
    context.fillText(`${Math.round(points[0].turn)}°`, places[0][0] + 20, places[0][1] - 8);
  });
}

function line(context, places, style) {
  for (const [colour, width] of [["black", 3], [style, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    for (const place of places) context.lineTo(...place);
    context.stroke();
  }
  context.fillStyle = style;
  for (const [x, y] of places) context.fillRect(x - 2, y - 2, 4, 4);
}
