const LEFT = 44;
const RIGHT = 8;
const BOTTOM = 36;
const BINS = 60;
const MOST_DOTS = 5000;
const FAINT = 70; // of 255: opacity of tags outside all instances

function start({ model, el }) {
  const [T, H, W, h, w] = model.get("size");
  const [low, high, low2, high2] = model.get("limits");
  const plane = low2 !== undefined; // a tag is a point in a plane, not a number
  const frames = typed(model.get("frames"), Uint8Array);
  const tags = typed(model.get("tags"), Float32Array);
  const across = typed(model.get("across"), Float32Array);
  const colours = typed(model.get("colours"), Uint8Array);
  const shades = typed(model.get("shades"), Uint8Array);
  const largest = Math.round(Math.min(300, (350 * H) / W) * (W / H));
  let wide = largest; // of the pictures; all four panels follow the width that there is
  let tall = Math.round((wide * H) / W);
  let WIDTH = Math.max(280, wide);
  let LOW = 160;
  let ids, dots, most;
  let cursor = null; // [row, column] of a pixel of the tag map
  let band = null; // the tag [along, across] in the middle of a band as wide as the bandwidth

  const colour = (id) => `rgb(${colours.slice(3 * id, 3 * id + 3).join(" ")})`;
  const share = (tag) => (tag - low) / (high - low);
  const share2 = (number) => (number - low2) / (high2 - low2);
  const step16 = (part) => Math.round(15 * clamp(part, 0, 1));
  const shade = (k) =>
    plane
      ? 3 * (16 * step16(share2(across[k])) + step16(share(tags[k])))
      : 3 * Math.round(255 * clamp(share(tags[k]), 0, 1));
  const off = (k) => Math.hypot(tags[k] - band[0], plane ? across[k] - band[1] : 0);
  const inBand = (k) => off(k) <= model.get("bandwidth") / 2;
  const keys = "arrow keys move a pixel";
  const [frameNode, frameInk] = canvas(wide, tall, `frame with instances; ${keys}`);
  const [mapNode, mapInk] = canvas(wide, tall, `tag map of the frame; ${keys}`);
  const heaps = plane
    ? "tags of the frame in a plane, by instance; arrow keys move a disc of tags"
    : "histogram of the tags of the frame, by instance; arrow keys move a band of tags";
  const [heapNode, heapInk] = canvas(WIDTH, LOW, heaps);
  const tracks = "tags against frames, by instance; arrow keys change the frame";
  const [trackNode, trackInk] = canvas(WIDTH, LOW, tracks);
  const readout = announcer();
  const legend = element("div", { className: "tagvis-row" });
  const problem = element("div", { attributes: { role: "alert" } });

  /** A picture of width x height pixels, white until `paint` is given its bytes. */
  function raster(width, height, paint) {
    const node = element("canvas", { width, height });
    const image = new ImageData(width, height);
    paint(image.data.fill(255));
    node.getContext("2d").putImageData(image, 0, 0);
    return node;
  }
  function enlarge(context, picture) {
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, wide, tall);
  }
  function picture(t) {
    return raster(W, H, (out) => {
      const own = new Uint8Array(H * W);
      for (let y = 0; y < H; y++) {
        const row = (t * h + Math.floor((y * h) / H)) * w;
        for (let x = 0; x < W; x++) own[y * W + x] = ids[row + Math.floor((x * w) / W)];
      }
      for (let k = 0; k < H * W; k++) {
        const id = own[k];
        const edge =
          (k % W > 0 && own[k - 1] !== id) ||
          (k % W < W - 1 && own[k + 1] !== id) ||
          (k >= W && own[k - W] !== id) ||
          (k < (H - 1) * W && own[k + W] !== id);
        const mix = id ? (edge ? 1 : 0.5) : 0;
        const first = 3 * (t * H * W + k);
        for (let c = 0; c < 3; c++)
          out[4 * k + c] = frames[first + c] * (1 - mix) + colours[3 * id + c] * mix;
      }
    });
  }
  function tagMap(t) {
    return raster(w, h, (out) => {
      for (let k = 0; k < h * w; k++) {
        const first = shade(t * h * w + k);
        for (let c = 0; c < 3; c++) out[4 * k + c] = shades[first + c];
        if (!ids[t * h * w + k]) out[4 * k + 3] = FAINT;
      }
    });
  }
  /** Darkens all but the pixels of instances whose tags are in the band. */
  function shadow(t) {
    return raster(w, h, (out) => {
      for (let k = 0; k < h * w; k++) {
        const lit = ids[t * h * w + k] && inBand(t * h * w + k);
        out.set([0, 0, 0, lit ? 0 : 190], 4 * k);
      }
    });
  }
  function cross(context) {
    const [x, y] = [((cursor[1] + 0.5) * wide) / w, ((cursor[0] + 0.5) * tall) / h];
    for (const [style, width] of [["black", 4], ["white", 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x - 9, y);
      context.lineTo(x + 9, y);
      context.moveTo(x, y - 9);
      context.lineTo(x, y + 9);
      context.stroke();
    }
  }
  const kept = new Map(); // pictures of a frame, until there are new instances
  function drawPictures(t) {
    if (!kept.has(t)) kept.set(t, [picture(t), tagMap(t), middles(ids.subarray(t * h * w), h, w)]);
    const lit = band === null ? null : shadow(t);
    [frameInk, mapInk].forEach((context, k) => {
      context.clearRect(0, 0, wide, tall);
      enlarge(context, kept.get(t)[k]);
      if (lit) enlarge(context, lit);
      for (const [id, [row, column]] of kept.get(t)[2])
        print(context, nameOf(id), ((column + 0.5) * wide) / w, ((row + 0.5) * tall) / h);
      if (cursor) cross(context);
    });
  }

  const along = (value) => LEFT + value * (WIDTH - LEFT - RIGHT);
  const up = (value) => LOW - BOTTOM - value * (LOW - BOTTOM - 8);
  function line(context, ...points) {
    context.beginPath();
    points.forEach(([x, y]) => context.lineTo(x, y));
    context.stroke();
  }
  function axes(context, xTicks, yTicks, xName, yName) {
    const { text, faint } = ink(root);
    context.clearRect(0, 0, WIDTH, LOW);
    context.strokeStyle = faint;
    context.fillStyle = text;
    context.lineWidth = 1;
    context.font = "11px system-ui, sans-serif";
    line(context, [LEFT, up(1)], [LEFT, up(0)], [along(1), up(0)]);
    context.textAlign = "center";
    for (const [x, name] of xTicks) context.fillText(name, x, LOW - BOTTOM + 19);
    context.fillText(xName, (WIDTH + LEFT) / 2, LOW - 4);
    context.textAlign = "right";
    for (const [y, name] of yTicks) context.fillText(name, LEFT - 9, y + 4);
    context.save();
    context.translate(11, (LOW - BOTTOM) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(yName, 0, 0);
    context.restore();
    return text;
  }
  /** The colours of the tag map along an axis of tags. */
  function scale(context, upright) {
    if (plane) return;
    for (let k = 0; k < 256; k++) {
      context.fillStyle = `rgb(${shades.slice(3 * k, 3 * k + 3).join(" ")})`;
      if (upright) context.fillRect(LEFT - 6, up((k + 1) / 256), 5, up(0) / 256 + 1);
      else context.fillRect(along(k / 256), up(0) + 1, (WIDTH - LEFT - RIGHT) / 256 + 0.5, 5);
    }
  }
  /** From and to along the axis of tags, as shares of its length. */
  const nameOf = (id) => model.get("instances")[String(id)]?.name ?? String(id);
  const bandShares = () =>
    [-0.5, 0.5].map((side) => clamp(share(band[0] + side * model.get("bandwidth")), 0, 1));

  function drawPlane(t) {
    const xTicks = ticks(low, high).map(([tag, name]) => [along(share(tag)), name]);
    const yTicks = ticks(low2, high2, 4).map(([tag, name]) => [up(share2(tag)), name]);
    const text = axes(heapInk, xTicks, yTicks, "tag, first (crosses: modes)", "tag, second");
    const dot = (x, y, size) => {
      if (x < 0 || x > 1 || y < 0 || y > 1) return;
      heapInk.fillRect(along(x) - size / 2, up(y) - size / 2, size, size);
    };
    const inside = [];
    for (let k = t * h * w; k < (t + 1) * h * w; k++) if (ids[k]) inside.push(k);
    const step = Math.max(1, Math.ceil(inside.length / MOST_DOTS));
    for (let n = 0; n < inside.length; n += step) {
      heapInk.fillStyle = colour(ids[inside[n]]);
      dot(share(tags[inside[n]]), share2(across[inside[n]]), 2);
    }
    heapInk.strokeStyle = heapInk.fillStyle = text;
    for (const { mode } of Object.values(model.get("instances"))) {
      const [x, y] = [along(share(mode[0])), up(share2(mode[1]))];
      line(heapInk, [x - 5, y], [x + 5, y]);
      line(heapInk, [x, y - 5], [x, y + 5]);
    }
    for (const [id, { mode }] of Object.entries(model.get("instances")))
      print(heapInk, nameOf(id), along(share(mode[0])) + 9, up(share2(mode[1])) - 9);
    heapInk.strokeStyle = heapInk.fillStyle = text;
    if (band !== null) {
      const radius = model.get("bandwidth") / 2;
      heapInk.globalAlpha = 0.2;
      heapInk.beginPath();
      heapInk.ellipse(
        along(share(band[0])),
        up(share2(band[1])),
        along(share(low + radius)) - along(0),
        up(0) - up(share2(low2 + radius)),
        0,
        0,
        2 * Math.PI,
      );
      heapInk.fill();
      heapInk.globalAlpha = 1;
    }
    if (cursor) dot(share(tagAt()), share2(across[index()]), 8);
  }
  function heapsOf(t) {
    const counts = new Map();
    for (let k = t * h * w; k < (t + 1) * h * w; k++) {
      if (!ids[k]) continue;
      if (!counts.has(ids[k])) counts.set(ids[k], new Array(BINS).fill(0));
      counts.get(ids[k])[clamp(Math.floor(share(tags[k]) * BINS), 0, BINS - 1)] += 1;
    }
    return counts;
  }
  const highest = (counts) =>
    Math.max(
      ...Array.from({ length: BINS }, (_, b) =>
        [...counts.values()].reduce((total, own) => total + own[b], 0),
      ),
    );
  function drawHeaps(t) {
    if (plane) return drawPlane(t);
    const counts = heapsOf(t);
    const named = ticks(low, high, WIDTH / 60).map(([tag, name]) => [along(share(tag)), name]);
    const name = "tag (dotted: modes of the clip)";
    const text = axes(heapInk, named, [[up(1), most], [up(0), 0]], name, "pixels");
    scale(heapInk, false);
    const base = new Array(BINS).fill(0);
    for (const [id, own] of [...counts].sort((a, b) => a[0] - b[0])) {
      heapInk.fillStyle = colour(id);
      own.forEach((count, b) => {
        const top = up((base[b] + count) / most);
        heapInk.fillRect(along(b / BINS), top, along(1 / BINS) - LEFT + 0.5, up(base[b] / most) - top);
        base[b] += count;
      });
    }
    heapInk.strokeStyle = heapInk.fillStyle = text;
    heapInk.setLineDash([2, 3]);
    for (const { mode } of Object.values(model.get("instances")))
      line(heapInk, [along(share(mode)), up(1)], [along(share(mode)), up(0)]);
    heapInk.setLineDash([]);
    for (const [id, { mode }] of Object.entries(model.get("instances")))
      print(heapInk, nameOf(id), along(share(mode)), up(1) + 6);
    heapInk.strokeStyle = heapInk.fillStyle = text;
    if (band !== null) {
      const [from, to] = bandShares();
      heapInk.globalAlpha = 0.2;
      heapInk.fillRect(along(from), up(1), along(to) - along(from), up(0) - up(1));
      heapInk.globalAlpha = 1;
    }
    if (cursor) heapInk.fillRect(along(clamp(share(tagAt()), 0, 1)) - 1, up(1), 2, up(0) - up(1));
  }

  const slot = (t) => along((t + 0.5) / T);
  function drawTracks(t) {
    const every = Math.max(1, Math.ceil((30 * T) / WIDTH));
    const named = Array.from({ length: T }, (_, k) => [slot(k), k]).filter(([, k]) => k % every === 0);
    const levels = ticks(low, high, 4).map(([tag, name]) => [up(share(tag)), name]);
    const text = axes(trackInk, named, levels, "frame", plane ? "tag, first" : "tag");
    scale(trackInk, true);
    for (const k of dots) {
      const level = share(tags[k]);
      if (level < 0 || level > 1) continue;
      trackInk.fillStyle = colour(ids[k]);
      const spread = (((k * 2654435761) % 1000) / 1000 - 0.5) * (along(0.7 / T) - LEFT);
      trackInk.fillRect(slot(Math.floor(k / (h * w))) + spread, up(level) - 1, 2, 2);
    }
    trackInk.strokeStyle = trackInk.fillStyle = text;
    line(trackInk, [slot(t), up(1)], [slot(t), up(0)]);
    if (band !== null) {
      const [from, to] = bandShares();
      trackInk.globalAlpha = 0.2;
      trackInk.fillRect(LEFT, up(to), along(1) - LEFT, up(from) - up(to));
      trackInk.globalAlpha = 1;
    }
    if (cursor) {
      const id = ids[index()];
      const level = up(clamp(share(tagAt()), 0, 1));
      trackInk.fillRect(slot(t) - 5, level - 5, 10, 10);
      if (id) trackInk.fillStyle = colour(id);
      if (id) trackInk.fillRect(slot(t) - 3, level - 3, 6, 6);
    }
  }

  const index = () => (model.get("frame") * h + cursor[0]) * w + cursor[1];
  const tagAt = () => tags[index()];
  function sayPixel() {
    const id = ids[index()];
    const found = model.get("instances")[String(id)];
    const what = found
      ? `instance ${found.name}, ${found.category}, score ${found.score.toFixed(2)}`
      : "background";
    const numbers = plane ? [tagAt(), across[index()]] : [tagAt()];
    const tag = numbers.map((number) => number.toFixed(2)).join(" ");
    return `pixel (${cursor[0]}, ${cursor[1]}), tag ${tag}, ${what}`;
  }
  function sayBand() {
    const [from, to] = [-0.5, 0.5].map((side) => band[0] + side * model.get("bandwidth"));
    const first = model.get("frame") * h * w;
    let lit = 0;
    for (let k = first; k < first + h * w; k++) if (ids[k] && inBand(k)) lit++;
    const which = plane
      ? `tags around ${band[0].toFixed(2)} ${band[1].toFixed(2)}`
      : `tags ${from.toFixed(2)} to ${to.toFixed(2)}`;
    return `${which}: ${lit} pixels of instances in this frame`;
  }
  function say() {
    if (band !== null) readout.textContent = sayBand();
    else if (cursor) readout.textContent = sayPixel();
    else readout.textContent = "Point at a pixel or a heap, or focus a picture and use the arrow keys.";
    const named = band === null && cursor ? String(ids[index()]) : "";
    for (const entry of legend.children)
      entry.style.fontWeight = entry.dataset.id === named ? "bold" : "normal";
  }
  function draw() {
    const t = model.get("frame");
    drawPictures(t);
    drawHeaps(t);
    drawTracks(t);
    frameNode.previousSibling.textContent = `frame ${t}, its instances`;
    say();
  }
  function renew() {
    ids = typed(model.get("ids"), Uint8Array);
    most = Math.max(1, ...Array.from({ length: T }, (_, t) => highest(heapsOf(t)))); // of all frames
    kept.clear();
    const inside = [];
    ids.forEach((id, k) => id && inside.push(k));
    const step = Math.max(1, Math.ceil(inside.length / MOST_DOTS));
    dots = inside.filter((_, k) => k % step === 0);
    const entries = Object.entries(model.get("instances")).map(([id, { name, category, score }]) => {
      const patch = element("span", { textContent: "\u25a0 " });
      patch.style.color = colour(Number(id));
      patch.setAttribute("aria-hidden", "true");
      const entry = element("span", {}, patch, `${name} ${category} ${score.toFixed(2)}`);
      entry.dataset.id = id;
      return entry;
    });
    legend.replaceChildren(...(entries.length ? entries : ["no instance at this threshold"]));
    draw();
  }

  function setFrame(t) {
    put(model, { frame: clamp(t, 0, T - 1) });
  }
  const control = slider(0, T - 1, 1, model.get("frame"));
  const frameRow = labelled("frame", control, (value) => value);
  control.addEventListener("input", () => setFrame(Number(control.value)));

  const [ask, stopAsking] = asker(model, problem);
  const timers = {};
  const stops = [() => Object.values(timers).forEach(clearTimeout), stopAsking];
  const choice = (name, min, max, step) => {
    const node = slider(min, max, step, model.get(name));
    node.addEventListener("input", () => {
      clearTimeout(timers[name]); // the kernel is asked once a slider rests
      timers[name] = setTimeout(() => ask({ [name]: Number(node.value) }), 120);
    });
    const row = labelled(name, node, (value) => Number(value).toFixed(2));
    stops.push(
      follow(model, [name], () => {
        node.value = model.get(name);
        row.show();
      }),
    );
    return row;
  };
  const rows = [choice("threshold", 0.05, 0.95, 0.05), choice("bandwidth", 0.05, 3, 0.05)];
  for (const row of [frameRow, ...rows]) row.querySelector("input").style.width = "120px";

  const panels = [];
  const titled = (title, node) => {
    const caption = element("figcaption", { textContent: title });
    const panel = element("figure", { className: "tagvis-panel" }, caption, node);
    panels.push(panel);
    return panel;
  };
  const root = group(
    el,
    model,
    element("div", { className: "tagvis-row" }, frameRow, ...rows),
    element(
      "div",
      { className: "tagvis-row" },
      titled("", frameNode),
      titled("its tags, faint outside instances", mapNode),
    ),
    element(
      "div",
      { className: "tagvis-row" },
      titled(plane ? "its tags in the plane" : "its tags in heaps", heapNode),
      titled("tags of all frames", trackNode),
    ),
    readout,
    legend,
    problem,
  );

  /** Calls `act(rows, columns)` for an arrow key on a node. */
  function onArrows(node, act) {
    onKeys(node, {
      ArrowUp: () => act(-1, 0),
      ArrowDown: () => act(1, 0),
      ArrowLeft: () => act(0, -1),
      ArrowRight: () => act(0, 1),
    });
  }
  function pointAt(row, column) {
    cursor = [clamp(row, 0, h - 1), clamp(column, 0, w - 1)];
    draw();
  }
  for (const node of [frameNode, mapNode]) {
    node.style.touchAction = "none";
    const point = (event) => {
      const [x, y] = place(event, node, wide);
      pointAt(Math.floor((y * h) / tall), Math.floor((x * w) / wide));
    };
    node.addEventListener("pointermove", point);
    node.addEventListener("pointerdown", point);
    onArrows(node, (rows, columns) => {
      const [row, column] = cursor ?? [h >> 1, w >> 1];
      pointAt(row + rows, column + columns);
    });
  }
  function setBand(tag, second) {
    band = tag === null ? null : [clamp(tag, low, high), plane ? clamp(second, low2, high2) : 0];
    draw();
  }
  const bandAt = (event) => {
    const [left, top] = place(event, heapNode, WIDTH);
    const x = (left - LEFT) / (WIDTH - LEFT - RIGHT);
    const y = (up(0) - top) / (up(0) - up(1));
    setBand(low + x * (high - low), low2 + y * (high2 - low2));
  };
  heapNode.style.touchAction = trackNode.style.touchAction = "pan-y";
  heapNode.addEventListener("pointermove", bandAt);
  heapNode.addEventListener("pointerdown", bandAt);
  heapNode.addEventListener("pointerleave", () => setBand(null));
  heapNode.addEventListener("blur", () => setBand(null));
  onArrows(heapNode, (rows, columns) => {
    const [tag, second] = band ?? [(low + high) / 2, (low2 + high2) / 2];
    const right = plane ? columns : columns - rows;
    setBand(tag + (right * (high - low)) / BINS, second - (rows * (high2 - low2)) / BINS);
  });
  const frameAt = (event) => {
    const x = (place(event, trackNode, WIDTH)[0] - LEFT) / (WIDTH - LEFT - RIGHT);
    setFrame(Math.floor(x * T));
  };
  trackNode.addEventListener("pointerdown", frameAt);
  trackNode.addEventListener("pointermove", (event) => event.buttons && frameAt(event));
  onArrows(trackNode, (_, columns) => setFrame(model.get("frame") + columns));

  function arrange(room) {
    const half = Math.floor((room - 22) / 2);
    const most = Math.max(110, Math.min(largest, (0.42 * innerHeight * W) / H)); // two rows in sight
    wide = Math.round(clamp(half, 110, most));
    tall = Math.round((wide * H) / W);
    WIDTH = Math.max(wide, clamp(half, 110, 280));
    LOW = clamp(Math.round(0.57 * WIDTH), 90, 160);
    for (const node of [frameNode, mapNode]) fit(node, wide, tall);
    for (const node of [heapNode, trackNode]) fit(node, WIDTH, LOW);
    for (const panel of panels) panel.style.width = `${WIDTH}px`;
    if (ids) draw();
  }
  renew();
  stops.push(
    follow(model, ["ids", "instances"], renew),
    follow(model, ["frame"], () => {
      control.value = model.get("frame");
      frameRow.show();
      draw();
    }),
    followTheme(draw),
    followWidth(root, arrange),
  );
  return () => stops.forEach((stop) => stop());
}

/** For each instance of a frame the pixel furthest from its outline, where its number is printed. */
function middles(ids, h, w) {
  const depth = new Uint16Array(h * w);
  const pass = (k, others) => {
    const near = others.map(([inside, other]) => (inside && ids[other] === ids[k] ? depth[other] : 0));
    return 1 + Math.min(...near);
  };
  for (let k = 0; k < h * w; k++)
    depth[k] = pass(k, [[k % w > 0, k - 1], [k >= w, k - w]]);
  const best = new Map();
  for (let k = h * w - 1; k >= 0; k--) {
    depth[k] = Math.min(depth[k], pass(k, [[k % w < w - 1, k + 1], [k < (h - 1) * w, k + w]]));
    if (ids[k] && depth[k] > (depth[best.get(ids[k])] ?? 0)) best.set(ids[k], k);
  }
  return [...best].map(([id, k]) => [id, [Math.floor(k / w), k % w]]);
}
export default { render: (view) => whenThere(view.model, "ids", () => start(view)) };
