// A clip of the visitor's own, read in the page and sent nowhere: eight frames, spread evenly.

import { FRAMES, SIZE } from "./scenes.js";

/** uint8, T x SIZE x SIZE x 3, of one video file or of pictures; an Error says what is wrong. */
export async function readClip(files) {
  const chosen = [...files];
  const pictures = chosen.filter((file) => file.type.startsWith("image/"));
  if (pictures.length === chosen.length && pictures.length) return fromPictures(pictures);
  if (chosen.length !== 1) throw new Error("Choose one video, or pictures only.");
  return fromVideo(chosen[0]);
}

async function fromPictures(files) {
  files.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const frames = blank();
  for (let t = 0; t < FRAMES; t++) {
    const file = files[Math.round((t * (files.length - 1)) / (FRAMES - 1))];
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (!bitmap) throw new Error(`${file.name} is no picture that this browser reads.`);
    put(frames, t, bitmap);
  }
  return frames;
}

async function fromVideo(file) {
  const video = Object.assign(document.createElement("video"), { muted: true, preload: "auto" });
  video.src = URL.createObjectURL(file);
  try {
    await happens(video, "loadeddata", `${file.name} is no video that this browser reads.`);
    if (!Number.isFinite(video.duration)) {
      video.currentTime = 1e9; // a recording without a length tells it once its end is looked for
      await happens(video, "seeked", `${file.name} has no end that this browser finds.`);
    }
    const last = Math.max(0, video.duration - 0.05);
    const frames = blank();
    for (let t = 0; t < FRAMES; t++) {
      video.currentTime = (last * t) / (FRAMES - 1);
      await happens(video, "seeked", `${file.name} breaks off.`);
      put(frames, t, video);
    }
    return frames;
  } finally {
    URL.revokeObjectURL(video.src);
  }
}

const blank = () => new Uint8Array(FRAMES * SIZE * SIZE * 3);

/** Write a picture into frame t, squeezed to the square as in training. */
function put(frames, t, picture) {
  const context = new OffscreenCanvas(SIZE, SIZE).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, SIZE, SIZE);
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  for (let p = 0; p < SIZE * SIZE; p++) frames.set(data.subarray(4 * p, 4 * p + 3), 3 * (t * SIZE * SIZE + p));
}

function happens(video, event, otherwise) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(otherwise)), 10_000);
    const done = (settle) => () => (clearTimeout(late), settle());
    video.addEventListener(event, done(resolve), { once: true });
    video.addEventListener("error", done(() => reject(new Error(otherwise))), { once: true });
  });
}
