// What all views share. Put before each view's own script by tagvis_lite.views.view.script.

/** An element with properties, attributes under `attributes`, and children. */
function element(name, { attributes = {}, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Keys that a view leaves to the notebook and the browser: shortcuts, and those that lead out. */
const passes = (event) =>
  event.ctrlKey ||
  event.metaKey ||
  event.altKey ||
  /^(Escape|Tab|F\d+)$/.test(event.key) ||
  (event.shiftKey && event.key === "Enter");

/** The root of a view: a named group. Plain keys stay here: in a notebook they would cut cells. */
function group(el, model, ...children) {
  const root = element(
    "div",
    { className: "tagvis", attributes: { role: "group", "aria-label": model.get("alt") } },
    ...children,
  );
  root.addEventListener("keydown", (event) => passes(event) || event.stopPropagation());
  // JupyterLab listens before the view does, and asks for this attribute.
  const suppress = (event) =>
    root.contains(event.target) &&
    root.toggleAttribute("data-lm-suppress-shortcuts", !passes(event));
  window.addEventListener("keydown", suppress, true);
  el.append(root);
  return root;
}

/** Call `acts[key](event)` for keys on a node, which are then used up. */
function onKeys(node, acts) {
  node.addEventListener("keydown", (event) => {
    if (passes(event) || !acts[event.key]) return;
    event.preventDefault();
    acts[event.key](event);
  });
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
  const node = element("canvas", {
    tabIndex: 0,
    attributes: { role: "application", "aria-label": label },
  });
  fit(node, width, height);
  return [node, node.getContext("2d")];
}

/** Give a canvas another CSS size; what was drawn is lost. */
function fit(node, width, height) {
  const scale = Math.max(1, window.devicePixelRatio || 1);
  Object.assign(node, { width: Math.round(width * scale), height: Math.round(height * scale) });
  Object.assign(node.style, { width: `${width}px`, maxWidth: "100%" });
  node.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
}

/** Call `act` with the width that a node has, now and when it changes; returns a clean-up. */
function followWidth(node, act) {
  let before = null;
  const look = () => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== before) act((before = width));
  };
  const observer = new ResizeObserver(look);
  observer.observe(node);
  look();
  return () => observer.disconnect();
}

/** Text that shows on any colour: light, with a dark edge. */
function print(context, text, x, y) {
  Object.assign(context, { lineWidth: 3, strokeStyle: "#111", fillStyle: "white", lineJoin: "round" });
  Object.assign(context, { font: "bold 13px system-ui, sans-serif", textAlign: "center" });
  context.strokeText(text, x, y + 5);
  context.fillText(text, x, y + 5);
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

const PATIENCE = 2000; // ms without an answer of the kernel before the reader is told

/**
 * Ask the kernel: returns `ask(changes)`, which sets traits, and a clean-up. `problem` is a node that
 * says so when no answer comes; what else it says is in the trait `problem`, where there is one.
 */
function asker(model, problem) {
  let timer = null;
  const say = () => (problem.textContent = model.get("problem") ?? "");
  const answered = () => model.get("answered") === model.get("asked");
  const ask = (changes) => {
    put(model, { ...changes, asked: model.get("asked") + 1 });
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!answered())
        problem.textContent = "No answer: this needs a running kernel. Run the cell again.";
    }, PATIENCE);
  };
  const stop = follow(model, ["answered", "problem"], () => answered() && say());
  say();
  return [ask, () => (clearTimeout(timer), stop())];
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
