const SPEEDS = [0.25, 0.5, 1, 2];

function start({ model, el }) {
  const names = model.get("names");
  const last = names.length - 1;
  const urls = model.get("pages").map((page) => URL.createObjectURL(new Blob([page])));
  const plays = model.get("fps") > 0 && last > 0;
  let timer = null;
  let speed = 1;

  const picture = element("img", { tabIndex: 0, attributes: { role: "application" } });
  picture.style.touchAction = "pan-y"; // a finger moved sideways goes through the pages
  picture.addEventListener("load", () => (picture.width = picture.naturalWidth / 2));
  const control = slider(0, last, 1, model.get("page"));
  const row = labelled(model.get("label"), control, (page) => names[page]);

  const goTo = (page) => put(model, { page });
  const next = () => model.set("page", model.get("page") === last ? 0 : model.get("page") + 1);
  const step = (by) => {
    stop();
    goTo(clamp(model.get("page") + by, 0, last));
  };
  function stop() {
    clearInterval(timer);
    timer = null;
    playing.textContent = "Play";
  }
  function begin() {
    clearInterval(timer);
    playing.textContent = "Pause";
    timer = setInterval(next, 1000 / (model.get("fps") * speed));
  }
  const toggle = () => (timer ? stop() : begin());
  const button = (textContent, label, onclick) =>
    element("button", { type: "button", textContent, onclick, attributes: { "aria-label": label } });
  const playing = element("button", { type: "button", textContent: "Play", onclick: toggle });
  const rate = element(
    "select",
    {},
    ...SPEEDS.map((value) => element("option", { value, textContent: `${value} ×` })),
  );
  rate.value = "1";
  rate.addEventListener("change", () => {
    speed = Number(rate.value);
    if (timer) begin();
  });

  function turn() {
    const page = model.get("page");
    control.value = page;
    row.show();
    control.setAttribute("aria-valuetext", names[page]);
    picture.src = urls[page];
    picture.alt = `${model.get("alt")} ${model.get("label")}: ${names[page]}.`;
    const keys = plays ? "space plays, arrow keys step" : "arrow keys step";
    picture.setAttribute("aria-label", `${picture.alt} ${keys}`);
  }
  control.addEventListener("input", () => {
    stop();
    goTo(Number(control.value));
  });
  onKeys(picture, {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => step(-last),
    End: () => step(last),
    ...(plays && { " ": toggle }),
  });
  let held = null;
  picture.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    picture.focus();
    picture.setPointerCapture(event.pointerId);
    held = { x: event.clientX, page: model.get("page"), moved: false };
  });
  picture.addEventListener("pointermove", (event) => {
    if (!held) return;
    const by = Math.round(((event.clientX - held.x) / picture.clientWidth) * names.length);
    if (by) held.moved = true;
    if (held.moved) {
      stop();
      goTo(clamp(held.page + by, 0, last));
    }
  });
  picture.addEventListener("pointerup", () => {
    if (held && !held.moved && plays) toggle();
    held = null;
  });
  picture.addEventListener("pointercancel", () => (held = null));

  const title = model.get("title");
  group(
    el,
    model,
    ...(title ? [element("div", { className: "tagvis-title", textContent: title })] : []),
    element(
      "div",
      { className: "tagvis-row" },
      ...(plays ? [playing] : []),
      button("‹", "one back", () => step(-1)),
      button("›", "one on", () => step(1)),
      row,
      ...(plays ? [labelled("speed", rate)] : []),
    ),
    picture,
  );
  turn();
  if (plays && !matchMedia("(prefers-reduced-motion: reduce)").matches) begin();
  const unfollow = follow(model, ["page"], turn);
  return () => {
    stop();
    unfollow();
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}
export default { render: (view) => whenThere(view.model, "pages", () => start(view)) };
