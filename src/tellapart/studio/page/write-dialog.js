/** What was said of the photos, written: as photos.csv, as copies in class folders, as a zip, or by moving them. */

import { get } from "./client.js";
import { opened } from "./dialogs.js";
import { make } from "./elements.js";
import { runJob } from "./jobs.js";

/** @typedef {{path: string, n_photos: number, notes: string[], command: string}} Written */

const counted = (/** @type {number} */ n) => `${n.toLocaleString()} ${n === 1 ? "photo" : "photos"}`;

/** @type {Record<string, {title: string, done: (n: number, path: string) => string}>} */
const FORMS = {
  table: { title: "photos.csv", done: (n, path) => `${counted(n)} with their labels are in ${path}.` },
  copy_out: { title: "Copies in class folders", done: (n, path) => `Copies of ${counted(n)} are in ${path}.` },
  zip_out: { title: "A zip of all of it", done: (n, path) => `${counted(n)} are in ${path}.` },
  move: { title: "Move the photos into class folders", done: (n, path) => `${counted(n)} moved within ${path}. “Write…” can put ${n === 1 ? "it" : "them"} back.` },
  unmove: { title: "Put back", done: (n, path) => `${counted(n)} put back where ${n === 1 ? "it was" : "they were"} in ${path}.` },
}; // prettier-ignore

/**
 * Asks what to write and where, and writes it.
 * @param {import("./store").Store} store
 * @param {(kind: "say" | "trouble", detail: any) => void} tell
 */
export async function openWrite(store, tell) {
  const places = await get("/v1/places");
  const inputs = { copy_out: where(places.folder, "The new folder"), zip_out: where(places.zip, "The new file") };
  const form = make("form", { method: "dialog" });
  const about = {
    table: make("p", {}, `For “tellapart train” on this machine. Replaces ${places.table}.`),
    copy_out: make("div", {}, make("p", {}, "With photos.csv beside. The photos stay where they are."), inputs.copy_out),
    zip_out: make("div", {}, make("p", {}, "Class folders, photos.csv and the journal: to keep, or for another machine."), inputs.zip_out),
    move: make("p", {}, places.movable ? "Within their own folder; nothing is overwritten, and all of it can be put back." : "Not of a list of photos, which may lie anywhere."),
  }; // prettier-ignore
  const choices = Object.entries(about).map(([key, text]) =>
    make(
      "div",
      { class: "way" },
      make("label", {}, make("input", { type: "radio", name: "way", value: key, checked: key === "table", disabled: key === "move" && !places.movable }), FORMS[key].title), // prettier-ignore
      text,
    ),
  );
  const back = make("button", { type: "button", hidden: !places.n_moved }, `Put ${counted(places.n_moved)} back`);
  form.append(
    make("fieldset", {}, make("legend", { class: "quiet" }, "What to write"), ...choices),
    make("div", { class: "answers" }, make("button", { class: "main", value: "write" }, "Write"), make("button", { value: "" }, "Close"), back), // prettier-ignore
  );
  const dialog = make("dialog", { "aria-labelledby": "write-title", class: "writes" }, make("h2", { id: "write-title" }, "Write what you have said"), form); // prettier-ignore
  for (const [key, input] of Object.entries(inputs)) {
    input.addEventListener("input", () => (form.elements.way.value = key));
  }
  back.addEventListener("click", () => dialog.close("unmove"));
  dialog.addEventListener("close", () => {
    const way = dialog.returnValue === "write" ? form.elements.way.value : dialog.returnValue;
    if (way) write(way, inputs, store, tell);
  });
  opened(dialog);
}

/** @param {string} path @param {string} text */
const where = (path, text) => make("input", { type: "text", value: path, "aria-label": text, autocomplete: "off", spellcheck: "false" }); // prettier-ignore

/**
 * @param {string} way
 * @param {Record<string, any>} inputs
 * @param {import("./store").Store} store
 * @param {(kind: "say" | "trouble", detail: any) => void} tell
 */
async function write(way, inputs, store, tell) {
  try {
    await store.settled();
    /** @type {Written} */
    const written = way === "table" ? await table(store) : await runJob(way, { out: inputs[way]?.value ?? "" });
    if (way.endsWith("move")) await store.lookAgain();
    tell("say", "");
    showWritten(FORMS[way].done(written.n_photos, written.path), written);
  } catch (error) {
    tell("trouble", error);
  }
}

/** @param {import("./store").Store} store @returns {Promise<Written>} */
async function table(store) {
  const { left, ...written } = await store.write();
  return { ...written, notes: [left] };
}

/**
 * @param {string} done
 * @param {Written} written
 */
function showWritten(done, { notes, command }) {
  const train = command ? [make("p", {}, "To train on it:"), make("pre", { tabindex: "0" }, command)] : [];
  opened(
    make(
      "dialog",
      { "aria-labelledby": "written-title", class: "written" },
      make("h2", { id: "written-title" }, "Done"),
      make("p", {}, done),
      ...notes.filter(Boolean).map((note) => make("p", {}, note)),
      ...train,
      make("form", { method: "dialog" }, make("button", { class: "main" }, "Close")),
    ),
  );
}
