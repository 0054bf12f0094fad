function start({ model, el }) {
  const names = model.get("names");
  const urls = model
    .get("pages")
    .map((page) => URL.createObjectURL(new Blob([page], { type: "image/png" })));
  const picture = element("img");
  const control = slider(0, names.length - 1, 1, model.get("page"));
  const row = labelled(model.get("label"), control, (page) => names[page]);

  function turn() {
    const page = Number(control.value);
    picture.src = urls[page];
    picture.alt = `${model.get("label")}: ${names[page]}`;
    control.setAttribute("aria-valuetext", names[page]);
  }
  control.addEventListener("input", () => put(model, { page: Number(control.value) }));
  const stop = follow(model, ["page"], () => {
    control.value = model.get("page");
    row.show();
    turn();
  });
  group(el, model, element("div", { className: "tagvis-row" }, row), picture);
  turn();
  return () => {
    stop();
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}
export default { render: (view) => whenThere(view.model, "pages", () => start(view)) };
