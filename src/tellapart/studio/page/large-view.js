/** A photo by itself, large, with the square drawn that the network sees of it. */

import { largePhoto } from "./client.js";
import { make } from "./elements.js";
import { saidOf } from "./photo-figure.js";

/**
 * @param {import("./studio-types").Photo} photo
 * @param {(by: number) => import("./studio-types").Photo | undefined} step to the photo before or behind
 */
export function showLarge(photo, step) {
  const image = make("img", { alt: photo.name });
  const square = make("div", { class: "square", hidden: true });
  const caption = make("p", { class: "quiet", "aria-live": "polite" });
  const why = make("p", { class: "trouble", role: "alert" });
  let abort = new AbortController();
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    const side = Math.min(width, height);
    const percent = (/** @type {number} */ part, /** @type {number} */ of) => `${(100 * part) / of}%`;
    Object.assign(square.style, {
      ...{ left: percent((width - side) / 2, width), top: percent((height - side) / 2, height) },
      ...{ width: percent(side, width), height: percent(side, height) },
    });
    square.hidden = false;
  });
  const show = async () => {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    square.hidden = true;
    why.textContent = "";
    caption.textContent = `${photo.name}: ${saidOf(photo)}. The network sees the square.`;
    try {
      const blob = await largePhoto(photo.id, signal);
      if (signal.aborted) return;
      URL.revokeObjectURL(image.src);
      Object.assign(image, { src: URL.createObjectURL(blob), alt: photo.name });
    } catch (error) {
      if (!signal.aborted) why.textContent = /** @type {Error} */ (error).message;
    }
  };
  const dialog = make(
    "dialog",
    { class: "large-view", "aria-label": "Photo" },
    make("div", { class: "whole-photo" }, image, square),
    why,
    make("form", { method: "dialog" }, caption, make("button", { class: "main" }, "Close")),
  );
  dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, h: -1, l: 1 })[event.key];
    if (event.key === "v") dialog.close();
    const next = by && step(by);
    if (!next) return;
    event.preventDefault();
    photo = next;
    show();
  });
  dialog.addEventListener("close", () => {
    abort.abort();
    URL.revokeObjectURL(image.src);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  show();
}
