// J&F of one clip by the DAVIS-2017 Unsupervised protocol: tagvis_lite/evaluation, for small frames.

const SHARE_OF_DIAGONAL = 0.008; // within which outlines match

/**
 * Scores of predicted label maps against true ones, both uint8, T x H x W.
 *
 * Objects are 1 to the largest id of the first true frame. Each gets the proposal that is best for
 * all objects together, or none.
 *
 * Returns J&F in [0, 1] (NaN without objects) and, by object from index 1, `proposals`, 0 for none.
 */
export function score(truth, found, T, H, W) {
  const objects = truth.subarray(0, H * W).reduce((most, id) => Math.max(most, id), 0);
  const proposals = found.reduce((most, id) => Math.max(most, id), 0);
  if (!objects) return { jf: NaN, proposals: [0] };
  const [own, other] = [truth.map((id) => (id > objects ? 0 : id)), found].map((ids, k) =>
    masks(ids, k ? proposals : objects, T, H, W),
  );
  const none = masks(new Uint8Array(T * H * W), 1, T, H, W)[0];
  // One column a proposal, then one of nothing for every object that may stay without.
  const table = own.map((object) => [
    ...other.map((proposal) => similarity(object, proposal, T, H, W)),
    ...Array(objects).fill(similarity(object, none, T, H, W)),
  ]);
  const columns = assign(table);
  const total = columns.reduce((sum, column, row) => sum + table[row][column], 0);
  return {
    jf: total / objects,
    proposals: [0, ...columns.map((column) => (column < proposals ? column + 1 : 0))],
  };
}

/** The mask of each id 1..count, with its outline and that outline grown by the reach. */
function masks(ids, count, T, H, W) {
  const reach = Math.ceil(SHARE_OF_DIAGONAL * Math.hypot(H, W));
  return Array.from({ length: count }, (_, k) => {
    const mask = ids.map((id) => id === k + 1);
    const edge = new Uint8Array(T * H * W);
    const near = new Uint8Array(T * H * W);
    for (let p = 0; p < mask.length; p++) {
      const east = p % W < W - 1 ? 1 : 0;
      const south = p % (H * W) < (H - 1) * W ? W : 0;
      const here = mask[p];
      if (here !== mask[p + east] || here !== mask[p + south] || here !== mask[p + south + east]) edge[p] = 1;
    }
    for (let p = 0; p < mask.length; p++) if (edge[p]) grow(near, p, reach, H, W);
    return { mask, edge, near };
  });
}

/** Mark the pixels within a disk around pixel p of its frame. */
function grow(near, p, reach, H, W) {
  const [x, y] = [p % W, Math.floor(p / W) % H];
  for (let dy = Math.max(-reach, -y); dy <= Math.min(reach, H - 1 - y); dy++)
    for (let dx = Math.max(-reach, -x); dx <= Math.min(reach, W - 1 - x); dx++)
      if (dx * dx + dy * dy <= reach * reach) near[p + dy * W + dx] = 1;
}

/** Mean over the frames of (J + F) / 2 of one pair. */
function similarity(a, b, T, H, W) {
  let sum = 0;
  for (let t = 0; t < T; t++) {
    let [both, either, edgesA, edgesB, matchedA, matchedB] = [0, 0, 0, 0, 0, 0];
    for (let p = t * H * W; p < (t + 1) * H * W; p++) {
      both += a.mask[p] & b.mask[p];
      either += a.mask[p] | b.mask[p];
      edgesA += a.edge[p];
      edgesB += b.edge[p];
      matchedA += a.edge[p] & b.near[p];
      matchedB += b.edge[p] & a.near[p];
    }
    const J = either ? both / either : 1;
    sum += (J + contourAccuracy(edgesA, edgesB, matchedA, matchedB)) / 2;
  }
  return sum / T;
}

function contourAccuracy(edgesA, edgesB, matchedA, matchedB) {
  if (!edgesA && !edgesB) return 1;
  if (!edgesA || !edgesB) return 0;
  const [precision, recall] = [matchedB / edgesB, matchedA / edgesA];
  return precision + recall ? (2 * precision * recall) / (precision + recall) : 0;
}

/** Column of each row in the assignment of largest sum, R <= C (shortest augmenting paths). */
export function assign(table) {
  const [rows, columns] = [table.length, table[0].length];
  const [u, v] = [new Float64Array(rows + 1), new Float64Array(columns + 1)];
  const rowOf = new Int32Array(columns + 1); // 0 is none
  for (let row = 1; row <= rows; row++) {
    rowOf[0] = row;
    let column = 0;
    const least = new Float64Array(columns + 1).fill(Infinity);
    const before = new Int32Array(columns + 1);
    const done = new Uint8Array(columns + 1);
    do {
      done[column] = 1;
      let [delta, next] = [Infinity, 0];
      for (let j = 1; j <= columns; j++) {
        if (done[j]) continue;
        const cost = -table[rowOf[column] - 1][j - 1] - u[rowOf[column]] - v[j];
        if (cost < least[j]) [least[j], before[j]] = [cost, column];
        if (least[j] < delta) [delta, next] = [least[j], j];
      }
      for (let j = 0; j <= columns; j++) {
        if (done[j]) [u[rowOf[j]], v[j]] = [u[rowOf[j]] + delta, v[j] - delta];
        else least[j] -= delta;
      }
      column = next;
    } while (rowOf[column]);
    for (; column; column = before[column]) rowOf[column] = rowOf[before[column]];
  }
  const found = new Array(rows);
  for (let j = 1; j <= columns; j++) if (rowOf[j]) found[rowOf[j] - 1] = j - 1;
  return found;
}
