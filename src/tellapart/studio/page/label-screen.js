/** The screen on which photos are labelled: the grid, what narrows it, and what is said of the chosen photos. */

import { classOfKey } from "./class-panel.js";
import { changeClasses } from "./dialogs.js";
import { make } from "./elements.js";
import { openLabels } from "./labels-dialog.js";
import "./photo-grid.js";
import { SHOWN, SORTED } from "./store.js";
import { openWrite } from "./write-dialog.js";

const KEYS_OF_MOVES = /** @type {Record<string, string>} */ ({ h: "ArrowLeft", j: "ArrowDown", k: "ArrowUp", l: "ArrowRight" });
const UNDONE = /** @type {Record<string, string>} */ ({
  label: "a label", none: "“none of these”", out: "leaving out", other: "the class of none of these",
  class_new: "a new class", class_rename: "a new name", class_merge: "a merge", class_delete: "a deleted class",
  right: "“this is right”", labels: "the labels of a file",
}); // prettier-ignore

export class LabelScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #grid = /** @type {import("./photo-grid").PhotoGrid} */ (document.createElement("photo-grid"));
  #panel = /** @type {import("./class-panel").ClassPanel} */ (document.createElement("class-panel"));
  #count = make("p", { class: "count-line", "aria-live": "polite" });
  #empty = make("div", { class: "empty", hidden: true });
  #offer = make("button", { type: "button", hidden: true, click: () => this.#act({ do: "other" }) });
  #undo = make("button", { type: "button", click: () => this.#act({ do: "undo" }) }, "Undo");
  #redo = make("button", { type: "button", click: () => this.#act({ do: "redo" }) }, "Redo");
  #find = make("input", { type: "search", id: "find", placeholder: "Search names", "aria-label": "Search photos by name", autocomplete: "off" }); // prettier-ignore
  #selects = { show: make("select", { id: "show" }), class: make("select", { id: "of-class" }), folder: make("select", { id: "folder" }), sort: make("select", { id: "sort" }) }; // prettier-ignore

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      this.append(this.#filters(), make("div", { class: "photos" }, this.#empty, this.#grid), this.#side());
      this.#grid.addEventListener("choice", () => this.#sayCount());
      this.#panel.addEventListener("label", (event) => this.#label(/** @type {CustomEvent} */ (event).detail));
      this.#panel.addEventListener("end", () => this.#grid.focus());
      store.addEventListener("change", () => this.#draw());
    }
    this.#draw();
    this.#grid.focus();
  }

  #filters() {
    /** @type {(key: "show" | "class" | "folder" | "sort", text: string) => any} */
    const filter = (key, text) => {
      const select = this.#selects[key];
      select.addEventListener("change", () => this.#store.setFilter({ [key]: select.value }));
      return make("label", {}, make("span", {}, text), select);
    };
    this.#find.addEventListener("input", () => this.#store.setFilter({ find: this.#find.value }));
    this.#find.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") this.#grid.focus();
    });
    const all = make("button", { type: "button", click: () => (this.#grid.chooseAll(), this.#grid.focus()) }, "All");
    const none = make("button", { type: "button", click: () => (this.#grid.chooseNone(), this.#grid.focus()) }, "None");
    const range = make("button", { type: "button", click: () => (this.#grid.ranging = true), title: "The next photo ends a range that begins at the last one" }, "Range to…"); // prettier-ignore
    return make(
      "div",
      { class: "narrow" },
      make("div", { class: "filters" }, filter("show", "Show"), filter("class", "Class"), filter("folder", "Folder"), filter("sort", "Sort"), this.#find), // prettier-ignore
      make("div", { class: "choice" }, this.#count, make("span", { class: "buttons" }, "Choose ", all, none, range)),
    );
  }

  #side() {
    const meant = (/** @type {() => void} */ act) => () => (act(), this.#grid.focus());
    return make(
      "aside",
      { "aria-label": "What the chosen photos are" },
      this.#panel,
      make(
        "div",
        { class: "actions" },
        make("button", { type: "button", click: meant(() => this.#none()) }, "None of these"),
        make("button", { type: "button", click: meant(() => this.#leaveOut()) }, "Leave out"),
        make("button", { type: "button", click: meant(() => this.#label("")) }, "No label"),
        this.#undo,
        this.#redo,
        make("button", { type: "button", click: () => this.#changeClasses() }, "Change classes…"),
        make("button", { type: "button", click: () => this.#lookAgain() }, "Look again"),
        make("button", { type: "button", click: () => this.#write() }, "Write…"),
        make("button", { type: "button", click: () => openLabels(this.#store, (kind, detail) => this.#tell(kind, detail)) }, "Take labels…"), // prettier-ignore
        this.#offer,
      ),
    );
  }

  /**
   * What a key does here, given what has the focus.
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null | undefined}
   */
  pressed(event) {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) return () => this.#find.focus();
    return event.target === this.#grid || event.target === document.body ? this.#onPhotos(event) : null;
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null | undefined}
   */
  #onPhotos(event) {
    const grid = this.#grid;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey) return null;
    if (event.ctrlKey || event.metaKey) {
      return key === "a" ? () => grid.chooseAll() : key === " " ? () => grid.toggle() : null;
    }
    const step = this.#step(KEYS_OF_MOVES[key] ?? key);
    if (step !== undefined) return () => grid.moveTo(step, event.shiftKey);
    const name = classOfKey(key, this.#store.classes);
    if (name !== undefined) return () => this.#label(name);
    return /** @type {Record<string, () => void>} */ ({
      n: () => this.#none(),
      x: () => this.#leaveOut(),
      d: () => this.#leaveOut(),
      u: () => this.#act({ do: "undo" }),
      c: () => this.#panel.typeIn(),
      e: () => this.#changeClasses(),
      " ": () => grid.goOn(),
      Backspace: () => this.#label(""),
      Escape: () => grid.chooseNone(),
    })[key];
  }

  /**
   * @param {string} key
   * @returns {number | undefined} the photo that a key moves to
   */
  #step(key) {
    const { cursor, columns, pageRows } = this.#grid;
    const row = { ArrowUp: -1, ArrowDown: 1, PageUp: -pageRows, PageDown: pageRows }[key];
    if (row !== undefined) return cursor + row * columns;
    return { ArrowLeft: cursor - 1, ArrowRight: cursor + 1, Home: 0, End: this.#store.view.length - 1 }[key];
  }

  /** @param {string} label */
  #label(label) {
    const photos = this.#grid.meant;
    if (!photos.length) {
      if (label && !this.#store.classes.includes(label)) this.#act({ do: "class_new", name: label });
      return;
    }
    if (label) this.#grid.goOn();
    this.#store.act({ do: "label", label }, photos, { label, none: false });
  }

  #none() {
    const photos = this.#grid.meant;
    this.#grid.goOn();
    if (photos.length) this.#store.act({ do: "none" }, photos, { label: "", none: true });
  }

  #leaveOut() {
    const photos = this.#grid.meant;
    const out = photos.some((photo) => !photo.out);
    if (photos.length) this.#store.act({ do: "out", out }, photos, { out });
  }

  /** @param {Record<string, string>} action */
  #act(action) {
    this.#store.act(action);
    this.#grid.focus();
  }

  #changeClasses() {
    if (this.#store.classes.length) changeClasses(this.#store.classes, (action) => this.#act(action));
    else this.#tell("say", "There is no class yet: type one.");
  }

  async #lookAgain() {
    this.#tell("say", "Looking…");
    try {
      const n = await this.#store.lookAgain();
      this.#grid.focus();
      this.#tell("say", n ? `${n.toLocaleString()} new ${n === 1 ? "photo" : "photos"}.` : "No new photos.");
    } catch (error) {
      this.#tell("trouble", error);
    }
  }

  async #write() {
    try {
      await openWrite(this.#store, (kind, detail) => this.#tell(kind, detail));
    } catch (error) {
      this.#tell("trouble", error);
    }
  }

  /**
   * @param {"say" | "trouble"} kind
   * @param {any} detail
   */
  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail, bubbles: true }));
  }

  #draw() {
    const store = this.#store;
    const { about, classes } = store;
    if (!about || !this.isConnected) return;
    this.#fill("show", Object.entries(SHOWN));
    this.#fill("class", [["", "Any class"], ...classes.map((name) => /** @type {[string, string]} */ ([name, name]))]);
    this.#fill("folder", [["", "Any folder"], ...store.folders().filter(Boolean).map((name) => /** @type {[string, string]} */ ([name, name]))]); // prettier-ignore
    this.#fill("sort", Object.entries(SORTED));
    if (document.activeElement !== this.#find) this.#find.value = store.filter.find;
    this.#panel.show(classes, store.counts());
    for (const [button, word, of] of [[this.#undo, "Undo", store.undo], [this.#redo, "Redo", store.redo]]) {
      button.disabled = !of;
      button.title = of ? `${word} ${UNDONE[of] ?? of}` : "";
    }
    const nNone = store.photos.filter((photo) => photo.none && !photo.out).length;
    this.#offer.hidden = nNone < about.enough_for_other;
    this.#offer.textContent = `Make a class “other” of ${nNone} photos of none of these`;
    this.#empty.hidden = store.photos.length > 0;
    this.#grid.hidden = !store.photos.length;
    this.#empty.replaceChildren(make("h2", {}, "No photos yet"), make("p", {}, `Put photos into the folder “${about.name}”, then press Look again. Classes can be typed already.`)); // prettier-ignore
    this.#grid.show(store.view);
    this.#sayCount();
  }

  /**
   * @param {"show" | "class" | "folder" | "sort"} key
   * @param {[string, string][]} options
   */
  #fill(key, options) {
    const select = this.#selects[key];
    const said = JSON.stringify(options);
    if (select.dataset.said !== said) {
      select.dataset.said = said;
      select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    }
    select.value = this.#store.filter[key];
  }

  #sayCount() {
    const { view, photos } = this.#store;
    const chosen = this.#grid.chosen.size;
    const of = view.length === photos.length ? "" : ` of ${photos.length.toLocaleString()}`;
    const text = `${view.length.toLocaleString()}${of} photos${chosen ? `, ${chosen.toLocaleString()} chosen` : ""}`;
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }
}

customElements.define("label-screen", LabelScreen);
