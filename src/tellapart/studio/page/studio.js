/** The page of the studio: its parts, and what keys and buttons do. */

import { classOfKey } from "./class-panel.js";
import { changeClasses, showKeys, showWritten } from "./dialogs.js";
import { make } from "./elements.js";
import "./photo-grid.js";
import { SHOWN, SORTED, Store } from "./store.js";

const KEYS_OF_MOVES = /** @type {Record<string, string>} */ ({ h: "ArrowLeft", j: "ArrowDown", k: "ArrowUp", l: "ArrowRight" });
const UNDONE = /** @type {Record<string, string>} */ ({
  label: "a label", none: "“none of these”", out: "leaving out", other: "the class of none of these",
  class_new: "a new class", class_rename: "a new name", class_merge: "a merge", class_delete: "a deleted class",
}); // prettier-ignore

class StudioPage extends HTMLElement {
  #store = new Store();
  #grid = /** @type {import("./photo-grid").PhotoGrid} */ (document.createElement("photo-grid"));
  #panel = /** @type {import("./class-panel").ClassPanel} */ (document.createElement("class-panel"));
  #title = make("h1", {}, "Studio");
  #saved = make("p", { class: "saved", role: "status" });
  #trouble = make("p", { class: "trouble", role: "alert" });
  #count = make("p", { class: "count-line", "aria-live": "polite" });
  #empty = make("div", { class: "empty", hidden: true });
  #foot = make("footer");
  #offer = make("button", { type: "button", hidden: true, click: () => this.#act({ do: "other" }) });
  #undo = make("button", { type: "button", click: () => this.#act({ do: "undo" }) }, "Undo");
  #redo = make("button", { type: "button", click: () => this.#act({ do: "redo" }) }, "Redo");
  #find = make("input", { type: "search", id: "find", placeholder: "Search names", "aria-label": "Search photos by name", autocomplete: "off" }); // prettier-ignore
  #selects = { show: make("select", { id: "show" }), class: make("select", { id: "of-class" }), folder: make("select", { id: "folder" }), sort: make("select", { id: "sort" }) }; // prettier-ignore

  connectedCallback() {
    this.append(this.#head(), make("main", {}, this.#empty, this.#grid), this.#side(), this.#foot);
    this.#grid.addEventListener("choice", () => this.#sayCount());
    this.#panel.addEventListener("label", (event) => this.#label(/** @type {CustomEvent} */ (event).detail));
    this.#panel.addEventListener("end", () => this.#grid.focus());
    this.#store.addEventListener("change", () => this.#draw());
    this.#store.addEventListener("saved", () => this.#say(""));
    this.#store.addEventListener("refused", (event) => this.#refused(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#store.catchUp().catch((error) => this.#refused(error));
    });
    addEventListener("beforeunload", (event) => {
      if (this.#store.waiting) event.preventDefault(); // what was done is not on the disk yet
    });
    this.#store.load().then(() => this.#grid.focus(), (error) => this.#refused(error)); // prettier-ignore
  }

  #head() {
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
      "header",
      {},
      make("div", { class: "top" }, this.#title, this.#saved, make("button", { type: "button", class: "round", "aria-label": "Keys", click: showKeys }, "?")), // prettier-ignore
      make("div", { class: "filters" }, filter("show", "Show"), filter("class", "Class"), filter("folder", "Folder"), filter("sort", "Sort"), this.#find), // prettier-ignore
      make("div", { class: "choice" }, this.#count, make("span", { class: "buttons" }, "Choose ", all, none, range)),
      this.#trouble,
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
        make("button", { type: "button", click: () => this.#write() }, "Write photos.csv"),
        this.#offer,
      ),
    );
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest("input, select, textarea, dialog")) return;
    const does = this.#everywhere(event) ?? (target === this.#grid || target === document.body ? this.#onPhotos(event) : null); // prettier-ignore
    if (!does) return;
    event.preventDefault();
    does();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null | undefined}
   */
  #everywhere(event) {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      if (key === "z") return () => this.#act({ do: event.shiftKey ? "redo" : "undo" });
      return key === "y" ? () => this.#act({ do: "redo" }) : null;
    }
    if (event.altKey) return null;
    if (key === "?") return showKeys;
    return key === "/" ? () => this.#find.focus() : null;
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
    else this.#say("There is no class yet: type one.");
  }

  async #lookAgain() {
    this.#say("Looking…");
    try {
      const n = await this.#store.lookAgain();
      this.#grid.focus();
      this.#say(n ? `${n.toLocaleString()} new ${n === 1 ? "photo" : "photos"}.` : "No new photos.");
    } catch (error) {
      this.#refused(error);
    }
  }

  async #write() {
    try {
      showWritten(await this.#store.write());
    } catch (error) {
      this.#refused(error);
    }
  }

  /** @param {any} error */
  #refused(error) {
    this.#trouble.textContent = [error.message, error.hint].filter(Boolean).join(" ");
    this.#draw();
  }

  /** @param {string} text */
  #say(text) {
    this.#trouble.textContent = "";
    this.#saved.textContent = text || (this.#store.waiting ? "Saving…" : "✓ Saved");
  }

  #draw() {
    const store = this.#store;
    const { about, classes } = store;
    if (!about) return;
    document.title = `${about.name} – Studio`;
    this.#title.textContent = about.name;
    if (store.waiting) this.#saved.textContent = "Saving…";
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
    const unusable = about.unusable.length ? this.#unusable(about.unusable) : "";
    const notes = about.notes.length ? `${about.notes.join(" ")} ` : "";
    this.#foot.replaceChildren(make("p", {}, `Photos stay as and where they are, and nothing leaves this machine. ${notes}What you say is kept in ${about.kept_in}.`), unusable); // prettier-ignore
    this.#grid.show(store.view);
    this.#sayCount();
  }

  /** @param {[string, string][]} pairs */
  #unusable(pairs) {
    const list = pairs.slice(0, 200).map(([name, reason]) => make("li", {}, `${name}: ${reason}`));
    const noun = pairs.length === 1 ? "file" : "files";
    return make("details", {}, make("summary", {}, `${pairs.length.toLocaleString()} ${noun} not shown`), make("ul", {}, ...list)); // prettier-ignore
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

customElements.define("studio-page", StudioPage);
