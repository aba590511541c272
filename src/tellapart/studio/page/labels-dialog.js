/** Labels that were given elsewhere: a file is chosen, what it would do is said, and only then done. */

import { Refused, sendFile } from "./client.js";
import { opened } from "./dialogs.js";
import { make } from "./elements.js";

const MAX_MB = 20; // that the server takes at once

/** @typedef {{kind: string, n_rows: number, n_photos: number, n_new: number, n_same: number, n_other: number, new_classes: string[], left: string[], notes: string[]}} Told */

const counted = (/** @type {number} */ n) => `${n.toLocaleString()} ${n === 1 ? "photo" : "photos"}`;

/**
 * @param {import("./store").Store} store
 * @param {(kind: "say" | "trouble", detail: any) => void} tell
 */
export function openLabels(store, tell) {
  const file = make("input", { type: "file", id: "labels-file", accept: ".csv,.tsv,.txt,.tab,.json,.jsonl,.ndjson" });
  const said = make("div", { class: "said", "aria-live": "polite" });
  const dialog = make(
    "dialog",
    { "aria-labelledby": "labels-title", class: "labels" },
    make("h2", { id: "labels-title" }, "Take labels from a file"),
    make("p", { class: "quiet" }, "A CSV, TSV or JSONL with path and label; an export of Label Studio (JSON, JSON-MIN, CSV) or of FiftyOne (samples.json, labels.json). Photos are found by their paths and names."), // prettier-ignore
    make("label", {}, "File", file),
    said,
    make("form", { method: "dialog" }, make("button", {}, "Close")),
  );
  /** @param {string} how */
  const take = async (how) => {
    try {
      await store.settled();
      const told = await send(file.files[0], how);
      const n = told.n_new + (how === "all" ? told.n_other : 0);
      await store.catchUp();
      dialog.close();
      tell("say", `Labels of ${counted(n)} taken. One undo takes them back.`);
    } catch (error) {
      said.replaceChildren(wrong(error));
    }
  };
  file.addEventListener("change", async () => {
    said.replaceChildren(make("p", {}, "Looking…"));
    try {
      await store.settled();
      if (file.files.length) said.replaceChildren(...described(await send(file.files[0], "look"), take));
    } catch (error) {
      said.replaceChildren(wrong(error));
    }
  });
  opened(dialog);
}

/**
 * @param {File} file
 * @param {string} how
 * @returns {Promise<Told>}
 */
function send(file, how) {
  if (file.size > MAX_MB * 1e6) {
    throw new Refused(`The file is larger than ${MAX_MB} MB.`, "Start the studio with it: tellapart studio … --labels FILE"); // prettier-ignore
  }
  return sendFile(`/v1/labels?${new URLSearchParams({ name: file.name, how })}`, file);
}

/** @param {any} error */
const wrong = (error) => make("p", { class: "trouble" }, [error.message, error.hint].filter(Boolean).join(" "));

/**
 * @param {Told} told
 * @param {(how: string) => void} take
 */
function described(told, take) {
  const rows = `${told.n_rows.toLocaleString()} ${told.n_rows === 1 ? "row" : "rows"}`;
  const classes = told.new_classes.slice(0, 12).map((name) => `“${name}”`);
  if (told.new_classes.length > classes.length) classes.push("…");
  const sentences = [
    `${rows} of ${told.kind}: labels of ${counted(told.n_photos)} that are here.`,
    `${counted(told.n_new)} without a label so far; ${told.n_other.toLocaleString()} with another one; ${told.n_same.toLocaleString()} as it says already.`,
    classes.length ? `New classes: ${classes.join(", ")}.` : "",
    ...told.left,
    ...told.notes,
  ]; // prettier-ignore
  const some = make("button", { type: "button", class: "main", disabled: !told.n_new, click: () => take("new") }, `Label ${counted(told.n_new)} without a label`); // prettier-ignore
  const all = make("button", { type: "button", hidden: !told.n_other, click: () => take("all") }, `Also replace ${told.n_other.toLocaleString()} other labels`); // prettier-ignore
  return [...sentences.filter(Boolean).map((text) => make("p", {}, text)), make("div", { class: "answers" }, some, all)];
}
