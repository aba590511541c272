/** The model tried: a file or the live camera, with its answer, where it looked, and the labelled photos most alike. */

import { tryPhoto } from "./client.js";
import { make, named } from "./elements.js";
import { photoFigure } from "./photo-figure.js";
import { HIDDEN, hidesPixels } from "./probe.js";

/** @typedef {import("./studio-types").Answer} Answer */

const LIVE_PX = 640; // of a frame of the moving picture: the network sees some 250
const PAUSE_MS = 150; // between two of them, so that the rest of the page is not kept waiting
const QUALITY = 0.95;
const REFUSALS = /** @type {Record<string, string>} */ ({
  NotAllowedError: "The camera was refused. Allow it in the browser’s address bar, or choose a file.",
  NotFoundError: "No camera was found. Choose a file instead.",
  NotReadableError: "Another program is using the camera. Close it, then try again.",
});

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
  #live = make("button", { type: "button", click: () => (this.#stream ? this.#stop() : this.#start()) }, "Use the camera");
  #freeze = make("button", { type: "button", class: "main", hidden: true, click: () => this.#frozen() }, "Freeze"); // prettier-ignore
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Blob | null} what is answered about now */
  photo = null;
  #turn = 0;

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      this.#video.muted = true;
      const choose = make("label", { class: "button", for: "try-file" }, "Choose a photo");
      this.append(
        make("section", { class: "seen" }, make("div", { class: "answers" }, choose, this.#file, this.#live, this.#freeze), make("div", { class: "whole-photo" }, this.#video, this.#image, this.#heat)), // prettier-ignore
        make("section", { class: "verdict" }, this.#said, this.#near),
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
    this.photo = photo;
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
    this.#trouble(null);
    if (!navigator.mediaDevices?.getUserMedia) return this.#trouble(new Error("Browsers lend the camera only to this computer’s own pages and to https.")); // prettier-ignore
    try {
      const video = { facingMode: { ideal: "environment" }, width: { ideal: 1920 } };
      this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      return this.#trouble(new Error(REFUSALS[name] ?? "The camera did not start. Choose a file instead."));
    }
    if (await hidesPixels()) {
      this.#stop();
      return this.#trouble(HIDDEN);
    }
    this.#video.srcObject = this.#stream;
    const facing = this.#stream.getVideoTracks()[0].getSettings().facingMode;
    this.#video.classList.toggle("mirror", facing !== "environment"); // as in a mirror; what is asked about is not
    this.#video.hidden = this.#freeze.hidden = false;
    this.#image.hidden = this.#heat.hidden = true;
    this.#near.replaceChildren();
    this.#live.textContent = "Stop the camera";
    await this.#video.play();
    this.#freeze.focus();
    this.#watch(++this.#turn);
  }

  /** Asks about frame after frame, as fast as they are answered. @param {number} turn */
  async #watch(turn) {
    while (turn === this.#turn && this.#stream) {
      try {
        const answer = await tryPhoto(await this.#frame(LIVE_PX), false);
        if (turn === this.#turn) this.#show(answer);
      } catch (error) {
        if (turn !== this.#turn) return;
        this.#stop();
        return this.#trouble(error);
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }

  /** @param {number} longest @returns {Promise<Blob>} */
  #frame(longest) {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const scale = Math.min(1, longest / Math.max(width, height));
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(this.#video, 0, 0, canvas.width, canvas.height);
    return new Promise((done, failed) =>
      canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("The frame could not be kept."))), "image/jpeg", QUALITY),
    ); // prettier-ignore
  }

  async #frozen() {
    if (this.#stream) this.#ask(await this.#frame(Infinity));
  }

  #stop() {
    this.#turn++;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video.srcObject = null;
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
    if (!alike) return;
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
