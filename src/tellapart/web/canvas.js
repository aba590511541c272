/** Canvases that are drawn on. */

import { make } from "./elements.js";

/**
 * @param {number} width
 * @param {number} height
 * @param {CanvasImageSource} source
 * @param {[number, number, number, number]} box of the source.
 * @returns {HTMLCanvasElement}
 */
export function drawn(width, height, source, box) {
  const canvas = make("canvas", { width: String(Math.max(1, width)), height: String(Math.max(1, height)) });
  const brush = paintbrush(canvas);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(source, ...box, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
export function paintbrush(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
