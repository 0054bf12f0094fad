const ASKING = 240; // pixels: width of the asking frame and of all tiles together
const TILES = 480;
const GAP = 8;
const INK = [255, 176, 0];

async function start({ model, el }) {
  const [rows, columns] = model.get("grid");
  const cells = rows * columns;
  const answering = model.get("answering");
  const levels = await inflated(model.get("levels"), Uint8Array);
  const peaks = typed(model.get("peaks"), Float32Array);
  const shares = typed(model.get("shares"), Float32Array);
  const images = await Promise.all(
    model.get("pictures").map((file) => createImageBitmap(new Blob([file], { type: "image/jpeg" }))),
  );
  const dark = images.map(darkened);
  const ratio = images[0].height / images[0].width;
  const across = Math.min(answering, Math.ceil(Math.sqrt(2 * answering)));
  const side = answering === 1 ? ASKING : Math.floor((TILES - (across - 1) * GAP) / across);

  const asks = canvas(ASKING, Math.round(ASKING * ratio), "position that asks; arrow keys move it");
  Object.assign(asks[0].style, { cursor: "crosshair", touchAction: "none" });
  const control = slider(0, images.length - 1, 1, model.get("frame"));
  const row = labelled("asking frame", control, (frame) => `${frame}`);
  const over = element(
    "select",
    {},
    element("option", { value: "frame", textContent: "each frame" }),
    element("option", { value: "clip", textContent: "the whole clip" }),
  );
  const reading = labelled("softmax over", over);
  reading.hidden = shares.length === 0;
  const scale = element("div", { className: "tagvis-scale" });
  const tiles = Array.from({ length: answering }, () => tile(side, Math.round(side * ratio)));
  const said = announcer();
  said.style.width = `${ASKING}px`;

  const within = (value, count) => clamp(value, 0, count - 1);

  function draw() {
    const [s, i, j] = ["frame", "row", "column"].map((name) => model.get(name));
    const first = (s * cells + i * columns + j) * answering; // of this position's maps
    const clip = model.get("over") === "clip" && shares.length > 0;
    const sums = tiles.map((_, t) => (clip ? shares[first + t] : 1));
    const most = tiles.map((_, t) => peaks[first + t] * sums[t]);
    const largest = Math.max(...most);
    const best = most.indexOf(largest);
    drawAsking(asks[1], images[s], i, j);
    tiles.forEach((one, t) => {
      const map = levels.subarray((first + t) * cells, (first + t + 1) * cells);
      const frame = answering === 1 ? s : t;
      drawMap(one.context, dark[frame], map, largest ? most[t] / largest : 0);
      one.name.textContent = frame === s ? `t = ${frame}, asks` : `t = ${frame}`;
      one.most.textContent = `max ${most[t].toFixed(3)}`;
      one.sum.textContent = `sum ${sums[t].toFixed(3)}`;
      one.bar.firstChild.style.width = `${100 * sums[t]}%`;
    });
    scale.replaceChildren("weight 0 ", element("i"), ` ${largest.toFixed(3)}`);
    const at = levels.subarray((first + best) * cells, (first + best + 1) * cells).indexOf(255);
    said.textContent =
      `Frame ${s}, row ${i}, column ${j} looks most at frame ${answering === 1 ? s : best}, ` +
      `row ${Math.floor(at / columns)}, column ${at % columns}: weight ${largest.toFixed(3)}`;
    control.value = s;
    over.value = model.get("over");
    row.show();
  }

  function drawAsking(context, image, i, j) {
    const [width, height] = [ASKING, Math.round(ASKING * ratio)];
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, width, height);
    context.lineWidth = 1;
    context.strokeStyle = "rgba(255, 255, 255, 0.18)";
    context.beginPath();
    for (let k = 1; k < columns; k++) {
      context.moveTo((k * width) / columns, 0);
      context.lineTo((k * width) / columns, height);
    }
    for (let k = 1; k < rows; k++) {
      context.moveTo(0, (k * height) / rows);
      context.lineTo(width, (k * height) / rows);
    }
    context.stroke();
    outline(context, i, j, width, height, 3);
  }

  function drawMap(context, image, map, brightest) {
    const [width, height] = [side, Math.round(side * ratio)];
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, width, height);
    for (let cell = 0; cell < cells; cell++) {
      context.fillStyle = `rgba(${INK.join()}, ${(map[cell] / 255) * brightest})`;
      const [y, x] = [Math.floor(cell / columns), cell % columns];
      context.fillRect((x * width) / columns, (y * height) / rows, width / columns, height / rows);
    }
    const at = map.indexOf(255);
    outline(context, Math.floor(at / columns), at % columns, width, height, 1.5);
  }

  /** A cell in white between black lines, which shows on any picture. */
  function outline(context, i, j, width, height, line) {
    const [x, y, w, h] = [(j * width) / columns, (i * height) / rows, width / columns, height / rows];
    line = Math.min(line, w / 8, h / 8);
    for (const [colour, wide] of [["black", 2 * line], ["white", line]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.strokeRect(x + line, y + line, w - 2 * line, h - 2 * line);
    }
  }

  const by = (down, right) => () =>
    put(model, {
      row: within(model.get("row") + down, rows),
      column: within(model.get("column") + right, columns),
    });
  const turn = (frames) => () =>
    put(model, { frame: within(model.get("frame") + frames, images.length) });
  onKeys(asks[0], {
    ArrowLeft: by(0, -1),
    ArrowRight: by(0, 1),
    ArrowUp: by(-1, 0),
    ArrowDown: by(1, 0),
    PageUp: turn(-1),
    PageDown: turn(1),
  });
  function pick(event) {
    const [x, y] = place(event, asks[0], ASKING);
    put(model, {
      row: within(Math.floor((y / (ASKING * ratio)) * rows), rows),
      column: within(Math.floor((x / ASKING) * columns), columns),
    });
  }
  asks[0].addEventListener("pointerdown", (event) => {
    asks[0].setPointerCapture(event.pointerId);
    pick(event);
  });
  asks[0].addEventListener("pointermove", (event) => event.buttons && pick(event));
  control.addEventListener("input", () => put(model, { frame: Number(control.value) }));
  over.addEventListener("change", () => put(model, { over: over.value }));

  const strip = element("div", { className: "tagvis-tiles" }, ...tiles.map((one) => one.node));
  strip.style.gridTemplateColumns = `repeat(${across}, minmax(0, ${side}px))`;
  group(
    el,
    model,
    element("div", { className: "tagvis-row" }, row, reading),
    element("div", { className: "tagvis-beside" }, element("div", {}, asks[0], scale, said), strip),
  );
  draw();
  return follow(model, ["frame", "row", "column", "over"], draw);
}

/** The map of one answering frame, with its largest weight and the sum of all. */
function tile(width, height) {
  const [node, context] = canvas(width, height, "");
  node.removeAttribute("tabindex");
  node.removeAttribute("role");
  node.setAttribute("aria-hidden", "true"); // its caption says it
  const [name, most, sum] = ["b", "span", "span"].map((tag) => element(tag));
  const bar = element("div", { className: "tagvis-bar" }, element("i"));
  const words = element("figcaption", {}, name, most, sum, bar);
  return { node: element("figure", {}, node, words), context, name, most, sum, bar };
}

/** A picture in dark grey, so that what is drawn over it stands out. */
function darkened(image) {
  const copy = element("canvas", { width: image.width, height: image.height });
  const context = copy.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height);
  const { data } = pixels;
  for (let k = 0; k < data.length; k += 4) {
    const grey = 0.5 * (0.299 * data[k] + 0.587 * data[k + 1] + 0.114 * data[k + 2]);
    data[k] = data[k + 1] = data[k + 2] = grey;
  }
  context.putImageData(pixels, 0, 0);
  return copy;
}
export default { render: (view) => whenThere(view.model, "levels", () => start(view)) };
