/** Thumbnails as the page shows them: fetched with the token, a few hundred held, what scrolled away taken back. */

import { thumbnail } from "./client.js";

const HELD = 600; // of 8 to 15 KB each

/** @type {Map<string, {blob: Blob, address: string}>} the longest unused first */
const held = new Map();

/** @param {string} id */
function recent(id) {
  const one = held.get(id);
  if (one === undefined) return undefined;
  held.delete(id);
  held.set(id, one);
  return one;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function fetched(id, signal) {
  const blob = await thumbnail(id, signal);
  const one = { blob, address: URL.createObjectURL(blob) };
  held.set(id, one);
  if (held.size > HELD) {
    const [[oldest, { address }]] = held;
    URL.revokeObjectURL(address);
    held.delete(oldest);
  }
  return one;
}

/**
 * @param {string} id
 * @returns {string | undefined} the address of a thumbnail that is here already
 */
export const heldThumbnail = (id) => recent(id)?.address;

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export const loadThumbnail = async (id, signal) => (await fetched(id, signal)).address;

/**
 * Draws a thumbnail. In a canvas, because a browser keeps the pixels of a thousand pictures that it has shown, 256 KB
 * each, and a canvas's go with it.
 * @param {string} id
 * @param {HTMLCanvasElement} canvas
 * @param {AbortSignal} signal
 */
export async function drawThumbnail(id, canvas, signal) {
  const { blob } = recent(id) ?? (await fetched(id, signal));
  const pixels = await createImageBitmap(blob);
  if (signal.aborted) return pixels.close();
  Object.assign(canvas, { width: pixels.width, height: pixels.height });
  canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(pixels);
}
