/**
 * Whether a browser lets a page read what is drawn on a canvas. Some hide it from every page, against being recognised:
 * Firefox with resistFingerprinting, LibreWolf and Tor give noise or white, others change single values by little. The
 * model would look at that and say, as if the photo were the matter, that it is unlike all it knows.
 */

import { Failure } from "./client.js";

export const PROBE_ROWS = 8; // drawn below a photo, so that they are read together with it
export const HIDDEN = new Failure(
  "hidden",
  "This browser hides the pixels of photos from pages.",
  "Allow canvas for this site, or open it in another browser.",
);
const COLUMNS = 16;
const MOST = 2; // mean difference in levels of 255: Brave turns the last bit of some pixels, which changes no answer

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Brush */

/**
 * The pixels of a canvas, with what lies below them read and compared.
 * @param {Brush} brush
 * @param {number} width
 * @param {number} height of what is wanted; the canvas has `PROBE_ROWS` more.
 * @returns {Uint8ClampedArray} RGBA.
 */
export function readProbed(brush, width, height) {
  const wide = Math.ceil(width / COLUMNS);
  for (let i = 0; i < PROBE_ROWS * COLUMNS; i += 1) {
    brush.fillStyle = `rgb(${colour(i).join(" ")})`;
    brush.fillRect((i % COLUMNS) * wide, height + Math.floor(i / COLUMNS), wide, 1);
  }
  let data;
  try {
    ({ data } = brush.getImageData(0, 0, width, height + PROBE_ROWS));
  } catch {
    throw HIDDEN;
  }
  const start = 4 * width * height;
  let difference = 0;
  for (let y = 0, at = start; y < PROBE_ROWS; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      colour(y * COLUMNS + Math.floor(x / wide)).forEach((level, c) => {
        difference += Math.abs(level - data[at + c]);
      });
    }
  }
  if (!(difference <= MOST * 3 * PROBE_ROWS * width)) throw HIDDEN;
  return data.subarray(0, start);
}

/** Whether this browser hides pixels, asked with a canvas of its own. */
export function hidesPixels() {
  const canvas = document.createElement("canvas");
  canvas.width = 64;
  canvas.height = 64 + PROBE_ROWS;
  try {
    readProbed(/** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), 64, 64);
    return false;
  } catch {
    return true;
  }
}

/** @param {number} i */
function colour(i) {
  return [37 * i + 11, 91 * i + 60, 151 * i + 120].map((level) => level & 255);
}
