const WIDEST = 700;
const NARROWEST = 240;
const LEFT = 48;
const RIGHT = 20;
const TERMS = ["spectra", "specter", "tempra", "temper"];
const PLAY_MS = 60;

function render({ model, el }) {
  let way, ids, terms, steps, frames, points, low, high, height;
  let width = WIDEST;
  let chosen = 0;
  let dragged = null;
  let timer = null;

  const board = element("div");
  let node, context;
  const said = announcer();

  // Where a dot is. One frame: tags along x, a row per instance. More: frames along x, tags up y.
  const along = (tag) => LEFT + ((tag - low) / (high - low)) * (width - LEFT - RIGHT);
  const up = (tag) => height - 34 - ((tag - low) / (high - low)) * (height - 48);
  const rows = () => Math.max(...ids);
  function spot(index, tag) {
    const frame = Math.floor(index / points);
    if (frames === 1) return [along(tag), 14 + (ids[index] - 0.5) * ((height - 48) / rows())];
    const wide = (width - LEFT - RIGHT - 20) / Math.max(1, frames - 1);
    return [LEFT + 10 + frame * wide, up(tag)];
  }
  function tagAt(x, y) {
    const share =
      frames === 1 ? (x - LEFT) / (width - LEFT - RIGHT) : (height - 34 - y) / (height - 48);
    const tag = low + share * (high - low);
    return model.get("tag_range") === "sigmoid" ? clamp(tag, 0.001, 0.999) : tag;
  }
  const size = () => frames * points;
  const colour = (id) => model.get("colours")[(id - 1) % model.get("colours").length];
  const tagOf = (index) =>
    dragged?.index === index ? dragged.tag : way[model.get("step") * size() + index];

  function read() {
    way = typed(model.get("way"), Float32Array);
    terms = typed(model.get("terms"), Float32Array);
    ids = typed(model.get("ids"), Uint8Array);
    [steps, frames, points] = model.get("shape");
    low = Infinity;
    high = -Infinity;
    for (const tag of way) {
      low = Math.min(low, tag);
      high = Math.max(high, tag);
    }
    const room = 0.06 * (high - low) + 0.1;
    [low, high] = model.get("tag_range") === "sigmoid" ? [-0.05, 1.05] : [low - room, high + room];
    const wanted = frames === 1 ? 48 + 34 * rows() : 260;
    if (node === undefined) {
      [node, context] = canvas(width, wanted, "tags; arrow keys choose and move a dot");
      board.append(node);
      listen();
    }
    node.style.touchAction = frames === 1 ? "pan-y" : "pan-x"; // the other way a finger moves dots
    if (wanted !== height) fit(node, width, (height = wanted));
    chosen = Math.min(chosen, size() - 1);
    control.max = steps - 1;
  }

  function axes({ text, faint }) {
    context.strokeStyle = faint;
    context.fillStyle = text;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = frames === 1 ? "center" : "right";
    for (const [tag, name] of ticks(low, high, width / 110))
      if (frames === 1) context.fillText(name, along(tag), height - 18);
      else context.fillText(name, LEFT - 8, up(tag) + 4);
    context.textAlign = "center";
    context.fillText(frames === 1 ? "tag" : "frame t", width / 2, height - 3);
    context.beginPath();
    context.moveTo(LEFT, frames === 1 ? height - 34 : 10);
    context.lineTo(LEFT, height - 34);
    context.lineTo(width - RIGHT, height - 34);
    context.stroke();
    for (let id = 1; frames === 1 && id <= rows(); id++)
      context.fillText(`n = ${id}`, LEFT - 24, 18 + (id - 0.5) * ((height - 48) / rows()));
    for (let t = 0; frames > 1 && t < frames; t++)
      context.fillText(String(t), spot(t * points, 0)[0], height - 18);
    context.save();
    if (frames > 1) {
      context.translate(10, height / 2);
      context.rotate(-Math.PI / 2);
      context.fillText("tag", 0, 0);
    }
    context.restore();
  }

  function means(id) {
    const found = [];
    for (let t = 0; t < frames; t++) {
      let sum = 0;
      let count = 0;
      for (let p = t * points; p < (t + 1) * points; p++)
        if (ids[p] === id) {
          sum += tagOf(p);
          count += 1;
        }
      if (count) found.push([t * points, sum / count]);
    }
    return found;
  }

  function draw() {
    const inks = ink(board);
    context.clearRect(0, 0, width, height);
    axes(inks);
    const radius = size() > 1500 ? 1.5 : 4;
    context.globalAlpha = 0.7;
    for (let index = 0; index < size(); index++) {
      const [x, y] = spot(index, tagOf(index));
      context.fillStyle = colour(ids[index]);
      if (radius < 2) context.fillRect(x - 1, y - 1, 3, 3);
      else {
        context.beginPath();
        context.arc(x, y, radius, 0, 2 * Math.PI);
        context.fill();
        context.strokeStyle = inks.text; // pale colours show on white
        context.lineWidth = 0.6;
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    for (let id = 1; id <= rows(); id++) {
      const path = means(id).map(([index, mean]) =>
        spot(index + ids.slice(index, index + points).indexOf(id), mean),
      );
      for (const [style, wide] of [[inks.text, 3], [colour(id), 2]]) {
        context.strokeStyle = style;
        context.lineWidth = wide;
        context.beginPath();
        for (const [x, y] of path)
          if (frames === 1) {
            context.moveTo(x, y - 11);
            context.lineTo(x, y + 11);
          } else context.lineTo(x, y);
        context.stroke();
      }
      if (frames > 1 && path.length) print(context, id, path.at(-1)[0] + 12, path.at(-1)[1]);
    }
    if (document.activeElement === node || dragged) {
      const [x, y] = spot(chosen, tagOf(chosen));
      context.strokeStyle = inks.text;
      context.lineWidth = 1.5;
      context.strokeRect(x - 7, y - 7, 14, 14);
    }
    context.lineWidth = 1;
    readout();
  }

  const values = Object.fromEntries(TERMS.map((name) => [name, element("output")]));
  const whole = element("output");
  function readout() {
    const step = model.get("step");
    const now = dragged
      ? live()
      : Object.fromEntries(TERMS.map((name, k) => [name, terms[k * steps + step]]));
    let sum = 0;
    for (const name of TERMS) {
      const acts = model.get("on").includes(name);
      values[name].textContent = now[name].toFixed(3);
      values[name].style.opacity = acts ? 1 : 0.6;
      if (acts) sum += now[name];
    }
    whole.textContent = sum.toFixed(3);
  }

  /** The terms of eq. (6) while a dot is dragged; when it is dropped the kernel's take their place. */
  function live() {
    const tags = Array.from({ length: size() }, (_, index) => tagOf(index));
    return taggingTerms(tags, ids, points, model.get("margin"), model.get("reduction"));
  }

  const goTo = (step) => put(model, { step: clamp(step, 0, steps - 1) });
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function toggle() {
    if (timer) return stop();
    if (model.get("step") >= steps - 1) goTo(0);
    play.textContent = "Pause";
    timer = setInterval(() => {
      goTo(model.get("step") + 1);
      if (model.get("step") >= steps - 1) stop();
    }, PLAY_MS);
  }
  function change(name, value) {
    stop();
    ask({ [name]: value });
  }
  function move(index, tag) {
    change("moved", [Math.floor(index / points), index % points, tag, model.get("step")]);
    said.textContent = `a dot of instance ${ids[index]} moved to tag ${tag.toFixed(2)}`;
  }

  function nearest(x, y) {
    let best = 12;
    let found = -1;
    for (let index = 0; index < size(); index++) {
      const [a, b] = spot(index, tagOf(index));
      const distance = Math.hypot(a - x, b - y);
      if (distance < best) [best, found] = [distance, index];
    }
    return found;
  }
  function listen() {
    node.addEventListener("pointerdown", (event) => {
      const index = nearest(...place(event, node, width));
      if (index < 0) return;
      node.setPointerCapture(event.pointerId);
      chosen = index;
      dragged = { index, tag: tagOf(index) };
      draw();
    });
    node.addEventListener("pointermove", (event) => {
      if (!dragged) return;
      dragged.tag = tagAt(...place(event, node, width));
      draw();
    });
    node.addEventListener("pointerup", () => {
      if (!dragged) return;
      const { index, tag } = dragged;
      dragged = null;
      move(index, tag);
    });
    node.addEventListener("pointercancel", () => {
      dragged = null;
      draw();
    });
    node.addEventListener("focus", draw);
    node.addEventListener("blur", draw);
    const choose = (by) => () => {
      chosen = (chosen + by + size()) % size();
      said.textContent = `a dot of instance ${ids[chosen]}, tag ${tagOf(chosen).toFixed(2)}`;
      draw();
    };
    const push = (by) => () =>
      move(chosen, tagAt(...spot(chosen, tagOf(chosen) + by * (high - low))));
    const [before, after, down, up] =
      frames === 1
        ? ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]
        : ["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"];
    onKeys(node, {
      [before]: choose(-1),
      [after]: choose(1),
      [down]: push(-0.02),
      [up]: push(0.02),
    });
  }

  const play = element("button", { type: "button", textContent: "Play", onclick: toggle });
  const back = element("button", { type: "button", textContent: "Start", onclick: () => goTo(0) });
  const once = element("button", {
    type: "button",
    textContent: "Step",
    onclick: () => goTo(model.get("step") + 1),
  });
  const control = slider(0, 1, 1, 0);
  const stepRow = labelled("step", control, (value) => value);
  control.addEventListener("input", () => goTo(Number(control.value)));

  const number = slider(1, 8, 1, model.get("instances"));
  number.addEventListener("change", () => change("instances", Number(number.value)));
  const margin = slider(0, 6, 0.5, model.get("margin"));
  margin.addEventListener("change", () => change("margin", Number(margin.value)));
  const choice = (label, name, values) => {
    const options = values.map((value) => element("option", { value, textContent: value }));
    const node = element("select", {}, ...options);
    node.value = model.get(name);
    node.addEventListener("change", () => change(name, node.value));
    return labelled(label, node);
  };
  const switches = TERMS.map((name) => {
    const box = element("input", { type: "checkbox", checked: model.get("on").includes(name) });
    box.addEventListener("change", () => {
      const others = model.get("on").filter((other) => other !== name);
      change("on", box.checked ? [...others, name] : others);
    });
    return element("span", {}, element("label", {}, box, `L_${name}`, values[name]));
  });

  const problem = element("div", { attributes: { role: "alert" } });
  const [ask, stopAsking] = asker(model, problem);
  const line = (...children) => element("div", { className: "tagvis-row" }, ...children);
  group(
    el,
    model,
    line(back, play, once, stepRow),
    board,
    element(
      "div",
      { className: "tagvis-terms" },
      ...switches,
      element("span", {}, "sum ", whole),
    ),
    line(
      labelled("N", number, (value) => value),
      labelled("G", margin, (value) => value),
      choice("reduction", "reduction", ["mean", "sum"]),
      choice("range", "tag_range", ["unbounded", "sigmoid"]),
    ),
    said,
    problem,
  );
  const show = () => {
    control.value = model.get("step");
    stepRow.show();
    draw();
  };
  const renew = () => {
    read();
    show();
  };
  renew();
  const stops = [
    stop,
    stopAsking,
    follow(model, ["way", "terms"], renew),
    follow(model, ["step"], show),
    followTheme(draw),
    followWidth(board, (room) => {
      width = clamp(room, NARROWEST, WIDEST);
      fit(node, width, height);
      draw();
    }),
  ];
  return () => stops.forEach((end) => end());
}

/** The four terms of eq. (6) of T x P tags, as losses.py has them, with all pixels. */
function taggingTerms(tags, ids, points, margin, reduction) {
  const frames = tags.length / points;
  const instances = [...new Set(ids)].filter((id) => id > 0);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const reduce = (values) => mean(values) * (reduction === "mean" ? 1 : values.length);
  const own = (id, t) =>
    tags.filter((_, k) => ids[k] === id && (t === undefined || Math.floor(k / points) === t));
  const all = instances.map((id) => own(id));
  const h = all.map(mean);
  const ht = instances.map((id) =>
    Array.from({ length: frames }, (_, t) => own(id, t)).map((v) => (v.length ? mean(v) : null)),
  );
  const hinge = (a, b) => Math.max(0, margin - Math.abs(a - b));
  const pairs = instances.flatMap((_, n) => instances.slice(0, n).map((_, other) => [n, other]));
  const seen = (n) => ht[n].filter((value) => value !== null);
  const met = pairs.flatMap(([n, m]) =>
    ht[n].flatMap((value, t) => (value === null || ht[m][t] === null ? [] : [hinge(value, ht[m][t])])),
  );
  return {
    spectra: mean(all.map((values, n) => reduce(values.map((tag) => (tag - h[n]) ** 2)))),
    specter: reduce(pairs.map(([n, m]) => hinge(h[n], h[m]))),
    tempra: mean(instances.map((_, n) => reduce(seen(n).map((value) => (value - h[n]) ** 2)))),
    temper: reduce(met),
  };
}
export default { render };
