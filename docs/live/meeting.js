// The turn at which two objects have the same number: found by halving, as the theorem promises.

const COARSE = 20; // degrees
const FINE = 0.05;

let running = null;

/** Turn the scene until the tags of its two objects are equal in the network of one number. */
export async function findMeeting(app) {
  const own = (running = {});
  delete document.body.dataset.met;
  const gap = async (turn) => {
    if (running !== own) throw new Error("another search began");
    app.edit((scene) => (scene.turn = turn));
    await answer(app);
    const { means } = app.trail("one").find((point) => point.turn === app.scene.turn);
    return means[0][0] - means[1][0];
  };
  try {
    const tried = [];
    for (let turn = 0; turn <= 180; turn += COARSE) tried.push([turn, await gap(turn)]);
    const k = tried.findIndex(([, here], n) => n && tried[n - 1][1] * here <= 0);
    if (k > 0) await halve(gap, tried[k - 1], tried[k]);
    document.body.dataset.met = k > 0 ? "yes" : "no";
  } catch {
    // the visitor did something else meanwhile, and that goes first
  }
}

async function halve(gap, [low, before], [high]) {
  let best = [Infinity, low];
  while (high - low > FINE) {
    const middle = (low + high) / 2;
    const here = await gap(middle);
    if (Math.abs(here) < best[0]) best = [Math.abs(here), middle];
    if (before * here <= 0) high = middle;
    else [low, before] = [middle, here];
  }
  await gap(best[1]);
}

/** The answer to the scene as it is now; an error if the scene changes before it comes. */
function answer(app) {
  const { job } = app;
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no answer")), 20_000);
    app.answered = (result) => {
      if (app.job !== job) reject(new Error("the scene changed"));
      if (result.job !== job || result.name !== "one") return;
      clearTimeout(late);
      app.answered = null;
      resolve();
    };
  });
}
