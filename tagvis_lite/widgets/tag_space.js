const WIDTH = 350;
const LOW = 160;
const LEFT = 44;
const BOTTOM = 32;
const BINS = 60;
const MOST_DOTS = 5000;

function start({ model, el }) {
  const [T, H, W, h, w] = model.get("size");
  const [low, high] = model.get("limits");
  const frames = typed(model.get("frames"), Uint8Array);
  const tags = typed(model.get("tags"), Float32Array);
  const colours = typed(model.get("colours"), Uint8Array);
  const shades = typed(model.get("shades"), Uint8Array);
  const tall = Math.round(Math.min(300, (WIDTH * H) / W));
  const wide = Math.round((tall * W) / H);
  let ids, dots;
  let cursor = null;

  const colour = (id) => `rgb(${colours.slice(3 * id, 3 * id + 3).join(" ")})`;
  const share = (tag) => (tag - low) / (high - low);
  const [frameNode, frameInk] = canvas(wide, tall, "frame with instances; arrow keys move a pixel");
  const [mapNode, mapInk] = canvas(wide, tall, "tag map of the frame; arrow keys move a pixel");
  const [heapNode, heapInk] = canvas(WIDTH, LOW, "histogram of the tags of the frame, by instance");
  const [trackNode, trackInk] = canvas(WIDTH, LOW, "tags against frames, by instance");
  const readout = announcer();
  const legend = element("div", { className: "tagvis-row" });
  const problem = element("div", { attributes: { role: "alert" } });

  /** A small picture of h x w or H x W pixels, to be drawn larger. */
  function raster(width, height, paint) {
    const node = element("canvas", { width, height });
    const image = new ImageData(width, height);
    for (let k = 0; k < width * height; k++) image.data.set([...paint(k), 255], 4 * k);
    node.getContext("2d").putImageData(image, 0, 0);
    return node;
  }
  function enlarge(context, picture) {
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0, wide, tall);
  }
  function cross(context) {
    if (!cursor) return;
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

  const pictures = new Map();
  function drawFrame(t) {
    if (!pictures.has(t))
      pictures.set(
        t,
        raster(W, H, (k) => {
          const [row, x] = [Math.floor(k / W), k % W];
          const at = (y, x) => ids[t * h * w + Math.floor((y * h) / H) * w + Math.floor((x * w) / W)];
          const id = at(row, x);
          const first = 3 * (t * H * W + k);
          const pixel = frames.subarray(first, first + 3);
          if (!id) return pixel;
          const sides = [[row - 1, x], [row + 1, x], [row, x - 1], [row, x + 1]];
          const edge = sides.some(
            ([y, z]) => y >= 0 && y < H && z >= 0 && z < W && at(y, z) !== id,
          );
          const mix = edge ? 1 : 0.5;
          return [0, 1, 2].map((c) => pixel[c] * (1 - mix) + colours[3 * id + c] * mix);
        }),
      );
    enlarge(frameInk, pictures.get(t));
    cross(frameInk);
  }
  const maps = new Map();
  function drawMap(t) {
    if (!maps.has(t))
      maps.set(
        t,
        raster(w, h, (k) => {
          const shade = Math.round(255 * Math.max(0, Math.min(1, share(tags[t * h * w + k]))));
          return shades.subarray(3 * shade, 3 * shade + 3);
        }),
      );
    enlarge(mapInk, maps.get(t));
    cross(mapInk);
  }

  function frameOf(context, xTicks, yTicks, xName, yName) {
    const { text, faint } = ink(root);
    context.clearRect(0, 0, WIDTH, LOW);
    context.strokeStyle = faint;
    context.fillStyle = text;
    context.lineWidth = 1;
    context.font = "11px system-ui, sans-serif";
    context.beginPath();
    context.moveTo(LEFT, 6);
    context.lineTo(LEFT, LOW - BOTTOM);
    context.lineTo(WIDTH - 8, LOW - BOTTOM);
    context.stroke();
    context.textAlign = "center";
    for (const [x, name] of xTicks) context.fillText(name, x, LOW - BOTTOM + 13);
    context.fillText(xName, (WIDTH + LEFT) / 2, LOW - 4);
    context.textAlign = "right";
    for (const [y, name] of yTicks) context.fillText(name, LEFT - 5, y + 4);
    context.save();
    context.translate(11, (LOW - BOTTOM) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(yName, 0, 0);
    context.restore();
    return text;
  }
  const along = (value) => LEFT + value * (WIDTH - LEFT - 8);
  const up = (value) => LOW - BOTTOM - value * (LOW - BOTTOM - 8);

  function drawHeaps(t) {
    const counts = new Map();
    for (let k = t * h * w; k < (t + 1) * h * w; k++) {
      if (!ids[k]) continue;
      if (!counts.has(ids[k])) counts.set(ids[k], new Array(BINS).fill(0));
      const bin = Math.floor(share(tags[k]) * BINS);
      counts.get(ids[k])[Math.max(0, Math.min(BINS - 1, bin))] += 1;
    }
    const sums = Array.from({ length: BINS }, (_, b) => [...counts.values()].reduce((s, c) => s + c[b], 0));
    const most = Math.max(1, ...sums);
    const named = ticks(low, high).map(([tag, name]) => [along(share(tag)), name]);
    const text = frameOf(heapInk, named, [[up(1), most], [up(0), 0]], "tag", "pixels");
    const base = new Array(BINS).fill(0);
    for (const [id, own] of [...counts].sort((a, b) => a[0] - b[0])) {
      heapInk.fillStyle = colour(id);
      own.forEach((count, b) => {
        const top = up((base[b] + count) / most);
        heapInk.fillRect(along(b / BINS), top, (WIDTH - LEFT - 8) / BINS + 0.5, up(base[b] / most) - top);
        base[b] += count;
      });
    }
    heapInk.strokeStyle = text;
    heapInk.setLineDash([2, 3]);
    for (const { mode } of Object.values(model.get("instances"))) {
      heapInk.beginPath();
      heapInk.moveTo(along(share(mode)), 6);
      heapInk.lineTo(along(share(mode)), LOW - BOTTOM);
      heapInk.stroke();
    }
    heapInk.setLineDash([]);
    if (cursor) {
      heapInk.fillStyle = text;
      const x = along(Math.max(0, Math.min(1, share(tagAt()))));
      heapInk.fillRect(x - 1.5, 6, 3, LOW - BOTTOM - 6);
    }
  }

  const slot = (t) => along((t + 0.5) / T);
  function drawTracks(t) {
    const every = Math.max(1, Math.ceil(T / 8));
    const named = Array.from({ length: T }, (_, k) => [slot(k), k]).filter(([, k]) => k % every === 0);
    const levels = ticks(low, high, 4).map(([tag, name]) => [up(share(tag)), name]);
    const text = frameOf(trackInk, named, levels, "frame", "tag");
    for (const k of dots) {
      const level = share(tags[k]);
      if (level < 0 || level > 1) continue;
      trackInk.fillStyle = colour(ids[k]);
      const spread = (((k * 2654435761) % 1000) / 1000 - 0.5) * ((WIDTH - LEFT - 8) / T) * 0.7;
      trackInk.fillRect(slot(Math.floor(k / (h * w))) + spread, up(level) - 1, 2, 2);
    }
    trackInk.strokeStyle = text;
    trackInk.beginPath();
    trackInk.moveTo(slot(t), 6);
    trackInk.lineTo(slot(t), LOW - BOTTOM);
    trackInk.stroke();
    if (cursor) {
      trackInk.fillStyle = text;
      trackInk.fillRect(slot(t) - 4, up(share(tagAt())) - 4, 8, 8);
    }
  }

  const index = () => model.get("frame") * h * w + cursor[0] * w + cursor[1];
  const tagAt = () => tags[index()];
  function say() {
    if (!cursor) {
      readout.textContent = "Point at a pixel, or focus a picture and use the arrow keys.";
      return;
    }
    const id = ids[index()];
    const found = model.get("instances")[String(id)];
    const what = found
      ? `instance ${id}, ${found.category}, score ${found.score.toFixed(2)}`
      : "background";
    readout.textContent = `pixel (${cursor[0]}, ${cursor[1]}), tag ${tagAt().toFixed(2)}, ${what}`;
  }
  function draw() {
    const t = model.get("frame");
    drawFrame(t);
    drawMap(t);
    drawHeaps(t);
    drawTracks(t);
    say();
  }
  function renew() {
    ids = typed(model.get("ids"), Uint8Array);
    pictures.clear();
    const inside = [];
    ids.forEach((id, k) => id && inside.push(k));
    const step = Math.max(1, Math.ceil(inside.length / MOST_DOTS));
    dots = inside.filter((_, k) => k % step === 0);
    const entries = Object.entries(model.get("instances")).map(([id, { category, score }]) => {
      const patch = element("span", { textContent: "\u25a0 " });
      patch.style.color = colour(Number(id));
      return element("span", {}, patch, `${id} ${category} ${score.toFixed(2)}`);
    });
    legend.replaceChildren(...entries);
    problem.textContent = model.get("problem");
    draw();
  }

  const control = slider(0, T - 1, 1, model.get("frame"));
  const frameRow = labelled("frame", control, (value) => value);
  control.addEventListener("input", () => {
    model.set("frame", Number(control.value));
    model.save_changes();
    draw();
  });
  const choice = (name, min, max, step) => {
    const node = slider(min, max, step, model.get(name));
    let waiting = null;
    node.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        model.set(name, Number(node.value));
        model.save_changes();
      }, 60);
    });
    return labelled(name, node, (value) => Number(value).toFixed(2));
  };
  const rows = [choice("threshold", 0.05, 0.95, 0.05), choice("bandwidth", 0.05, 3, 0.05)];
  const root = group(
    el,
    model,
    element("div", { className: "tagvis-row" }, frameRow, ...rows),
    element("div", { className: "tagvis-row" }, frameNode, mapNode),
    element("div", { className: "tagvis-row" }, heapNode, trackNode),
    legend,
    readout,
    problem,
  );

  for (const node of [frameNode, mapNode]) {
    node.addEventListener("pointermove", (event) => {
      const [x, y] = place(event, node, wide);
      cursor = [
        Math.max(0, Math.min(h - 1, Math.floor((y * h) / tall))),
        Math.max(0, Math.min(w - 1, Math.floor((x * w) / wide))),
      ];
      draw();
    });
    node.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move) return;
      event.preventDefault();
      const [row, column] = cursor ?? [h >> 1, w >> 1];
      cursor = [
        Math.max(0, Math.min(h - 1, row + move[0])),
        Math.max(0, Math.min(w - 1, column + move[1])),
      ];
      draw();
    });
  }
  renew();
  const unfollow = follow(model, ["ids", "problem"], renew);
  const move = follow(model, ["frame"], () => {
    control.value = model.get("frame");
    frameRow.show();
    draw();
  });
  return () => {
    unfollow();
    move();
  };
}
export default { render: (view) => whenThere(view.model, "ids", () => start(view)) };
