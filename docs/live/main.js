// The page: one scene, the networks that look at it, and everything that shows what they see.

import { element, followTheme, labelled, slider } from "./view.js";
import { render, toBytes } from "./toy.js";
import { FRAMES, fromGallery, fromLink, GALLERY, clean, SIZE, toLink, toToy } from "./scenes.js";
import { Networks } from "./networks.js";
import { NetworkView } from "./network_view.js";
import { stage } from "./stage.js";
import { controls } from "./controls.js";
import { showAttention } from "./attention.js";
import { readClip } from "./own_clip.js";
import { Tour } from "./tour.js";

const IN_WORDS = {
  plain: "suite: objects that wander",
  swap: "suite: pairs change places",
  occlusion: "suite: pairs hide behind a bar",
  return: "suite: one leaves and returns, its twin stays",
  pan: "suite: the camera moves",
};

const $ = (id) => document.getElementById(id);

const app = {
  scene: fromGallery("Two alike"),
  clip: null, // uint8 frames of the visitor's own clip, or of one of the suite
  clipTruth: null, // uint8, T x SIZE x SIZE, of a clip of the suite
  frames: null, // uint8, T x SIZE x SIZE x 3: what the networks look at
  truth: null, // uint8, T x SIZE x SIZE, or null for a clip of the visitor's own
  frame: 0,
  selected: 0,
  cursor: null, // { x, y } of the pixel that is pointed at
  asked: null, // { frame, x, y, name }: where attention was asked
  shown: ["one"], // networks
  results: new Map(),
  job: 0,
  looked: new Map(), // of each job that may be answered yet: its frames, truth and scene
  answered: null, // told of every result, while something waits for one
  linked: 0, // how often a link was copied
  since: null, // time stamp of the oldest change that no network has answered

  /** Change the scene; `since` is the time stamp of the event that asked for it. */
  edit(change, since = performance.now()) {
    const next = structuredClone(app.scene);
    const before = next.objects.length;
    change(next, app);
    app.scene = clean(next);
    const { length } = app.scene.objects;
    app.selected = length > before ? length - 1 : Math.max(0, Math.min(app.selected, length - 1));
    app.renew(since);
  },
  select(k) {
    app.selected = k;
    draw();
  },
  /** Take a new scene, or a clip, perhaps with its truth. */
  open(scene, clip = null, clipTruth = null) {
    Object.assign(app, { scene, clip, clipTruth, selected: 0, cursor: null, asked: null, frame: 0 });
    app.renew();
  },
  /** Draw the clip again and have the networks look at it. */
  renew(since = performance.now()) {
    app.since ??= since;
    app.job++;
    if (app.clip) Object.assign(app, { frames: app.clip, truth: app.clipTruth });
    else {
      const { frames, ids } = render(toToy(app.scene), FRAMES, [SIZE, SIZE]);
      Object.assign(app, { frames: toBytes(frames, app.scene.seed), truth: ids });
    }
    app.looked.set(app.job, { frames: app.frames, truth: app.truth, scene: app.scene });
    document.body.dataset.asked = app.job;
    draw();
    look();
    remember();
  },
  show(names) {
    app.shown = names;
    for (const name of names) networks.load(name);
    for (const radio of document.querySelectorAll("#which input")) radio.checked = radio.value === names.join(" ");
    arrange();
    look();
    remember();
  },
  trail: (name) => views.get(name)?.trail.points ?? [],
  check: () => tour?.check(),
  scores: () => app.shown.map((name) => views.get(name)?.score?.jf),
  point(cursor) {
    app.cursor = cursor;
    draw();
  },
  ask(name) {
    app.asked = { frame: app.frame, ...app.cursor, name };
    look();
    draw();
  },
};

let manifest, networks, tour, drawStage, updateControls;
const views = new Map();

function look() {
  const names = app.shown.filter((name) => networks?.is(name, "ready"));
  networks?.look({ job: app.job, names, frames: app.frames, maps: Boolean(app.asked) });
}

function draw() {
  drawStage();
  updateControls();
  $("frame").value = app.frame;
  frameRow.show();
  for (const name of app.shown) views.get(name)?.draw();
  $("said").textContent = said();
  drawAttention();
  tour?.check();
}

/** What is known of the pixel that is pointed at. */
function said() {
  if (!app.cursor) return "Point at a pixel to read its tag; click it to see where attention looks from it.";
  const p = app.frame * SIZE * SIZE + app.cursor.y * SIZE + app.cursor.x;
  const parts = app.shown.map((name) => views.get(name)?.say(p)).filter(Boolean);
  return [`Frame ${app.frame + 1}, row ${app.cursor.y}, column ${app.cursor.x}`, truly(p), ...parts].filter(Boolean).join(" · ");
}

const truly = (p) => app.truth && (app.truth[p] ? `truly object ${app.truth[p]}` : "truly background");

let drawn = {}; // the maps and the question that the attention strips show
function drawAttention() {
  const result = app.asked && app.results.get(app.asked.name);
  $("attention").hidden = !app.asked;
  if (!result?.maps || (drawn.maps === result.maps && drawn.asked === app.asked)) return;
  drawn = { maps: result.maps, asked: app.asked };
  showAttention($("maps"), result, app.asked, app.frames, SIZE);
  const network = manifest.networks.find((one) => one.name === app.asked.name);
  $("asked").textContent = `From row ${app.asked.y}, column ${app.asked.x} of frame ${app.asked.frame + 1}, in the network with ${network.words}. Brighter is more; the white square asks.`;
}

