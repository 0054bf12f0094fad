// The form beside the stage: which objects there are, and what they are like.

import { element, labelled, slider } from "./view.js";
import { hsvToRgb, SHAPES, TEXTURES } from "./toy.js";
import { MOST_OBJECTS, SIZE } from "./scenes.js";
import { wayInWords } from "./stage.js";
import { findMeeting } from "./meeting.js";

const STAYS = { stays: "stays in the frame", leaves: "leaves and returns", visits: "comes and goes" };

/** Build the form in `root`; returns the function that brings it up to date. */
export function controls(root, app) {
  const chosen = () => app.scene.objects[app.selected];
  const change = (edit) => (event) => app.edit((scene) => edit(scene.objects[app.selected], Number(event.target.value), event.target.value), event.timeStamp);

  const tabs = element("div", { className: "tabs", attributes: { role: "group", "aria-label": "objects of the scene" } });
  const add = button("Add an object", () => app.edit(addObject));
  const twin = button("Add a twin", () => app.edit(addTwin));
  const remove = button("Remove", () => app.edit((scene) => scene.objects.splice(app.selected, 1)));

  const fields = {
    size: range("size", 0.06, 0.24, 0.01, (o, value) => (o.size = value), (value) => `${Math.round(2 * value * SIZE)} px`),
    hue: range("colour", 0, 0.99, 0.01, (o, value) => (o.hue = value), () => ""),
    dx: range("way right", -0.6, 0.6, 0.02, (o, value) => (o.dx = value), (value) => `${Math.round(value * SIZE)} px`),
    dy: range("way down", -0.6, 0.6, 0.02, (o, value) => (o.dy = value), (value) => `${Math.round(value * SIZE)} px`),
    shape: choice("shape", SHAPES.slice(1).map((name, k) => [k + 1, name]), (o, value) => (o.shape = value)),
    texture: choice("texture", TEXTURES.map((name, k) => [k, name]), (o, value) => (o.texture = value)),
    stay: choice("during the clip", Object.entries(STAYS), (o, _, word) => (o.stay = word)),
  };

  function range(label, low, high, step, edit, say) {
    const control = slider(low, high, step, low);
    control.addEventListener("input", change(edit));
    return { control, row: labelled(label, control, say) };
  }
  function choice(label, options, edit) {
    const control = element("select", {}, ...options.map(([value, textContent]) => element("option", { value, textContent })));
    control.addEventListener("change", change(edit));
    return { control, row: element("label", {}, element("span", { textContent: label }), control) };
  }

  const turn = slider(0, 180, 0.5, 0);
  const turnRow = labelled("turn all about the middle", turn, () => `${app.scene.turn.toFixed(1)}°`);
  turn.addEventListener("input", (event) => app.edit((scene) => (scene.turn = Number(turn.value)), event.timeStamp));
  const meet = button("Find where they meet", () => findMeeting(app));
  const bar = element("input", { type: "checkbox" });
  bar.addEventListener("change", (event) => app.edit((scene) => (scene.bar = bar.checked ? { x: 0.5, width: 0.3 } : null), event.timeStamp));
  const ground = button("New background", () => app.edit((scene) => (scene.seed = (scene.seed + 1) % 1000)));

  const way = element("p", { className: "small" });
  const own = element("div", { className: "fields" }, ...Object.values(fields).map(({ row }) => row));
  root.replaceChildren(
    element("div", { className: "row" }, turnRow, meet),
    element("div", { className: "row" }, tabs),
    element("div", { className: "row" }, add, twin, remove),
    own,
    way,
    element("div", { className: "row" }, element("label", {}, bar, element("span", { textContent: "a bar in front" })), ground),
  );

  return function update() {
    root.hidden = Boolean(app.clip);
    const { objects } = app.scene;
    if (tabs.children.length !== objects.length)
      tabs.replaceChildren(...objects.map((_, k) => button("", () => app.select(k))));
    objects.forEach(({ shape, hue }, k) => {
      const tab = tabs.children[k];
      tab.textContent = `${k + 1} ${SHAPES[shape]}`;
      tab.setAttribute("aria-pressed", k === app.selected);
      tab.style.borderBottomColor = `rgb(${hsvToRgb(hue, 0.8, 0.8).map((value) => 255 * value).join(" ")})`;
    });
    add.disabled = twin.disabled = objects.length >= MOST_OBJECTS;
    twin.disabled ||= !objects.length;
    remove.disabled = !objects.length;
    own.hidden = way.hidden = !objects.length;
    if (objects.length) {
      for (const [name, { control, row }] of Object.entries(fields)) {
        control.value = chosen()[name];
        row.show?.();
      }
      way.textContent = `Object ${app.selected + 1}: ${wayInWords(chosen())}.`;
    }
    meet.hidden = !alike(objects) || !app.shown.includes("one");
    turn.value = app.scene.turn;
    turnRow.show();
    bar.checked = Boolean(app.scene.bar);
  };
}

/** Whether there are two objects that only their places tell apart. */
function alike(objects) {
  const looks = objects.map(({ x, y, ...look }) => JSON.stringify(look));
  return looks.length === 2 && looks[0] === looks[1];
}

function button(textContent, act) {
  const node = element("button", { type: "button", textContent });
  node.addEventListener("click", act);
  return node;
}

/** Put one more object where most room is; the newest is the chosen one. */
function addObject(scene) {
  const k = scene.objects.length;
  scene.objects.push({ shape: 1 + (k % 4), hue: (0.08 + 0.27 * k) % 1, texture: k % 4, size: 0.13, ...freePlace(scene) });
}

function addTwin(scene, { selected }) {
  scene.objects.push({ ...scene.objects[selected], ...freePlace(scene) });
}

function freePlace({ objects }) {
  let best = { x: 0.5, y: 0.5, room: -1 };
  for (const x of [0.2, 0.35, 0.5, 0.65, 0.8])
    for (const y of [0.2, 0.35, 0.5, 0.65, 0.8]) {
      const room = Math.min(1, ...objects.map((one) => Math.hypot(one.x - x, one.y - y) - one.size));
      if (room > best.room) best = { x, y, room };
    }
  return { x: best.x, y: best.y };
}
