// Eight steps through the page, each with something to do and a check that it was done.

import { element } from "./view.js";
import { fromGallery, SIZE } from "./scenes.js";
import { distance } from "./instances.js";
import { meanTags } from "./trail.js";

const FRAME = SIZE * SIZE;

/** The result of the first shown network, if it answers the scene as it is. */
function answer(app, name = app.shown[0]) {
  const result = app.results.get(name);
  return result && result.job === app.job ? result : null;
}

/** True object under the cursor, 0 for none. */
const pointed = (app) => (app.cursor && app.truth ? app.truth[app.frame * FRAME + app.cursor.y * SIZE + app.cursor.x] : 0);

const STEPS = [
  {
    title: "A tag is a number",
    text: "The picture named “tags” shows what the network made of the clip: the same colour, the same tag. “Instances” shows what is read off from it: pixels with like tags are one object. What the tags are called does not matter; the large 1 and 2 are only names.",
    task: "Point at one object in any picture, then at the other, and compare their tags in the framed line above the pictures.",
    scene: "Two alike",
    check: (app, memo) => {
      if (pointed(app)) (memo.seen ??= new Set()).add(pointed(app));
      return memo.seen?.size > 1;
    },
  },
  {
    title: "One object, one heap",
    text: "Training pulls the tags of one object together. Count how many pixels of the objects have which tag, over all frames at once, and every object becomes a heap (the background is left out: another output of the network says what is background). A dotted line marks its summit: finding the summits is finding the objects.",
    task: "Move the pointer along the heaps: the pixels whose tags lie in the grey band light up. Light up one object alone.",
    scene: "Two alike",
    check: (app, memo) => {
      app.lit = (view) => {
        const modes = view.result?.instances.modes ?? [];
        memo.done ||= Boolean(view.band) && modes.some((mode) => distance(mode, view.band) < view.network.card.bandwidth);
      };
      return memo.done;
    },
  },
  {
    title: "The same tag in every frame",
    text: "The network sees eight frames at once and must tag an object alike in all of them. So an object is not only found, it is followed: there is no separate tracker.",
    task: "Turn through the frames (Play, or the slider) and point at one moving object in at least three of them.",
    scene: "Four on the move",
    check: (app, memo) => {
      if (pointed(app)) ((memo[pointed(app)] ??= new Set()).add(app.frame));
      return Object.values(memo).some((frames) => frames.size >= 3);
    },
  },
  {
    title: "Other objects are pushed away",
    text: "Training also pushes the mean tags of different objects apart, by 3 at least on the scale below the heaps. These two look exactly alike, and still get different tags. By what can the network tell them apart? Only by where they are. When one moves, the tags of both may change: each is tagged with the other in view.",
    task: "Drag one object of the two up or down and watch the heaps wander along the line, until one of them is 2 from where it was.",
    scene: "Two alike",
    check: (app, memo) => {
      const result = answer(app);
      if (!result || !app.truth || app.scene.objects.length !== 2) return false;
      const means = meanTags(result.tags, app.truth);
      memo.first ??= means;
      return means.some((mean, k) => distance(mean, memo.first[k]) > 2);
    },
  },
  {
    title: "It survives motion",
    text: "An object that moves passes many places, yet gets one tag: what counts is its way through the whole clip. The arrow of the chosen object shows that way; a knob without an arrow stands still.",
    task: "Pull the knob of the chosen object (or use “way right” and “way down” below) until it travels 20 pixels or more.",
    scene: "Two that differ",
    check: (app) => Boolean(answer(app)) && app.scene.objects.some(({ dx, dy }) => SIZE * Math.hypot(dx, dy) >= 20),
  },
  {
    title: "Where one number must fail",
    text: "A small change of the picture changes the tags by a little; steep as that may be, they never jump. Now turn two twins about each other by half a turn. Each stands where the other stood. The picture is the same as before, so it gets the same tags as before, and each twin now has the tag of the other. On a line one tag cannot pass the other without meeting it: at some turn on the way the mean tags of both are equal, and their heaps are one. This is a theorem and holds after any training.",
    task: "Move the slider “turn all about the middle” from 0° to 180° and watch the two curves cross, in the plot that appears above the pictures. Then press “Find where they meet”: the score falls under 60.",
    scene: "Two alike",
    check: (app) => app.trail("one").some(({ jf, means }) => means.length === 2 && jf < 0.6),
  },
  {
    title: "Two numbers go around",
    text: "Give each pixel two numbers: tags now are points in a plane, and in a plane two points can change places without meeting: they go around each other. In the plane the path of each begins at a ring; at no turn are both at one point. The paper that describes this network gives a pixel one number; a second is the smallest step beyond it.",
    task: "Choose “both, side by side” (another 6 MB to fetch) and press “Find where they meet” once more: at the turn where one number fails, compare the two scores.",
    scene: "Two alike",
    needs: "two",
    check: (app) => {
      const seen = new Set(app.trail("two").map(({ turn }) => turn));
      return app.trail("one").some(({ turn, jf }) => jf < 0.6 && seen.has(turn));
    },
  },
  {
    title: "Your turn",
    text: "Two numbers are no cure for everything. An object hides behind a bar; six crowd together; here one leaves and its twin comes to its place, three objects of which two are in view at a time. Build a clip that breaks the network.",
    task: "Make a scene with a score under 60, then copy its link: it restores exactly what you see.",
    scene: "One leaves, its twin visits",
    check: (app, memo) => {
      memo.start ??= app.linked;
      return app.linked > memo.start && app.scores().some((jf) => jf < 0.6);
    },
  },
];

export class Tour {
  constructor(root, app, manifest) {
    const has = (name) => manifest.networks.some((network) => network.name === name);
    this.steps = STEPS.filter(({ needs }) => !needs || has(needs));
    this.app = app;
    this.done = new Set();
    this.heading = element("h2", { tabIndex: -1 });
    this.text = element("p");
    this.task = element("p", { className: "task" });
    this.state = element("p", { className: "state" });
    this.state.setAttribute("aria-live", "polite");
    this.back = this.#button("Back", -1);
    this.next = this.#button("Next", 1);
    root.replaceChildren(this.heading, this.text, this.task, element("div", { className: "row" }, this.back, this.next, this.state));
    this.at = 0;
    this.#show();
  }

  #button(textContent, step) {
    const node = element("button", { type: "button", textContent });
    node.addEventListener("click", () => {
      this.at += step;
      this.#show();
      const { scene } = this.steps[this.at];
      if (scene) this.app.open(fromGallery(scene));
      this.heading.focus();
    });
    return node;
  }

  #show() {
    const { title, text, task } = this.steps[this.at];
    this.memo = {};
    this.app.lit = null;
    this.heading.textContent = `${this.at + 1} of ${this.steps.length}: ${title}`;
    this.text.textContent = text;
    this.task.textContent = task;
    this.back.disabled = this.at === 0;
    this.next.hidden = this.at === this.steps.length - 1;
    this.#tell();
  }

  #tell() {
    const done = this.done.has(this.at);
    const last = this.at === this.steps.length - 1;
    this.state.textContent = done ? (last ? "Done. That was the tour." : "Done. Go on when you like.") : "";
    this.next.classList.toggle("ready", done);
  }

  /** See whether what the step asks for has been done. */
  check() {
    if (this.done.has(this.at)) return;
    if (this.steps[this.at].check(this.app, this.memo)) {
      this.done.add(this.at);
      this.#tell();
    }
  }
}
