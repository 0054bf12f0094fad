// What one network makes of the clip: tags, instances, heaps or clouds, score; beside it the truth.

import { element } from "./view.js";
import { score } from "./davis.js";
import { distance } from "./instances.js";
import { draw as drawPlot, plot, tagAt } from "./plots.js";
import { idColours, picture, printNumbers, show, tagColours, watch } from "./pictures.js";
import { SIZE } from "./scenes.js";
import { drawTrail, meanTags, Trail, trailCanvas } from "./trail.js";

const FRAME = SIZE * SIZE;

const at = (app) => app.cursor && [app.cursor.x, app.cursor.y];

function listen(node, app, name) {
  watch(node, SIZE, SIZE, () => at(app), {
    point: (x, y) => app.point({ x, y }),
    ask: () => app.cursor && app.ask(name),
    leave: () => app.point(null),
  });
}

export class NetworkView {
  /** `network` is an entry of the manifest. */
  constructor(network, app) {
    Object.assign(this, { network, app, result: null, band: null, score: null });
    const K = network.limits.length;
    this.tags = picture(SIZE, SIZE, `tags of the frame, ${network.words} a pixel`);
    this.ids = picture(SIZE, SIZE, `instances that the network with ${network.words} finds in the frame`);
    this.truths = picture(SIZE, SIZE, "the true instances of the frame");
    this.plot = plot(K);
    this.trail = new Trail();
    this.trailCanvas = K === 1 ? trailCanvas() : null;
    const what = K === 1 ? "heaps of the tags of all frames on a line" : "clouds of the tags of all frames in a plane";
    this.plot.setAttribute("aria-label", `${what}; arrow keys move a band, whose pixels light up`);
    this.verdict = element("p", { className: "verdict" });
    this.verdict.setAttribute("aria-live", "polite");
    this.bar = element("progress", { max: 1, value: 0 });
    this.bar.setAttribute("aria-label", `loading the network with ${network.words}`);
    this.loading = element("p", { className: "loading" }, this.bar, element("span"));
    const titled = (title, node) => element("figure", {}, element("figcaption", { textContent: title }), node);
    this.shown = element(
      "div",
      { className: "pictures" },
      titled("tags", this.tags),
      titled("instances", this.ids),
      titled("truth", this.truths),
      titled(K === 1 ? "tags of the objects, all frames, in heaps" : "tags of the objects, all frames, in a plane", this.plot),
    );
    this.shown.lastChild.className = "wide";
    if (this.trailCanvas) {
      this.shown.append(titled("mean tag of each object, against the turns tried", this.trailCanvas));
      this.shown.lastChild.className = "wide above";
    }
    const heading = element("h3", { textContent: `${capital(network.words)} per pixel` });
    this.node = element("article", { className: "network" }, heading, this.loading, this.verdict, this.shown);
    listen(this.tags, app, network.name);
    listen(this.ids, app, network.name);
    listen(this.truths, app, network.name);
    this.#listenToPlot();
  }

  waiting(yes) {
    this.loading.hidden = !yes;
  }

  progress(done, total) {
    this.bar.value = done / total;
    const mb = (bytes) => (bytes / 1e6).toFixed(1);
    this.loading.lastChild.textContent = `the network is on its way: ${mb(done)} of ${mb(total)} MB`;
  }

  /** Take the worker's answer about { frames, truth, scene }. */
  take(result, { frames, truth, scene }) {
    Object.assign(this, { result, frames, truth });
    const [T, h, w] = result.size;
    const { ids, modes } = result.instances;
    this.score = truth && score(truth, ids, T, h, w);
    if (truth) this.trail.add(scene, meanTags(result.tags, truth), this.score.jf);
    this.colours = this.#matched(modes.length);
    const found = `${modes.length} ${modes.length === 1 ? "instance" : "instances"} found`;
    const objects = truth ? new Set(truth).size - new Set(truth).has(0) : 0;
    const right = truth && Number.isFinite(this.score.jf) ? `, ${objects} there; score ${(100 * this.score.jf).toFixed(0)} of 100` : "";
    this.verdict.textContent = found + right;
  }

  /** A colour for each instance that was found: that of the object it stands for, or one of its own. */
  #matched(number) {
    const colours = new Array(number + 1).fill(0);
    this.score?.proposals.forEach((proposal, object) => proposal && (colours[proposal] = object));
    let next = this.score ? this.score.proposals.length : 1;
    for (let k = 1; k <= number; k++) colours[k] ||= next++;
    return colours;
  }

  colourOf = (id) => this.colours[id];

  tag(p) {
    const K = this.network.limits.length;
    return Array.from(this.result.tags.subarray(p * K, (p + 1) * K));
  }

  draw() {
    if (!this.result) return;
    const { app, result, network } = this;
    this.node.classList.toggle("stale", result.job !== app.job); // the answer to an earlier scene
    const first = app.frame * FRAME;
    const reach = network.card.bandwidth;
    const lit = this.band && ((tag) => distance(tag, this.band) <= reach);
    show(this.tags, SIZE, SIZE, tagColours(result, first, network.limits, lit), at(app));
    this.#drawIds(this.ids, result.instances.ids, first, this.colourOf);
    this.truths.parentElement.hidden = !this.truth;
    if (this.truth) this.#drawIds(this.truths, this.truth, first, (id) => id);
    const mark = app.cursor && this.tag(first + app.cursor.y * SIZE + app.cursor.x);
    drawPlot(this.plot, result, network.limits, this.colourOf, { mark, band: this.band, reach, trail: this.truth ? this.trail.points : [] });
    if (!this.trailCanvas) return;
    this.trailCanvas.parentElement.hidden = !this.truth || !this.trail.shown;
    if (this.truth && this.trail.shown) drawTrail(this.trailCanvas, this.trail.points, network.limits[0], app.scene.turn);
  }

  #drawIds(node, ids, first, colourOf) {
    const context = show(node, SIZE, SIZE, idColours(this.frames, ids, first, colourOf, SIZE, SIZE), at(this.app));
    printNumbers(context, ids, first, colourOf, SIZE, SIZE);
  }

  /** What this network says of a pixel. */
  say(p) {
    if (!this.result) return null;
    const id = this.result.instances.ids[p];
    const tag = this.tag(p).map((value) => value.toFixed(2)).join(", ");
    return `tag ${tag}, ${id ? `found as ${this.colours[id]}` : "taken for background"}`;
  }

  #listenToPlot() {
    const { limits } = this.network;
    const set = (band) => {
      this.band = band;
      this.draw();
      this.app.lit?.(this);
      this.app.check();
    };
    this.plot.addEventListener("pointermove", (event) => {
      set(tagAt(this.plot, event, limits));
    });
    this.plot.addEventListener("pointerleave", () => set(null));
    this.plot.addEventListener("blur", () => set(null));
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    this.plot.addEventListener("keydown", (event) => {
      if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const from = this.band ?? this.result?.instances.modes[0] ?? limits.map(([low, high]) => (low + high) / 2);
      const step = limits.length === 1 ? [moves[event.key][0] + moves[event.key][1]] : moves[event.key];
      set(from.map((value, k) => value + (step[k] * (limits[k][1] - limits[k][0])) / 40));
    });
  }
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);
