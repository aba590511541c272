/** Photos handed over: dropped, pasted, chosen, in zips, from the camera, or as frames of a video. */

import { Camera, Difference, frameOf } from "./camera.js";
import { handOver, handOverZip, post, Refused } from "./client.js";
import { make, named } from "./elements.js";
import { filesOf, framesOf, isStray } from "./given.js";
import { runJob } from "./jobs.js";

/** @typedef {import("./given").Given} Given */
/** @typedef {import("./studio-types").Added} Added */
/** @typedef {import("./studio-types").Handed} Handed */
/** @typedef {{photos: Handed[], label: string, by_folder: boolean, burst: boolean}} Batch */

const BURST_MS = 120; // between two looks at the camera while it records
const TOLD = 200;

class CollectScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #class = make("input", { type: "text", id: "as-class", list: "as-classes", autocomplete: "off", maxlength: "500", placeholder: "none yet" }); // prettier-ignore
  #classes = make("datalist", { id: "as-classes" });
  #said = make("p", { class: "collected", role: "status" });
  #next = make("div", { class: "answers" });
  /** @type {{batch: Batch, came: number, nRefused: number, added: Added} | null} what came in last */
  #last = null;
  #look = /** @type {HTMLElement | null} */ (null);
  #untouched = false; // nothing else was done since
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
    const folders = make("p", { class: "quiet" }, "Where nothing is typed there, folders such as hat and shoes, dropped together or within one, are the classes of what is in them."); // prettier-ignore
    const where = make("p", { class: "quiet" }, `Drop or paste photos, folders, zips and videos anywhere here. They are kept as they are in ${store.about?.kept_in}/photos, and nothing leaves this machine.`); // prettier-ignore
    this.append(
      make("section", { class: "card" }, make("h2", {}, "Collect photos"), where, as, folders, make("div", { class: "answers" }, ...chooser("files", "Choose files", { accept: "image/*,video/*,.zip" }), ...chooser("a-folder", "Choose a folder", { webkitdirectory: true }), ...chooser("shot", "Take a photo", { accept: "image/*", capture: "environment" }))), // prettier-ignore
      make("section", { class: "card" }, make("h2", {}, "Camera"), make("p", { class: "quiet" }, "Hold the button, or Space, to record: a frame is kept only if it differs from the last one kept, and what is recorded at once is one scene."), make("div", { class: "answers" }, this.#start, this.#which, this.#record), this.#video), // prettier-ignore
      make("section", { class: "card" }, make("h2", {}, "What came in"), this.#said, this.#next, this.#refused),
    );
    if (!store.photos.length) this.prepend((this.#look = this.#firstLook()));
    this.#said.textContent = "Nothing yet.";
    store.addEventListener("change", () => this.#draw());
    store.addEventListener("act", () => (this.#untouched = false));
    this.addEventListener("dragover", (event) => event.preventDefault());
    this.addEventListener("drop", (event) => (event.preventDefault(), this.#given(event.dataTransfer)));
    this.addEventListener("paste", (event) => this.#given(event.clipboardData));
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
      await this.#store.load();
      this.#tell(`${this.#store.photos.length} photos of garments. Go on with Strips.`);
      this.#trouble(null);
    } catch (error) {
      this.#trouble(error);
    }
    button.disabled = false;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key.toLowerCase() === "u" && !event.altKey && !event.ctrlKey && !event.metaKey) return () => this.#store.act({ do: "undo" }); // prettier-ignore
    const onOther = /** @type {HTMLElement} */ (event.target).closest("button, label") && event.target !== this.#record;
    return event.key === " " && this.#camera.stream && !onOther ? () => event.repeat || this.#burst() : null;
  }

  /** @param {DataTransfer | null} data */
  #given(data) {
    this.#dropped(data).catch((error) => this.#trouble(new Refused("What was dropped cannot be read.", error.message)));
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
   * @param {Given[]} given
   * @param {boolean} [burst] whether they are one scene
   */
  #take(given, burst = false) {
    const label = this.#class.value.trim();
    const files = given.filter(({ name }) => !isStray(name));
    if (!files.length) return this.#tell(burst ? "No frame was kept." : "There was no file in it.");
    this.#turn = this.#turn
      .then(() => this.#handOver(files, label, burst))
      .catch((error) => this.#trouble(error))
      .finally(() => (this.#store.handing = false));
  }

  /** @param {Given[]} files @param {string} label @param {boolean} burst */
  async #handOver(files, label, burst) {
    /** @type {Handed[]} */
    const photos = [];
    /** @type {[string, string][]} */
    const refused = [];
    let came = 0;
    this.#store.handing = true;
    const one = async (/** @type {Given} */ { name, blob }) => {
      const { photo, known } = await handOver(blob, name);
      photos.push([photo, name, !known]);
      came++;
    };
    for (const [number, { name, blob }] of files.entries()) {
      this.#tell(`${(number + 1).toLocaleString()} of ${files.length.toLocaleString()}…`);
      try {
        if (/\.zip$/i.test(name)) {
          const zip = await runJob("unzip", { zip: await handOverZip(blob), name });
          photos.push(...zip.photos.map((/** @type {Handed} */ [id, path, isNew]) => [id, `${name}//${path}`, isNew])); // a set of its own
          refused.push(...zip.refused);
          came += zip.n_known + zip.photos.filter((/** @type {Handed} */ [, , isNew]) => isNew).length;
        } else if (blob.type.startsWith("video/")) {
          for (const frame of await framesOf(blob, name)) await one(frame);
        } else {
          await one({ name, blob });
        }
      } catch (error) {
        const { message, hint = "" } = /** @type {Refused} */ (error);
        refused.push([name, `${message} ${hint}`.trim()]);
      }
    }
    this.#refused.replaceChildren(...refused.slice(0, TOLD).map(([name, why]) => make("li", {}, make("bdi", {}, name), `: ${why}`)));
    await this.#add({ photos, label, by_folder: true, burst }, came, refused.length);
  }

  /**
   * Makes them photos of the studio, as one action.
   * @param {Batch} batch
   * @param {number} came
   * @param {number} nRefused
   */
  async #add(batch, came, nRefused) {
    let trouble = null;
    const added = await this.#store.add(batch).catch((error) => {
      if (!batch.label && !batch.by_folder) throw error;
      trouble = error; // a class cannot be called so: better without one than not at all
      return this.#store.add({ ...batch, label: "", by_folder: false });
    });
    this.#last = { batch: trouble ? { ...batch, label: "" } : batch, came, nRefused, added };
    this.#untouched = true;
    this.#draw();
    this.#trouble(trouble);
  }

  /** What came in last, and what can be done about it. */
  #draw() {
    if (this.#look) this.#look.hidden = this.#store.photos.length > 0;
    if (!this.#last) return;
    const { batch, added } = this.#last;
    const { undo, redo, byId } = this.#store;
    const first = batch.photos.find(([, , isNew]) => isNew)?.[0] ?? "";
    const gone = Boolean(added.n_new && !byId.has(first));
    const key = JSON.stringify([gone, undo, redo, this.#untouched, added]);
    if (this.#next.dataset.key === key) return; // so that the focus stays
    const focused = this.#next.contains(document.activeElement);
    this.#next.dataset.key = key;
    const button = (/** @type {any} */ text, /** @type {() => void} */ click) => make("button", { type: "button", click }, ...text);
    const photos = counted(added.n_new, "photo");
    if (gone) {
      this.#tell(`Taken back: ${photos}. The files are kept, and ${redo ? "redo brings them back" : "can be handed over again"}.`);
      this.#next.replaceChildren(...(redo === "add" ? [button(["Redo"], () => this.#store.act({ do: "redo" }))] : []));
    } else {
      this.#tell(sentence(this.#last));
      const again = (/** @type {Partial<Batch>} */ change) => () => this.#again(change);
      this.#next.replaceChildren(
        ...(undo === "add" ? [button(["Undo"], () => this.#store.act({ do: "undo" }))] : []),
        ...(undo === "add" && this.#untouched && added.by_folder ? [button(["Without these classes"], again({ by_folder: false }))] : []),
        ...(undo === "add" && this.#untouched && added.folder && added.n_new ? [button(["Label them ", named(added.folder)], again({ label: added.folder }))] : []), // prettier-ignore
      );
    }
    if (focused) /** @type {HTMLElement} */ (this.#next.querySelector("button") ?? this).focus();
  }

  /** The same once more, called otherwise. @param {Partial<Batch>} change */
  async #again(change) {
    if (!this.#last) return;
    const { batch, came, nRefused } = this.#last;
    try {
      await this.#store.act({ do: "undo" });
      await this.#add({ ...batch, ...change }, came, nRefused);
    } catch (error) {
      this.#trouble(error);
    }
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
    /** @type {Given[]} */
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

/** @param {number} n @param {string} what */
const counted = (n, what) => `${n.toLocaleString()} ${what}${n === 1 ? "" : "s"}`;

/**
 * What came in, in a sentence.
 * @param {{batch: Batch, came: number, nRefused: number, added: Added}} last
 */
function sentence({ batch, came, nRefused, added }) {
  const { n_new, n_kept, n_left, classes, by_folder, folder, note } = added;
  const known = came - n_new;
  const each = Object.entries(classes).map(([name, n]) => `${n.toLocaleString()} of “${name}”`);
  const most = each.length > 12 ? [...each.slice(0, 12), `and ${each.length - 12} more classes`] : each;
  const what = by_folder ? `, called by their folders: ${most.join(", ")}` : batch.label ? ` of “${batch.label}”` : folder ? ` from the folder “${folder}”, without a label` : ""; // prettier-ignore
  const parts = [
    n_new || !came ? `${counted(n_new, "photo")}${what}` : "No new photo",
    ...(known ? [`${known.toLocaleString()} ${known === 1 ? "was" : "were"} here already`] : []),
    ...(n_kept ? [`${n_kept.toLocaleString()} ${n_kept === 1 ? "keeps" : "keep"} what was said of ${n_kept === 1 ? "it" : "them"} before`] : []),
    ...(n_left ? [`${n_left.toLocaleString()} without a label ${n_left === 1 ? "is for the test and was left as it is: label it" : "are for the test and were left as they are: label each"} by itself`] : []), // prettier-ignore
    ...(nRefused ? [`not taken: ${nRefused.toLocaleString()}`] : []),
  ];
  return `${parts.join("; ")}. ${note}`.trim();
}

customElements.define("collect-screen", CollectScreen);
