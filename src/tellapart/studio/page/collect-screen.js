/** Photos handed over: dropped, pasted, chosen, in zips, from the camera, or as frames of a video. */

import { Camera, Difference, frameOf } from "./camera.js";
import { handOver, handOverZip, post } from "./client.js";
import { make } from "./elements.js";
import { runJob } from "./jobs.js";

/** @typedef {{name: string, blob: Blob}} Handed */

const BURST_MS = 120; // between two looks at the camera while it records
const STEP_S = 1; // between two frames of a video
const MOST_FRAMES = 600;
const TOLD = 200;

class CollectScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #class = make("input", { type: "text", id: "as-class", list: "as-classes", autocomplete: "off", maxlength: "200", placeholder: "none yet" }); // prettier-ignore
  #classes = make("datalist", { id: "as-classes" });
  #said = make("p", { class: "collected", role: "status" });
  #refused = make("ul", { class: "refused" });
  #video = make("video", { autoplay: true, playsinline: true, hidden: true, "aria-label": "What the camera sees" });
  #camera = new Camera(/** @type {any} */ (this.#video));
  #start = make("button", { type: "button", click: () => this.#toggle() }, "Use the camera");
  #record = make("button", { type: "button", class: "main", hidden: true }, "Hold to record");
  #which = make("select", { id: "which-camera", "aria-label": "Camera", hidden: true, change: () => this.#show(this.#which.value) }); // prettier-ignore
  #recording = false;
  #turn = Promise.resolve(); // one batch after the other

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) this.#build(store);
    this.#classes.replaceChildren(...store.classes.map((value) => make("option", { value })));
    this.tabIndex = -1;
    this.focus();
  }

  close() {
    this.#recording = false;
    this.#camera.stop();
    this.#shown(false);
  }

  /** @param {import("./store").Store} store */
  #build(store) {
    this.#store = store;
    /** @type {(id: string, text: string, more: Record<string, any>) => any[]} */
    const chooser = (id, text, more) => {
      const input = make("input", { type: "file", id, class: "file", multiple: true, ...more });
      input.addEventListener("change", () => {
        this.#take([...(input.files ?? [])].map((file) => ({ name: file.webkitRelativePath || file.name, blob: file })));
        input.value = "";
      });
      return [make("label", { class: "button", for: id }, text), input];
    };
    const as = make("label", { class: "as" }, "As class", this.#class, this.#classes);
    const where = make("p", { class: "quiet" }, `Drop or paste photos, folders, zips and videos anywhere here. They are kept as they are in ${store.about?.kept_in}/photos, and nothing leaves this machine.`); // prettier-ignore
    this.append(
      make("section", { class: "card" }, make("h2", {}, "Collect photos"), where, as, make("div", { class: "answers" }, ...chooser("files", "Choose files", { accept: "image/*,video/*,.zip" }), ...chooser("a-folder", "Choose a folder", { webkitdirectory: true }), ...chooser("shot", "Take a photo", { accept: "image/*", capture: "environment" }))), // prettier-ignore
      make("section", { class: "card" }, make("h2", {}, "Camera"), make("p", { class: "quiet" }, "Hold the button, or Space, to record: a frame is kept only if it differs from the last one kept, and what is recorded at once is one scene."), make("div", { class: "answers" }, this.#start, this.#which, this.#record), this.#video), // prettier-ignore
      make("section", { class: "card" }, make("h2", {}, "What came in"), this.#said, this.#refused),
    );
    if (!store.photos.length) this.prepend(this.#firstLook());
    this.#said.textContent = "Nothing yet.";
    this.addEventListener("dragover", (event) => event.preventDefault());
    this.addEventListener("drop", (event) => (event.preventDefault(), this.#dropped(event.dataTransfer)));
    this.addEventListener("paste", (event) => this.#dropped(event.clipboardData));
    this.#record.addEventListener("pointerdown", () => this.#burst());
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) this.#record.addEventListener(end, () => (this.#recording = false)); // prettier-ignore
    this.addEventListener("keyup", (event) => event.key === " " && (this.#recording = false));
  }

  /** Two minutes with photos that come with tellapart. */
  #firstLook() {
    const steps = [
      "Strips shows photos that look alike: type what they are, such as “hat”, and press Enter. Click what is something else first.",
      "One in five is never in a strip: on Label, say what those are, one at a time. They are the test.",
      "The header says the score so far, and Score which photos were wrong, and what to do next.",
      "On Share, write the model. On Try, show it a hat, and then something that it has never seen.",
    ];
    const begin = make("button", { type: "button", class: "main", click: () => this.#demo(begin) }, "Begin with the demo’s photos");
    return make("section", { class: "card first-look" }, make("h2", {}, "A first look, in two minutes"), make("p", { class: "quiet" }, "84 photos of garments come with tellapart, without their names. Or collect your own below."), make("div", { class: "answers" }, begin), make("ol", {}, ...steps.map((step) => make("li", {}, step)))); // prettier-ignore
  }

  /** @param {any} button */
  async #demo(button) {
    button.disabled = true;
    try {
      await post("/v1/demo", {});
      await this.#store.lookAgain();
      this.#tell(`${this.#store.photos.length} photos of garments. Go on with Strips.`);
      this.#trouble(null);
    } catch (error) {
      button.disabled = false;
      this.#trouble(error);
    }
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const onOther = /** @type {HTMLElement} */ (event.target).closest("button, label") && event.target !== this.#record;
    return event.key === " " && this.#camera.stream && !onOther ? () => event.repeat || this.#burst() : null;
  }

  /** @param {DataTransfer | null} data */
  async #dropped(data) {
    const entries = [...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...(data?.files ?? [])];
    const named = data?.getData("text/uri-list");
    if (!entries.length && !files.length) {
      if (named) this.#tell("The browser hands over only the address of this picture. Save it first, or put its address into a list for “tellapart collect”."); // prettier-ignore
      return;
    }
    const found = entries.length ? (await Promise.all(entries.map((entry) => filesOf(entry)))).flat() : files.map((blob) => ({ name: blob.name, blob })); // prettier-ignore
    this.#take(found);
  }

  /**
   * Hands over files, shows them, and says what they are.
   * @param {Handed[]} files
   * @param {boolean} [burst] whether they are one scene
   */
  #take(files, burst = false) {
    const label = this.#class.value.trim();
    this.#turn = this.#turn.then(() => this.#handOver(files, label, burst)).catch((error) => this.#trouble(error));
    return this.#turn;
  }

  /** @param {Handed[]} files @param {string} label @param {boolean} burst */
  async #handOver(files, label, burst) {
    /** @type {string[]} */
    const ids = [];
    /** @type {[string, string][]} */
    const refused = [];
    let known = 0;
    for (const [number, { name, blob }] of files.entries()) {
      this.#tell(`${(number + 1).toLocaleString()} of ${files.length.toLocaleString()}…`);
      try {
        if (/\.zip$/i.test(name)) {
          const zip = await runJob("unzip", { zip: await handOverZip(blob), name });
          ids.push(...zip.photos);
          refused.push(...zip.refused);
          known += zip.n_known;
        } else if (blob.type.startsWith("video/")) {
          for (const frame of await framesOf(blob, name)) ids.push((await handOver(frame.blob, frame.name)).photo);
        } else {
          const one = await handOver(blob, name);
          if (one.known) known++;
          ids.push(one.photo);
        }
      } catch (error) {
        refused.push([name, /** @type {Error} */ (error).message]);
      }
    }
    await this.#store.lookAgain();
    const photos = ids.flatMap((id) => this.#store.byId.get(id) ?? []);
    if (label && photos.length) await this.#store.act({ do: "label", label }, photos, { label, none: false });
    if (burst && photos.length > 1) this.#store.stacks.join(photos);
    const here = known ? `; ${known.toLocaleString()} were here already` : "";
    this.#tell(`${photos.length.toLocaleString()} ${photos.length === 1 ? "photo" : "photos"}${label ? ` of “${label}”` : ""}${here}${refused.length ? `; not taken: ${refused.length.toLocaleString()}` : ""}.`); // prettier-ignore
    this.#refused.replaceChildren(...refused.slice(0, TOLD).map(([name, why]) => make("li", {}, make("bdi", {}, name), `: ${why}`)));
    this.#trouble(null);
  }

  async #toggle() {
    if (this.#camera.stream) return this.close();
    await this.#show("");
    const cameras = await this.#camera.list();
    this.#which.replaceChildren(...cameras.map(({ deviceId, label }, number) => make("option", { value: deviceId }, label || `Camera ${number + 1}`))); // prettier-ignore
    this.#which.hidden = cameras.length < 2 || !this.#camera.stream;
  }

  /** @param {string} which */
  async #show(which) {
    try {
      await this.#camera.start(which);
      this.#trouble(null);
    } catch (error) {
      this.#trouble(error);
    }
    this.#shown(Boolean(this.#camera.stream));
  }

  /** @param {boolean} on */
  #shown(on) {
    this.#video.hidden = this.#record.hidden = !on;
    if (!on) this.#which.hidden = true;
    this.#start.textContent = on ? "Stop the camera" : "Use the camera";
  }

  async #burst() {
    if (this.#recording || !this.#camera.stream) return;
    this.#recording = true;
    const video = /** @type {any} */ (this.#video);
    const difference = new Difference();
    const stamp = new Date().toISOString().replace(/[:.]/g, "-");
    /** @type {Handed[]} */
    const frames = [];
    this.#record.textContent = "Recording…";
    do {
      if (difference.differs(video)) frames.push({ name: `${stamp}-${String(frames.length + 1).padStart(3, "0")}.jpg`, blob: await frameOf(video) }); // prettier-ignore
      this.#tell(`${frames.length} different ${frames.length === 1 ? "frame" : "frames"}…`);
      await new Promise((done) => setTimeout(done, BURST_MS));
    } while (this.#recording && this.#camera.stream);
    this.#recording = false;
    this.#record.textContent = "Hold to record";
    this.#take(frames, true);
  }

  /** @param {string} text */
  #tell(text) {
    this.#said.textContent = text;
  }

  /** @param {any} error */
  #trouble(error) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
  }
}

/**
 * The files in what was dropped, folders and all.
 * @param {any} entry
 * @param {string} [path]
 * @returns {Promise<Handed[]>}
 */
async function filesOf(entry, path = "") {
  const name = `${path}${entry.name}`;
  if (entry.isFile) {
    const blob = await new Promise((done, failed) => entry.file(done, failed));
    return [{ name, blob }];
  }
  const reader = entry.createReader();
  /** @type {Handed[]} */
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
 * @returns {Promise<Handed[]>}
 */
async function framesOf(blob, name) {
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
    /** @type {Handed[]} */
    const frames = [];
    const end = Number.isFinite(video.duration) ? video.duration : 0;
    for (let at = 0; at <= end && frames.length < MOST_FRAMES; at += STEP_S) {
      if (at) {
        video.currentTime = at;
        await happened("seeked");
      }
      const stem = name.replace(/.*\//, "").replace(/\.[^.]*$/, "");
      if (difference.differs(video)) frames.push({ name: `${stem}-${String(frames.length + 1).padStart(4, "0")}.jpg`, blob: await frameOf(video) }); // prettier-ignore
    }
    return frames;
  } finally {
    URL.revokeObjectURL(address);
  }
}

customElements.define("collect-screen", CollectScreen);
