// Runs the networks, off the page's own thread: onnxruntime's WebAssembly build, one thread.
//
// In:  { load: network of the manifest }            Out: { progress: { name, done, total } } ...,
//                                                         { ready: name } or { failed: words, name }
//      { job, name, frames, maps: whether }          Out: { job, name, tags, size, instances, maps, ms }

import * as ort from "./ort.mjs";
import { findInstances } from "./instances.js";

ort.env.wasm.numThreads = 1; // most static hosts do not send what more threads need
const networks = new Map();
let runtime = null; // the promise of it

onmessage = async ({ data }) => {
  try {
    if (data.load) await load(data.load, data.runtime);
    else postMessage(await look(data));
  } catch (error) {
    postMessage({ failed: String(error.message ?? error), name: data.load?.name ?? data.name });
  }
};

async function load(network, runtimeFile) {
  const files = networks.size ? [network] : [runtimeFile, network];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  const progress = (bytes) => postMessage({ progress: { name: network.name, done: (done += bytes), total } });
  const contents = await Promise.all(files.map((file) => unpacked(file.file, progress)));
  if (files.length > 1) {
    runtime ??= contents[0];
    ort.env.wasm.wasmBinary = runtime;
  }
  const session = await ort.InferenceSession.create(new Uint8Array(contents.at(-1)));
  networks.set(network.name, { session, card: network.card });
  postMessage({ ready: network.name });
}

/** Fetch a file that was gzipped when the page was built; `progress` gets the bytes that came. */
async function unpacked(file, progress) {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`${file}: the server says ${response.status}`);
  const counted = new TransformStream({
    transform(chunk, controller) {
      progress(chunk.length);
      controller.enqueue(chunk);
    },
  });
  const stream = response.body.pipeThrough(counted).pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function look({ job, name, frames, maps }) {
  const start = performance.now();
  const { session, card } = networks.get(name);
  const names = session.outputNames.filter((one) => maps || one === "tags" || one === "logits");
  const input = new ort.Tensor("uint8", frames, card.frames_shape);
  const outputs = await session.run({ frames: input }, names);
  const read = (one) => outputs[one] && outputs[one].data;
  const size = outputs.tags.dims.slice(0, 3);
  const [tags, logits] = [read("tags"), read("logits") ?? null];
  const instances = findInstances(tags, logits, size, card);
  const asked = maps ? Object.fromEntries(names.slice(2).map((one) => [one, read(one)])) : null;
  for (const one of Object.values(outputs)) if (one !== outputs.tags) one.dispose?.();
  return { job, name, tags, size, instances, maps: asked, ms: performance.now() - start };
}
