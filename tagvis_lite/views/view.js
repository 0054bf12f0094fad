// What all views share. Put before each view's own script by tagvis_lite.views.view.script.

/** An element with properties, attributes under `attributes`, and children. */
function element(name, { attributes = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** The root of a view: a named group whose keys stay here and do not reach the notebook. */
function group(el, model, ...children) {
  const root = element(
    "div",
    {
      className: "tagvis",
      attributes: { role: "group", "aria-label": model.get("alt"), "data-lm-suppress-shortcuts": "true" },
    },
    ...children,
  );
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  return root;
}

/** A labelled control: the label, the control, and a read-out that `say` fills. */
function labelled(label, control, say = null) {
  const readout = element("output");
  const show = () => (readout.textContent = say ? say(control.value) : "");
  control.addEventListener("input", show);
  show();
  const node = element("label", {}, element("span", { textContent: label }), control, readout);
  node.show = show;
  return node;
}

function slider(min, max, step, value) {
  const control = element("input", { type: "range" });
  Object.assign(control, { min, max, step, value });
  return control;
}

/** Reads what screen readers are told about a change; empty at the start. */
function announcer() {
  return element("div", { className: "tagvis-said", attributes: { "aria-live": "polite" } });
}

/** A canvas of CSS size width x height, sharp on any screen, that can be reached by keyboard. */
function canvas(width, height, label) {
  const scale = Math.max(1, window.devicePixelRatio || 1);
  const node = element("canvas", {
    width: Math.round(width * scale),
    height: Math.round(height * scale),
    tabIndex: 0,
    attributes: { role: "img", "aria-label": label },
  });
  node.style.width = `${width}px`;
  node.style.maxWidth = "100%";
  const context = node.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return [node, context];
}

/** Where a mouse event is on a canvas, in the units its context draws with. */
function place(event, node, width) {
  const box = node.getBoundingClientRect();
  const unit = width / box.width;
  return [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
}

/** Text and line colours of the notebook's theme, light or dark, as they are now. */
function ink(node) {
  const style = getComputedStyle(node);
  return { text: style.color, faint: style.getPropertyValue("--tagvis-faint").trim() || "#999" };
}

/** Bytes of a trait as a typed array; copied where its start is not aligned. */
function typed(view, Type) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return new Type(bytes.slice().buffer);
}

/** Set traits here and, where a kernel runs, there. */
function put(model, changes) {
  for (const [name, value] of Object.entries(changes)) model.set(name, value);
  model.save_changes();
}

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

/** Call `draw` when a trait changes; returns the clean-up that anywidget calls. */
function follow(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  return () => names.forEach((name) => model.off(`change:${name}`, draw));
}

/** Call `draw` when a theme turns light or dark, the system's or the notebook's; returns a clean-up. */
function followTheme(draw) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const notebook = new MutationObserver(() => draw());
  system.addEventListener("change", draw);
  notebook.observe(document.body, { attributes: true });
  return () => {
    system.removeEventListener("change", draw);
    notebook.disconnect();
  };
}

/** Run `start` once trait `name`, one of View.heavy, is here; ask the kernel for it if it is not. */
function whenThere(model, name, start) {
  const there = () => (model.get(name)?.byteLength ?? model.get(name)?.length ?? 0) > 0;
  if (there()) return start();
  let stop = null;
  const begin = () => {
    model.off(`change:${name}`, begin);
    stop = start();
  };
  model.on(`change:${name}`, begin);
  model.send({ wanted: "heavy" });
  return async () => {
    model.off(`change:${name}`, begin);
    (await stop)?.();
  };
}

/** Round numbers between low and high, about `count` of them, to stand at an axis. */
function ticks(low, high, count = 6) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((size) => size >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
  return found.map((value) => [value, value.toFixed(Math.max(0, -Math.floor(Math.log10(step))))]);
}

/** Bytes of a trait that were deflated by zlib, as a typed array. */
async function inflated(view, Type) {
  const stream = new Blob([view]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Type(await new Response(stream).arrayBuffer());
}
