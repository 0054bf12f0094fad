const PANEL = 366; // pixels: most that a picture is wide, and high
const TALLEST = 340;
const [BOTH, TOO_MUCH, MISSED, NEAR] = [1, 2, 3, 4];
const BEFORE_RADII = 5; // columns of the table, as in mask_editor.py

async function start({ model, el }) {
  const [rows, columns] = model.get("size");
  const pixels = rows * columns;
  const truth = typed(model.get("truth"), Uint8Array);
  const sized = typed(model.get("sized"), Uint8Array);
  const table = await inflated(model.get("table"), Float32Array);
  const [furthest, most] = [model.get("furthest"), model.get("most")];
  const radii = model.get("radii");
  const moves = 2 * furthest + 1;
  const width = BEFORE_RADII + 3 * radii.length; // of a row of the table
  const unit = Math.min(PANEL / columns, TALLEST / rows);
  const [wide, high] = [columns * unit, rows * unit];

  const help = "arrow keys move the mask, plus and minus grow and shrink it";
  const panels = ["areas, which J counts", "outlines, which F counts"].map((name, k) => {
    const [node, context] = canvas(wide, high, `${name}; ${help}`);
    if (k) node.setAttribute("tabindex", "-1"); // the first takes the keys for both
    node.style.cursor = "move";
    node.style.touchAction = "none";
    return { node, context };
  });
  const grow = slider(-most, most, 1, model.get("grow"));
  const reach = slider(0, radii.length - 1, 1, radii.indexOf(model.get("radius")));
  const grown = labelled("grow", grow, (pixels) => `${signed(Number(pixels))} px`);
  const reached = labelled("radius of the disk", reach, (k) => `${radii[k]} px`);
  const reset = element("button", { type: "button", textContent: "Reset" });
  const values = {};
  const scores = element("table", {}, element("tbody", {}, ...["J", "P", "R", "F", "J&F"].map(score)));
  const said = announcer();

  /** A row of the read-outs: name, value, and what it is made of. */
  function score(name) {
    const [value, how] = [element("td"), element("td", { className: "tagvis-how" })];
    values[name] = (number, words) => {
      value.textContent = number.toFixed(3);
      how.textContent = words;
    };
    return element("tr", {}, element("th", { textContent: name, scope: "row" }), value, how);
  }

  const kept = (value, limit) => clamp(value, -limit, limit);
  const state = () => ["right", "down", "grow", "radius"].map((name) => model.get(name));

  function draw() {
    const [right, down, by, radius] = state();
    const mask = moved(sized.subarray((by + most) * pixels, (by + most + 1) * pixels), right, down);
    const index = ((by + most) * moves + down + furthest) * moves + right + furthest;
    const k = radii.indexOf(radius);
    const of = table.subarray(index * width, (index + 1) * width);
    const [J, shared, union, objectEdges, maskEdges] = of;
    const [F, objectMatched, maskMatched] = of.subarray(BEFORE_RADII + 3 * k);
    paint(panels[0].context, areas(mask));
    paint(panels[1].context, outlines(mask, radius));
    values.J(J, `${shared} of ${union} pixels of either are in both`);
    values.P(share(maskMatched, maskEdges), `${maskMatched} of ${maskEdges} pixels of the mask's outline match`);
    values.R(share(objectMatched, objectEdges), `${objectMatched} of ${objectEdges} pixels of the object's outline match`);
    values.F(F, "harmonic mean of P and R");
    values["J&F"]((J + F) / 2, "mean of both");
    const where = `${Math.abs(right)} ${right < 0 ? "left" : "right"}, ${Math.abs(down)} ${down < 0 ? "up" : "down"}`;
    said.textContent = `Moved ${where}, grown by ${signed(by)}: J ${J.toFixed(2)}, F ${F.toFixed(2)}`;
    grow.value = by;
    reach.value = k;
    grown.show();
    reached.show();
  }

  function moved(mask, right, down) {
    const there = new Uint8Array(pixels);
    for (let y = Math.max(0, down); y < rows + Math.min(0, down); y++)
      for (let x = Math.max(0, right); x < columns + Math.min(0, right); x++)
        there[y * columns + x] = mask[(y - down) * columns + x - right];
    return there;
  }

  function areas(mask) {
    return mask.map((inside, p) => {
      if (inside) return truth[p] ? BOTH : TOO_MUCH;
      return truth[p] ? MISSED : 0;
    });
  }

  /** Pixels that differ from the neighbour to the east, south or south-east. */
  function outline(mask) {
    return mask.map((inside, p) => {
      const east = p % columns < columns - 1 ? 1 : 0;
      const south = p + columns < pixels ? columns : 0;
      return inside !== mask[p + east] || inside !== mask[p + south] || inside !== mask[p + south + east];
    });
  }

  /** Pixels within the disk around any pixel of an outline. */
  function near(edges, radius) {
    const found = new Uint8Array(pixels);
    edges.forEach((on, p) => {
      if (!on) return;
      const [y, x] = [Math.floor(p / columns), p % columns];
      for (let dy = Math.max(-radius, -y); dy <= Math.min(radius, rows - 1 - y); dy++) {
        const half = Math.floor(Math.sqrt(radius * radius - dy * dy));
        const start = (y + dy) * columns;
        found.fill(1, start + Math.max(0, x - half), start + Math.min(columns, x + half + 1));
      }
    });
    return found;
  }

  function outlines(mask, radius) {
    const [a, b] = [outline(truth), outline(mask)];
    const [nearA, nearB] = [near(a, radius), near(b, radius)];
    return a.map((onObject, p) => {
      if ((onObject && nearB[p]) || (b[p] && nearA[p])) return BOTH;
      if (b[p]) return TOO_MUCH;
      if (onObject) return MISSED;
      return nearA[p] ? NEAR : 0;
    });
  }

  function paint(context, kinds) {
    context.clearRect(0, 0, wide, high);
    const { faint } = ink(panels[0].node);
    const colours = [null, ...model.get("colours"), faint];
    kinds.forEach((kind, p) => {
      if (!kind) return;
      context.globalAlpha = kind === NEAR ? 0.25 : 1;
      context.fillStyle = colours[kind];
      const [y, x] = [Math.floor(p / columns), p % columns];
      const [left, top] = [Math.round(x * unit), Math.round(y * unit)]; // no seams between pixels
      context.fillRect(left, top, Math.round((x + 1) * unit) - left, Math.round((y + 1) * unit) - top);
    });
    context.globalAlpha = 1;
    context.strokeStyle = faint;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, wide - 1, high - 1);
  }

  const move = (right, down) => put(model, { right: kept(right, furthest), down: kept(down, furthest) });
  for (const { node } of panels) {
    const by = (right, down) => () => move(model.get("right") + right, model.get("down") + down);
    const grown = (pixels) => () => put(model, { grow: kept(model.get("grow") + pixels, most) });
    const arrows = { ArrowLeft: by(-1, 0), ArrowRight: by(1, 0), ArrowUp: by(0, -1), ArrowDown: by(0, 1) };
    onKeys(node, { ...arrows, "+": grown(1), "=": grown(1), "-": grown(-1) });
    let held = null;
    node.addEventListener("pointerdown", (event) => {
      node.setPointerCapture(event.pointerId);
      held = [...place(event, node, wide), ...state()];
    });
    node.addEventListener("pointermove", (event) => {
      if (!event.buttons || held === null) return;
      const [x, y] = place(event, node, wide);
      move(held[2] + Math.round((x - held[0]) / unit), held[3] + Math.round((y - held[1]) / unit));
    });
  }
  grow.addEventListener("input", () => put(model, { grow: Number(grow.value) }));
  reach.addEventListener("input", () => put(model, { radius: radii[Number(reach.value)] }));
  reset.addEventListener("click", () => {
    const [right, down, by, radius] = model.get("start");
    put(model, { right, down, grow: by, radius });
  });

  const [both, much, missed] = model.get("colours");
  const legends = [
    [[both, "shared"], [much, "too much"], [missed, "missed"]],
    [[both, "matched"], [much, "too much: lowers P"], [missed, "missed: lowers R"], [null, "disk"]],
  ];
  const shown = panels.map(({ node }, k) => {
    const keys = legends[k].map(([colour, name]) => key(colour, name));
    const figure = element("figure", {}, node, element("figcaption", {}, ...keys));
    figure.style.width = `${wide}px`;
    return figure;
  });
  group(
    el,
    model,
    element("div", { className: "tagvis-row" }, grown, reached, reset),
    element("div", { className: "tagvis-beside" }, ...shown),
    scores,
    said,
  );
  draw();
  const stops = [follow(model, ["right", "down", "grow", "radius"], draw), followTheme(draw)];
  return () => stops.forEach((stop) => stop());
}

const share = (part, all) => (all ? part / all : NaN);
const signed = (number) => (number > 0 ? `+${number}` : number < 0 ? `\u2212${-number}` : "0");

/** A colour of the legend and its name; the disk has the colour of the theme's lines. */
function key(colour, name) {
  const chip = element("i", { className: "tagvis-chip" });
  chip.style.background = colour ?? "var(--tagvis-faint)";
  if (colour === null) chip.style.opacity = 0.25;
  return element("span", {}, chip, name);
}
export default { render: (view) => whenThere(view.model, "table", () => start(view)) };
