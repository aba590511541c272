/**
 * A photo on a canvas, in three views: the photo, where the model looked, and the square that the model sees.
 *
 * A canvas, not an <img>: it needs no address, which a page may forbid.
 */

import { drawn, paintbrush } from "./canvas.js";
import { make } from "./elements.js";

const LONGEST_PX = 1024; // of the canvas; the photo itself may have a hundred times as many pixels

/** @typedef {"photo" | "heatmap" | "seen"} View */

export class PhotoView {
  /**
   * @param {Blob} photo
   * @param {string} label what a screen reader says of it.
   * @param {{inputPx: number, fit: "crop" | "squash"}} preprocessing
   */
  constructor(photo, label, preprocessing) {
    this.preprocessing = preprocessing;
    this.label = label;
    this.canvas = make("canvas", { role: "img", "aria-label": label, width: "4", height: "3" });
    this.element = make("div", { class: "photo" }, this.canvas);
    /** @type {HTMLCanvasElement | null} */
    this.photo = null;
    /** @type {HTMLCanvasElement | null} */
    this.square = null;
    /** @type {HTMLCanvasElement | null} */
    this.heatmap = null;
    this.ready = this.#open(photo);
  }

  /**
   * @param {Blob} blob
   * @returns {Promise<boolean>} whether this browser can show the photo.
   */
  async #open(blob) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(blob);
    } catch {
      this.element.replaceChildren(make("p", {}, "This browser cannot show this file."));
      return false;
    }
    const { width, height } = bitmap;
    const { inputPx } = this.preprocessing;
    const scale = Math.min(1, LONGEST_PX / Math.max(width, height));
    this.photo = drawn(Math.round(width * scale), Math.round(height * scale), bitmap, [0, 0, width, height]);
    this.square = drawn(inputPx, inputPx, bitmap, this.#square(width, height));
    bitmap.close();
    this.show("photo");
    return true;
  }

  /**
   * Where the model's square lies in a photo, as left, top, width and height.
   * @param {number} width
   * @param {number} height
   * @returns {[number, number, number, number]}
   */
  #square(width, height) {
    if (this.preprocessing.fit === "squash") return [0, 0, width, height];
    const side = Math.min(width, height);
    return [(width - side) / 2, (height - side) / 2, side, side];
  }

  /** @param {string} heatmap data URI of a PNG over the model's square. */
  async addHeatmap(heatmap) {
    if (!this.photo) return;
    const { overlaid } = await import("./heatmap.js");
    this.heatmap = await overlaid(this.photo, heatmap, this.#square(this.photo.width, this.photo.height));
  }

  /** @param {View} view */
  show(view) {
    const source = { photo: this.photo, heatmap: this.heatmap, seen: this.square }[view];
    if (!source) return;
    this.canvas.width = source.width;
    this.canvas.height = source.height;
    this.canvas.setAttribute("aria-label", `${this.label}${LABELS[view]}`);
    paintbrush(this.canvas).drawImage(source, 0, 0);
  }
}

/** @type {Record<View, string>} */
const LABELS = { photo: "", heatmap: ", bright where the model looked", seen: ", as the model sees it" };
