/** A photo with its name and what is said of it, outside the grid. */

import { make } from "./elements.js";
import { heldThumbnail, loadThumbnail } from "./thumbnails.js";

/** @param {import("./studio-types").Photo} photo */
export const saidOf = (photo) => (photo.out ? "left out" : photo.none ? "none of these" : photo.label || "no label");

/**
 * @param {import("./studio-types").Photo} photo
 * @param {Record<string, any>} [attributes] of the figure
 * @param {...any} more below the caption
 */
export function photoFigure(photo, attributes = {}, ...more) {
  const image = make("img", { alt: photo.name, width: "256", height: "256", draggable: "false" });
  const why = make("span", { class: "why", hidden: true });
  const held = heldThumbnail(photo.id);
  if (held) image.src = held;
  else {
    loadThumbnail(photo.id, new AbortController().signal).then(
      (address) => (image.src = address),
      (error) => ((why.textContent = error.message), (why.hidden = false)),
    );
  }
  const caption = make("figcaption", {}, make("b", {}, saidOf(photo)), make("span", {}, photo.name));
  return make("figure", attributes, make("div", { class: "frame" }, image, why), caption, ...more);
}
