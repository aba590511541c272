/** The model tried: a file or the live camera, with its answer, where it looked, and the labelled photos most alike. */

import { Camera, frameOf } from "./camera.js";
import { handOver, tryPhoto } from "./client.js";
import { make, named } from "./elements.js";
import { photoFigure } from "./photo-figure.js";

/** @typedef {import("./studio-types").Answer} Answer */

const NONE = "none of these";
const LIVE_PX = 640; // of a frame of the moving picture: the network sees some 250
const PAUSE_MS = 150; // between two of them, so that the rest of the page is not kept waiting

/** Never 100 of what is only nearly sure. @param {number} share */
const percent = (share) => (share > 0.99 ? "> 99 %" : share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`);

class TryScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #video = make("video", { autoplay: true, playsinline: true, hidden: true, "aria-label": "What the camera sees" });
  #image = make("img", { alt: "The photo that is tried", hidden: true });
  #heat = make("img", { alt: "Where the model looked", class: "heat", hidden: true });
  #said = make("div", { class: "said", "aria-live": "polite" });
  #near = make("div", { class: "near" });
  #file = make("input", { type: "file", accept: "image/*", id: "try-file", class: "file", change: () => this.#chosen() });
  #camera = new Camera(/** @type {any} */ (this.#video));
  #live = make("button", { type: "button", click: () => (this.#camera.stream ? this.#stop() : this.#start()) }, "Use the camera");
  #freeze = make("button", { type: "button", class: "main", hidden: true, click: () => this.#frozen() }, "Freeze"); // prettier-ignore
  #is = make("select", { id: "it-is" });
  #wrong = make("p", { class: "answers", hidden: true }, make("label", { for: "it-is" }, "That is wrong: it is"), this.#is, make("button", { type: "button", click: () => this.#add() }, "Put it into the set")); // prettier-ignore
  /** @type {Blob | null} what is answered about now */
  #photo = null;
  #turn = 0;

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      const choose = make("label", { class: "button", for: "try-file" }, "Choose a photo");
      this.append(
        make("section", { class: "seen" }, make("div", { class: "answers" }, choose, this.#file, this.#live, this.#freeze), make("div", { class: "whole-photo" }, this.#video, this.#image, this.#heat)), // prettier-ignore
        make("section", { class: "verdict" }, this.#said, this.#wrong, this.#near),
      );
      this.addEventListener("dragover", (event) => event.preventDefault());
      this.addEventListener("drop", (event) => {
        event.preventDefault();
        const [file] = event.dataTransfer?.files ?? [];
        if (file) this.#ask(file);
      });
      this.addEventListener("paste", (event) => {
        const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
        if (file) this.#ask(file);
      });
      this.#said.append(make("p", { class: "quiet" }, "Choose a photo, drop or paste one, or use the camera: the written model answers, and the photo is forgotten.")); // prettier-ignore
    }
    this.tabIndex = -1;
    this.focus();
  }

  close() {
    this.#stop();
  }

  #chosen() {
    const file = /** @type {HTMLInputElement} */ (this.#file).files?.[0];
    /** @type {HTMLInputElement} */ (this.#file).value = "";
    if (file) this.#ask(file);
  }

  /** @param {Blob} photo */
  async #ask(photo) {
    this.#stop();
    const turn = ++this.#turn;
    this.#photo = photo;
    this.#wrong.hidden = true;
    URL.revokeObjectURL(this.#image.src);
    this.#image.src = URL.createObjectURL(photo);
    this.#image.hidden = false;
    this.#heat.hidden = true;
    this.#said.replaceChildren(make("p", { class: "quiet" }, "Looking…"));
    this.#near.replaceChildren();
    try {
      const answer = await tryPhoto(photo, true);
      if (turn === this.#turn) this.#show(answer);
      this.#trouble(null);
    } catch (error) {
      this.#said.replaceChildren();
      this.#trouble(error);
    }
  }

  async #start() {
    try {
      await this.#camera.start();
    } catch (error) {
      return this.#trouble(error);
    }
    this.#trouble(null);
    this.#video.hidden = this.#freeze.hidden = false;
    this.#image.hidden = this.#heat.hidden = true;
    this.#near.replaceChildren();
    this.#live.textContent = "Stop the camera";
    this.#freeze.focus();
    this.#watch(++this.#turn);
  }

  /** Asks about frame after frame, as fast as they are answered. @param {number} turn */
  async #watch(turn) {
    while (turn === this.#turn && this.#camera.stream) {
      try {
        const answer = await tryPhoto(await frameOf(/** @type {any} */ (this.#video), LIVE_PX), false);
        if (turn === this.#turn) this.#show(answer);
      } catch (error) {
        if (turn !== this.#turn) return;
        this.#stop();
        return this.#trouble(error);
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }

  async #frozen() {
    if (this.#camera.stream) this.#ask(await frameOf(/** @type {any} */ (this.#video)));
  }

  /** The photo becomes one of the set: it trains, and is never for the test, for it was chosen because it was wrong. */
  async #add() {
    const photo = this.#photo;
    if (!photo) return;
    const name = /** @type {any} */ (this.#is).value;
    try {
      const kept = await handOver(photo, /** @type {any} */ (photo).name ?? `tried-${new Date().toISOString().replace(/[:.]/g, "-")}.jpg`); // prettier-ignore
      await this.#store.add({ photos: [[kept.photo, "", !kept.known]], label: name, by: "try", replacing: true });
      this.#wrong.hidden = true;
      this.dispatchEvent(new CustomEvent("say", { detail: `It is in the set as “${name}”.`, bubbles: true }));
    } catch (error) {
      this.#trouble(error);
    }
  }

  #stop() {
    this.#turn++;
    this.#camera.stop();
    this.#video.hidden = this.#freeze.hidden = true;
    this.#live.textContent = "Use the camera";
  }

  /** @param {Answer} answer */
  #show({ answer, probs, looks_like, between, heatmap, alike }) {
    const rows = Object.entries(probs).slice(0, 5);
    const about = answer === "none of these" && looks_like ? `It looks more like ${looks_like}.` : between?.length ? `Between ${between.join(" and ")}.` : ""; // prettier-ignore
    this.#said.replaceChildren(
      make("h2", {}, named(answer)),
      make("p", { class: "quiet", hidden: !about }, about),
      ...rows.map(([name, share]) =>
        make("div", { class: "bar" }, named(name), make("progress", { max: "1", value: String(share), "aria-label": name }), make("span", {}, percent(share))), // prettier-ignore
      ),
    );
    this.#wrong.hidden = !alike;
    if (!alike) return;
    const names = [...this.#store.classes, NONE];
    this.#is.replaceChildren(...names.filter((name) => name !== answer).map((name) => make("option", {}, name)));
    this.#heat.hidden = !heatmap;
    if (heatmap) this.#heat.src = heatmap;
    const photos = alike.flatMap((id) => this.#store.byId.get(id) ?? []);
    this.#near.replaceChildren(...(photos.length ? [make("h3", {}, "Most alike among your labelled photos")] : []), ...photos.map((photo) => photoFigure(photo))); // prettier-ignore
  }

  /** @param {any} error */
  #trouble(error) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
  }
}

customElements.define("try-screen", TryScreen);
