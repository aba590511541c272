/** A heatmap over a photo. Fetched when it is first asked for. */

import { drawn, paintbrush } from "./canvas.js";
import { HIDDEN, hidesPixels } from "./probe.js";

const VEIL = [14, 18, 22, 0.72]; // red, green, blue, opacity over what did not count
const GLOW = [255, 132, 38, 0.5]; // over what counted most

/**
 * @param {HTMLCanvasElement} photo
 * @param {string} heatmap data URI of a PNG, as a Client gives it.
 * @param {[number, number, number, number]} square left, top, width and height of what it covers of the photo.
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function overlaid(photo, heatmap, square) {
  if (hidesPixels()) throw HIDDEN;
  const [left, top, w, h] = square.map(Math.round); // half a pixel would leave a bright seam
  const bitmap = await createImageBitmap(toBlob(heatmap));
  const map = drawn(bitmap.width, bitmap.height, bitmap, [0, 0, bitmap.width, bitmap.height]);
  bitmap.close();
  const { width, height } = photo;
  const overlay = drawn(width, height, photo, [0, 0, width, height]);
  const brush = paintbrush(overlay);
  const outside = new Path2D(); // what the model never saw
  outside.rect(0, 0, width, height);
  outside.rect(left, top, w, h);
  brush.fillStyle = `rgb(${VEIL.slice(0, 3).join(" ")} / ${VEIL[3]})`;
  brush.fill(outside, "evenodd");
  brush.imageSmoothingQuality = "high";
  brush.drawImage(coloured(map), left, top, w, h);
  return overlay;
}

/**
 * A heatmap in colours that can lie over a photo: dark where nothing counted, clear in between, warm where it did.
 * @param {HTMLCanvasElement} map
 * @returns {HTMLCanvasElement}
 */
function coloured(map) {
  const brush = paintbrush(map);
  const pixels = brush.getImageData(0, 0, map.width, map.height);
  const strongest = pixels.data.reduce((most, value, i) => (i % 4 === 3 ? Math.max(most, value) : most), 1);
  const opaque = pixels.data.every((value, i) => i % 4 !== 3 || value === 255);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const heat = opaque ? pixels.data[i] / 255 : pixels.data[i + 3] / strongest;
    const [red, green, blue, most] = heat < 0.5 ? VEIL : GLOW;
    pixels.data.set([red, green, blue, 255 * most * Math.abs(2 * heat - 1)], i);
  }
  brush.putImageData(pixels, 0, 0);
  return map;
}

/**
 * The bytes of a data URI. Fetching it would need a page that allows connections to `data:`.
 * @param {string} dataUri
 * @returns {Blob}
 */
function toBlob(dataUri) {
  const bytes = atob(dataUri.slice(dataUri.indexOf(",") + 1));
  return new Blob([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], { type: "image/png" });
}
