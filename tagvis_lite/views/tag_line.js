const WIDTH = 700;
const LEFT = 48;
const RIGHT = 16;
const TERMS = ["spectra", "specter", "tempra", "temper"];
const PLAY_MS = 60;

function render({ model, el }) {
  let way, ids, terms, steps, frames, points, low, high, height;
  let chosen = 0;
  let dragged = null;
  let timer = null;

  const board = element("div");
  let node, context;
  const said = announcer();

  // Where a dot is. One frame: tags along x, a row per instance. More: frames along x, tags up y.
  const along = (tag) => LEFT + ((tag - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const up = (tag) => height - 34 - ((tag - low) / (high - low)) * (height - 48);
  const rows = () => Math.max(...ids);
  function spot(index, tag) {
    const frame = Math.floor(index / points);
    if (frames === 1) return [along(tag), 14 + (ids[index] - 0.5) * ((height - 48) / rows())];
    const wide = (WIDTH - LEFT - RIGHT - 20) / Math.max(1, frames - 1);
    return [LEFT + 10 + frame * wide, up(tag)];
  }
  function tagAt(x, y) {
    const share =
      frames === 1 ? (x - LEFT) / (WIDTH - LEFT - RIGHT) : (height - 34 - y) / (height - 48);
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
    if (wanted !== height) {
      height = wanted;
      [node, context] = canvas(WIDTH, height, "tags; arrow keys choose and move a dot");
      board.replaceChildren(node);
      listen();
    }
    chosen = Math.min(chosen, size() - 1);
    control.max = steps - 1;
  }

  function axes({ text, faint }) {
    context.strokeStyle = faint;
    context.fillStyle = text;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = frames === 1 ? "center" : "right";
    for (const [tag, name] of ticks(low, high))
      if (frames === 1) context.fillText(name, along(tag), height - 18);
      else context.fillText(name, LEFT - 8, up(tag) + 4);
    context.textAlign = "center";
    context.fillText(frames === 1 ? "tag" : "frame t", WIDTH / 2, height - 3);
    context.beginPath();
    context.moveTo(LEFT, frames === 1 ? height - 34 : 10);
    context.lineTo(LEFT, height - 34);
    context.lineTo(WIDTH - RIGHT, height - 34);
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
    context.clearRect(0, 0, WIDTH, height);
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
      }
    }
    context.globalAlpha = 1;
    for (let id = 1; id <= rows(); id++) {
      context.strokeStyle = colour(id);
      context.lineWidth = 2;
      context.beginPath();
      for (const [index, mean] of means(id)) {
        const [x, y] = spot(index + ids.slice(index, index + points).indexOf(id), mean);
        if (frames === 1) {
          context.moveTo(x, y - 11);
          context.lineTo(x, y + 11);
        } else context.lineTo(x, y);
      }
      context.stroke();
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

  const cells = Object.fromEntries(TERMS.map((name) => [name, element("td")]));
  const whole = element("td");
  function readout() {
    let sum = 0;
    TERMS.forEach((name, k) => {
      const value = terms[k * steps + model.get("step")];
      const acts = model.get("on").includes(name);
      cells[name].textContent = value.toFixed(3);
      cells[name].style.opacity = acts ? 1 : 0.45;
      if (acts) sum += value;
    });
    whole.textContent = sum.toFixed(3);
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
    put(model, { [name]: value });
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
      const index = nearest(...place(event, node, WIDTH));
      if (index < 0) return;
      node.setPointerCapture(event.pointerId);
      chosen = index;
      dragged = { index, tag: tagOf(index) };
      draw();
    });
    node.addEventListener("pointermove", (event) => {
      if (!dragged) return;
      dragged.tag = tagAt(...place(event, node, WIDTH));
      draw();
    });
    node.addEventListener("pointerup", () => {
      if (!dragged) return;
      const { index, tag } = dragged;
      dragged = null;
      move(index, tag);
    });
    node.addEventListener("focus", draw);
    node.addEventListener("blur", draw);
    node.addEventListener("keydown", (event) => {
      const [choose, push] =
        frames === 1
          ? [["ArrowUp", "ArrowDown"], ["ArrowLeft", "ArrowRight"]]
          : [["ArrowLeft", "ArrowRight"], ["ArrowDown", "ArrowUp"]];
      if (choose.includes(event.key)) {
        chosen = (chosen + (event.key === choose[0] ? -1 : 1) + size()) % size();
        said.textContent = `a dot of instance ${ids[chosen]}, tag ${tagOf(chosen).toFixed(2)}`;
        draw();
      } else if (push.includes(event.key)) {
        const by = (event.key === push[0] ? -0.02 : 0.02) * (high - low);
        move(chosen, tagAt(...spot(chosen, tagOf(chosen) + by)));
      } else return;
      event.preventDefault();
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
    return element("th", { scope: "col" }, element("label", {}, box, `L_${name}`));
  });

  const line = (...children) => element("div", { className: "tagvis-row" }, ...children);
  group(
    el,
    model,
    line(back, play, once, stepRow),
    board,
    element(
      "table",
      {},
      element("tr", {}, ...switches, element("th", { textContent: "sum", scope: "col" })),
      element("tr", {}, ...TERMS.map((name) => cells[name]), whole),
    ),
    line(
      labelled("N", number, (value) => value),
      labelled("G", margin, (value) => value),
      choice("reduction", "reduction", ["mean", "sum"]),
      choice("range", "tag_range", ["unbounded", "sigmoid"]),
    ),
    said,
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
  const stops = [stop, follow(model, ["way", "terms"], renew), follow(model, ["step"], show)];
  return () => stops.forEach((end) => end());
}
export default { render };
