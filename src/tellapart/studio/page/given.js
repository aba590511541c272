/** What a person gives the page: files in folders that are dropped, and frames of videos. */

import { Difference, frameOf } from "./camera.js";

/** @typedef {{name: string, blob: Blob}} Given a file, with the folders that it was in */

const STEP_S = 1; // between two frames of a video
const MOST_FRAMES = 600;
const STRAY = /^(\.(?!.*\.icloud$).*|__macosx|thumbs\.db|ehthumbs\.db|desktop\.ini|@eadir)$/i; // of systems, never a person's

/** Whether a system left it there: nobody gave it. @param {string} name */
export const isStray = (name) => name.split("/").some((part) => STRAY.test(part));

/**
 * The files in what was dropped, folders and all.
 * @param {any} entry
 * @param {string} [path]
 * @returns {Promise<Given[]>}
 */
export async function filesOf(entry, path = "") {
  const name = `${path}${entry.name}`;
  if (entry.isFile) {
    const blob = await new Promise((done, failed) => entry.file(done, failed));
    return [{ name, blob }];
  }
  const reader = entry.createReader();
  /** @type {Given[]} */
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesOf(one, `${name}/`)));
  }
}

/**
 * Frames of a video that differ, one a second, by the browser's own decoder.
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<Given[]>}
 */
export async function framesOf(blob, name) {
  const folder = name.slice(0, name.lastIndexOf("/") + 1);
  const video = document.createElement("video");
  const address = URL.createObjectURL(blob);
  const happened = (/** @type {string} */ what) =>
    new Promise((done, failed) => {
      video.addEventListener(what, done, { once: true });
      video.addEventListener("error", () => failed(new Error(`The browser cannot play this video. In a terminal: ffmpeg -i ${name} -vf fps=1 frame-%04d.jpg`)), { once: true }); // prettier-ignore
    });
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    await happened("loadeddata");
    const difference = new Difference();
    /** @type {Given[]} */
    const frames = [];
    const end = Number.isFinite(video.duration) ? video.duration : 0;
    for (let at = 0; at <= end && frames.length < MOST_FRAMES; at += STEP_S) {
      if (at) {
        video.currentTime = at;
        await happened("seeked");
      }
      const stem = name.replace(/.*\//, "").replace(/\.[^.]*$/, "");
      if (difference.differs(video)) frames.push({ name: `${folder}${stem}-${String(frames.length + 1).padStart(4, "0")}.jpg`, blob: await frameOf(video) }); // prettier-ignore
    }
    return frames;
  } finally {
    URL.revokeObjectURL(address);
  }
}