/** Put the views of the chosen networks side by side. */
function arrange() {
  for (const network of manifest.networks)
    if (!views.has(network.name) && app.shown.includes(network.name)) views.set(network.name, new NetworkView(network, app));
  $("networks").replaceChildren(...app.shown.map((name) => views.get(name).node));
  for (const name of app.shown) views.get(name).waiting(!networks.is(name, "ready"));
  draw();
}

/** Keep scene and view in the address, so that a copied link restores them. */
function remember() {
  clearTimeout(remember.timer);
  remember.timer = setTimeout(() => {
    if (!app.clip) history.replaceState(null, "", `#${toLink(app.scene, { f: app.frame, n: app.shown.join(" ") })}`);
  }, 150);
}

const on = {
  progress: ({ name, done, total }) => views.get(name)?.progress(done, total),
  ready(name) {
    views.get(name)?.waiting(false);
    look();
  },
  failed(words) {
    $("problem").textContent = `Something went wrong: ${words}. Reload the page to try again.`;
  },
  result(result) {
    app.results.set(result.name, result);
    views.get(result.name).take(result, app.looked.get(result.job));
    for (const job of app.looked.keys()) if (job < result.job) app.looked.delete(job);
    draw();
    app.answered?.(result);
    document.body.dataset.answered = result.job;
    const fresh = result.job === app.job;
    requestAnimationFrame(() => setTimeout(() => measure(fresh))); // after the picture is on screen
  },
};

/** Note the time from the oldest unanswered change to the picture that answers it. */
function measure(fresh) {
  if (app.since === null) return;
  performance.measure("change to tags", { start: app.since, end: performance.now() });
  app.since = fresh ? null : performance.now();
}

const frameControl = slider(0, FRAMES - 1, 1, 0);
frameControl.id = "frame";
const frameRow = labelled("frame", frameControl, (t) => `${Number(t) + 1} of ${FRAMES}`);
frameControl.addEventListener("input", () => {
  app.frame = Number(frameControl.value);
  draw();
  remember();
});
let playing = null;
function play() {
  if (playing) clearInterval(playing);
  playing = playing ? null : setInterval(() => ((app.frame = (app.frame + 1) % FRAMES), draw()), 220);
  $("play").textContent = playing ? "Pause" : "Play";
}

async function start() {
  $("frames").append(frameRow);
  drawStage = stage($("stage"), app);
  updateControls = controls($("controls"), app);
  const linked = fromLink(location.hash.slice(1));
  if (linked) {
    app.scene = linked.scene;
    app.frame = Math.max(0, Math.min(FRAMES - 1, Number(linked.extra.f) || 0));
  }
  app.renew(); // the first picture: before anything large is fetched
  $("gallery").append(...Object.keys(GALLERY).map((name) => element("option", { value: name, textContent: name })));
  $("gallery").addEventListener("change", chooseScene);
  $("play").addEventListener("click", play);
  $("clip").addEventListener("change", chooseClip);
  $("link").addEventListener("click", copyLink);
  addEventListener("hashchange", () => {
    const scene = fromLink(location.hash.slice(1))?.scene;
    if (scene) app.open(scene);
  });
  followTheme(draw);

  manifest = await (await fetch(new URL("manifest.json", import.meta.url))).json();
  networks = new Networks(manifest, on);
  addSuite();
  which(linked?.extra.n);
  tour = new Tour($("tour"), app, manifest);
  tour.check();
}

/** The switch between networks, where more than one ships. */
function which(wanted) {
  const names = manifest.networks.map(({ name }) => name);
  const choices = [...manifest.networks.map(({ name, words }) => [name, words]), ...(names.length > 1 ? [[names.join(" "), "both, side by side"]] : [])];
  const radios = choices.map(([value, words]) => {
    const radio = element("input", { type: "radio", name: "which", value });
    radio.addEventListener("change", () => app.show(value.split(" ")));
    return element("label", {}, radio, element("span", { textContent: words }));
  });
  $("which").append(...radios);
  $("which").hidden = names.length < 2;
  app.show(choices.some(([value]) => value === wanted) ? wanted.split(" ") : [names[0]]);
}

/** Clips of the diagnostic suite, a group for each stratum, below the scenes. */
function addSuite() {
  const groups = Map.groupBy(manifest.suite, ({ stratum }) => stratum);
  for (const [stratum, clips] of groups)
    $("gallery").append(element("optgroup", { label: IN_WORDS[stratum] ?? stratum }, ...clips.map(({ name }) => element("option", { value: name, textContent: name }))));
}

async function chooseScene() {
  const name = $("gallery").value;
  const clip = manifest?.suite.find((one) => one.name === name);
  $("gallery").value = "";
  if (!clip) return name && app.open(fromGallery(name));
  const response = await fetch(new URL(clip.file, import.meta.url));
  const bytes = new Uint8Array(await new Response(response.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  const pixels = FRAMES * SIZE * SIZE;
  app.open(app.scene, bytes.subarray(0, 3 * pixels), bytes.subarray(3 * pixels));
}

async function chooseClip() {
  const { files } = $("clip");
  if (!files.length) return;
  $("problem").textContent = "";
  try {
    app.open(app.scene, await readClip(files));
  } catch (error) {
    $("problem").textContent = error.message;
  }
  $("clip").value = "";
}

async function copyLink() {
  clearTimeout(remember.timer);
  history.replaceState(null, "", `#${toLink(app.scene, { f: app.frame, n: app.shown.join(" ") })}`);
  app.linked++;
  try {
    await navigator.clipboard.writeText(location.href);
    $("copied").textContent = "Copied.";
  } catch {
    $("copied").textContent = "The address of this page is the link.";
  }
  tour?.check();
}

start().catch((error) => on.failed(error.message));
