// The scene that a visitor moves: the frame as the network gets it, with handles over it.

import { position } from "./toy.js";
import { FRAMES, SIZE, toToy, turned } from "./scenes.js";
import { frameColours, show } from "./pictures.js";

const UNIT = 6; // canvas pixels a pixel of the clip
const HANDLE = 0.035; // radius of the arrow's handle, in sides
const STEP = 1 / SIZE;

/**
 * Make the stage on a canvas.
 *
 * `app` has the fields scene, frames, frame, selected and clip (a clip of the visitor's own has no
 * handles), and the functions edit(change of a scene), select(index) and point(pixel or null).
 */
export function stage(node, app) {
  Object.assign(node, { width: SIZE * UNIT, height: SIZE * UNIT });
  let held = null; // { kind: "object" or "arrow", from: [dx, dy] between pointer and centre }

  const placeOf = (k, t) => position(toToy(app.scene).instances[k].path, t);
  const arrowOf = (k) => {
    const { dx, dy } = app.scene.objects[k];
    const [x, y] = placeOf(k, app.frame);
    const far = Math.hypot(dx, dy);
    const least = app.scene.objects[k].size + 0.05; // so that a still object has a handle too
    const [ux, uy] = far > 0.01 ? [dx / far, dy / far] : [1, 0];
    return [x + ux * (least + far / 2), y + uy * (least + far / 2)];
  };

  function draw() {
    const first = app.frame * SIZE * SIZE;
    const context = show(node, SIZE, SIZE, frameColours(app.frames, first));
    node.dataset.drawn = "yes";
    if (app.clip) return;
    const side = SIZE * UNIT;
    app.scene.objects.forEach((object, k) => {
      const [x, y] = placeOf(k, app.frame).map((value) => value * side);
      const chosen = k === app.selected;
      ring(context, x, y, object.size * side * 1.25, chosen);
      if (chosen) arrow(context, object.dx || object.dy ? [x, y] : null, arrowOf(k).map((value) => value * side), HANDLE * side);
    });
  }

  const at = (event) => {
    const box = node.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const near = ([x, y], [a, b], reach) => Math.hypot(x - a, y - b) <= reach;

  node.addEventListener("pointerdown", (event) => {
    if (app.clip) return;
    const pointer = at(event);
    const { objects } = app.scene;
    if (objects[app.selected] && near(pointer, arrowOf(app.selected), 1.6 * HANDLE)) held = { kind: "arrow" };
    else {
      const hit = objects.map((_, k) => k).filter((k) => near(pointer, placeOf(k, app.frame), objects[k].size * 1.15));
      if (!hit.length) return;
      const k = hit.includes(app.selected) ? app.selected : hit.at(-1);
      app.select(k);
      const centre = placeOf(k, app.frame);
      held = { kind: "object", from: [centre[0] - pointer[0], centre[1] - pointer[1]] };
    }
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    if (!held) return hover(event);
    const pointer = at(event);
    if (held.kind === "object") moveTo(pointer[0] + held.from[0], pointer[1] + held.from[1], event.timeStamp);
    else pull(pointer, event.timeStamp);
  });
  node.addEventListener("pointerleave", () => app.point(null));
  const release = () => (held = null);
  node.addEventListener("pointerup", release);
  node.addEventListener("pointercancel", release);

  function hover(event) {
    const [x, y] = at(event).map((value) => Math.max(0, Math.min(SIZE - 1, Math.floor(value * SIZE))));
    app.point({ x, y });
    if (app.clip) return;
    const over = app.scene.objects.some((object, k) => near(at(event), placeOf(k, app.frame), object.size * 1.15));
    node.style.cursor = over ? "grab" : "default";
  }

  /** Put the chosen object's centre at a place of the frame at hand. */
  function moveTo(x, y, since) {
    const now = placeOf(app.selected, app.frame);
    app.edit((scene) => {
      const object = scene.objects[app.selected];
      const seen = turned([object.x, object.y], scene.turn);
      const middle = [seen[0] + x - now[0], seen[1] + y - now[1]].map((value) => Math.max(0.02, Math.min(0.98, value)));
      [object.x, object.y] = turned(middle, -scene.turn);
    }, since);
  }

  /** Give the chosen object the way that its arrow shows. */
  function pull(pointer, since) {
    const [x, y] = placeOf(app.selected, app.frame);
    const [a, b] = [pointer[0] - x, pointer[1] - y];
    const far = Math.max(0, Math.hypot(a, b) - app.scene.objects[app.selected].size - 0.05);
    const unit = 2 * (far < 0.015 ? 0 : far) / (Math.hypot(a, b) || 1);
    app.edit((scene) => Object.assign(scene.objects[app.selected], { dx: a * unit, dy: b * unit }), since);
  }

  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  node.addEventListener("keydown", (event) => {
    if (app.clip || event.ctrlKey || event.metaKey || event.altKey) return;
    const number = app.scene.objects.length;
    const other = { PageDown: 1, PageUp: number - 1 }[event.key];
    const grow = { "+": 0.01, "-": -0.01 }[event.key];
    if (moves[event.key] && number) {
      const step = STEP * (event.shiftKey ? 8 : 1);
      const [x, y] = placeOf(app.selected, app.frame);
      moveTo(x + moves[event.key][0] * step, y + moves[event.key][1] * step, event.timeStamp);
    } else if (other && number) app.select((app.selected + other) % number);
    else if (grow && number) app.edit((scene) => (scene.objects[app.selected].size += grow), event.timeStamp);
    else return;
    event.preventDefault();
  });
  return draw;
}

function ring(context, x, y, radius, chosen) {
  context.setLineDash(chosen ? [] : [3, 5]);
  for (const [style, line] of [["rgb(0 0 0 / 0.7)", chosen ? 4 : 3], ["white", chosen ? 2 : 1]]) {
    context.strokeStyle = style;
    context.lineWidth = line;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
}

/** The knob at `to`, and the line to it `from` the centre; null for an object that stands still. */
function arrow(context, from, to, radius) {
  for (const [style, line] of [["black", 5], ["white", 2.5]]) {
    context.strokeStyle = style;
    context.fillStyle = "white";
    context.lineWidth = line;
    context.beginPath();
    if (from) context.moveTo(...from);
    if (from) context.lineTo(...to);
    context.stroke();
    context.beginPath();
    context.arc(...to, radius * 0.6, 0, 2 * Math.PI);
    context.stroke();
    context.fill();
  }
}

/** Words for the arrow of an object, in pixels over the clip. */
export function wayInWords({ dx, dy, stay }) {
  const [x, y] = [Math.round(dx * SIZE), Math.round(dy * SIZE)];
  const parts = [x && `${Math.abs(x)} px ${x > 0 ? "right" : "left"}`, y && `${Math.abs(y)} px ${y > 0 ? "down" : "up"}`];
  const way = parts.filter(Boolean).join(", ") || "stands still";
  const trip = { stays: "", leaves: ", leaves and returns", visits: ", comes and goes" }[stay];
  return `${way}${trip} (${FRAMES} frames)`;
}
