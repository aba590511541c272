/** The two dialogs: what the keys do, and classes renamed, merged and deleted. */

import { make } from "./elements.js";

/** @type {[string, string][]} */
const KEYS = [
  ["1 – 9, 0", "label with that class and go on"],
  ["C", "type a class, old or new; Enter labels"],
  ["N", "none of these, and go on"],
  ["X or D", "leave out, or take in again"],
  ["Backspace", "take the label away"],
  ["Space", "later: go on without a word"],
  ["← ↑ ↓ →, or H J K L", "move; with Shift, choose a range"],
  ["V or Enter, double click", "the photo by itself, with the square that the network sees"],
  ["M", "more like this; Esc: all photos again"],
  ["O; S; G", "open or close a stack; split it, or the chosen photos off; join the chosen in one stack"],
  ["Home, End, Page up, Page down", "move far"],
  ["Shift-click", "choose a range"],
  ["Ctrl-click, Ctrl-Space", "choose one more, or one less"],
  ["Ctrl-A, Esc", "choose all, none"],
  ["U or Ctrl-Z, Ctrl-Y", "undo, redo; one undo for a bulk action, too"],
  ["/", "search photos by name"],
  ["E", "rename, merge or delete a class"],
  ["A or Enter", "in Strips: accept what is proposed for the whole strip"],
  ["1 – 9, 0 or N; X", "in Strips: what the photo pointed at is, else the whole strip; take a photo out"],
  ["A or Enter, R", "in Doubts: do what is proposed; this is right, never ask again"],
  ["Space, held", "in Collect: record from the camera"],
  ["[ and ]", "the screen before, the next screen"],
  ["?", "this list"],
];

/** @param {any} dialog */
export function opened(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

export function showKeys() {
  const rows = KEYS.map(([key, does]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, does)));
  opened(
    make(
      "dialog",
      { "aria-labelledby": "keys-title" },
      make("h2", { id: "keys-title" }, "Keys"),
      make("p", { class: "quiet" }, "They hold while the photos have the focus; Ctrl-Z, / and ? hold everywhere."),
      make("table", {}, make("tbody", {}, ...rows)),
      make("form", { method: "dialog" }, make("button", { class: "main" }, "Close")),
    ),
  );
}

/**
 * @param {string[]} classes
 * @param {(action: Record<string, string>) => void} act
 */
export function changeClasses(classes, act) {
  /** @param {string} id @param {string} label */
  const select = (id, label) =>
    make("label", {}, label, make("select", { id }, ...classes.map((name) => make("option", {}, name))));
  const which = select("class-which", "Class");
  const name = make("label", {}, "New name", make("input", { id: "class-name", maxlength: "500", autocomplete: "off" }));
  const into = select("class-into", "Merge into");
  const value = (/** @type {any} */ label) => label.lastElementChild.value;
  /** @type {(text: string, make: () => Record<string, string>) => any} */
  const button = (text, action) =>
    make("button", { type: "button", click: () => (act(action()), dialog.close()) }, text);
  const dialog = make(
    "dialog",
    { "aria-labelledby": "classes-title", class: "classes" },
    make("h2", { id: "classes-title" }, "Change classes"),
    make("p", { class: "quiet" }, "Each can be undone. A deleted class leaves its photos without a label."),
    which,
    make("div", { class: "pair" }, name, button("Rename", () => ({ do: "class_rename", name: value(which), to: value(name) }))), // prettier-ignore
    make("div", { class: "pair" }, into, button("Merge", () => ({ do: "class_merge", name: value(which), to: value(into) }))), // prettier-ignore
    button("Delete the class", () => ({ do: "class_delete", name: value(which) })),
    make("form", { method: "dialog" }, make("button", { class: "main" }, "Close")),
  );
  opened(dialog);
  into.lastElementChild.selectedIndex = Math.min(1, classes.length - 1);
}
