/** The screen on which photos are labelled: the grid, what narrows it, and what is said of the chosen photos. */

import { classOfKey } from "./class-panel.js";
import { changeClasses } from "./dialogs.js";
import { make } from "./elements.js";
import { events } from "./events.js";
import { openLabels } from "./labels-dialog.js";
import { showLarge } from "./large-view.js";
import { Orders } from "./orders.js";
import "./photo-grid.js";
import { SHOWN, SORTED } from "./store.js";
import { openWrite } from "./write-dialog.js";

const KEYS_OF_MOVES = /** @type {Record<string, string>} */ ({ h: "ArrowLeft", j: "ArrowDown", k: "ArrowUp", l: "ArrowRight" });
const READ_AFTER_MS = 1_000; // so that the first photos are shown first
const UNDONE = /** @type {Record<string, string>} */ ({
  label: "a label", none: "“none of these”", out: "leaving out", other: "the class of none of these",
  class_new: "a new class", class_rename: "a new name", class_merge: "a merge", class_delete: "a deleted class",
  right: "“this is right”", split: "a split of stacks", join: "a join of stacks", labels: "the labels of a file", add: "photos handed over",
}); // prettier-ignore

export class LabelScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #grid = /** @type {import("./photo-grid").PhotoGrid} */ (document.createElement("photo-grid"));
  #panel = /** @type {import("./class-panel").ClassPanel} */ (document.createElement("class-panel"));
  #orders = /** @type {Orders} */ (/** @type {unknown} */ (null));
  #like = make("p", { class: "like", hidden: true });
  #count = make("p", { class: "count-line", "aria-live": "polite" });
  #empty = make("div", { class: "empty", hidden: true });
  #offer = make("button", { type: "button", hidden: true, click: () => this.#act({ do: "other" }) });
  #undo = make("button", { type: "button", click: () => this.#act({ do: "undo" }) }, "Undo");
  #redo = make("button", { type: "button", click: () => this.#act({ do: "redo" }) }, "Redo");
  #find = make("input", { type: "search", id: "find", placeholder: "Search names", "aria-label": "Search photos by name", autocomplete: "off" }); // prettier-ignore
  #selects = { show: make("select", { id: "show" }), class: make("select", { id: "of-class" }), answer: make("select", { id: "of-answer" }), folder: make("select", { id: "folder" }), sort: make("select", { id: "sort" }) }; // prettier-ignore

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      this.#orders = new Orders(store, (error) => this.#tell("trouble", error));
      const find = (/** @type {boolean} */ again) => store.stacks.find(again).catch((error) => this.#tell("trouble", error));
      setTimeout(find, READ_AFTER_MS, false);
      events.addEventListener("looked", () => find(true));
      this.#grid.addEventListener("dblclick", () => this.#large());
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
    /** @type {(key: "show" | "class" | "answer" | "folder" | "sort", text: string) => any} */
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
      make("div", { class: "filters" }, filter("show", "Show"), filter("class", "Class"), filter("answer", "Answer"), filter("folder", "Folder"), filter("sort", "Sort"), this.#find), // prettier-ignore
      make("div", { class: "choice" }, this.#count, this.#like, make("span", { class: "buttons" }, "Choose ", all, none, range)),
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
        make(
          "div",
          { class: "tools" },
          make("button", { type: "button", click: meant(() => this.#moreLikeThis()) }, "More like this"),
          make("button", { type: "button", click: () => this.#large() }, "Large"),
          make("button", { type: "button", click: meant(() => this.#toggleStack()) }, "Stack"),
          make("button", { type: "button", click: meant(() => this.#store.stacks.split(this.#grid.meant)) }, "Split"),
          make("button", { type: "button", click: meant(() => this.#join()) }, "Join"),
        ),
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
      o: () => this.#toggleStack(),
      s: () => this.#store.stacks.split(grid.meant),
      g: () => this.#join(),
      m: () => this.#moreLikeThis(),
      v: () => this.#large(),
      Enter: () => this.#large(),
      " ": () => grid.goOn(),
      Backspace: () => this.#label(""),
      Escape: () => this.#escape(),
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
    this.#store.act({ do: "label", label, ...this.#orders.by(photos) }, photos, { label, none: false });
  }

  #toggleStack() {
    if (this.#grid.current) this.#store.stacks.toggle(this.#grid.current);
  }

  #join() {
    this.#store.stacks.join(this.#grid.meant);
    this.#grid.chooseNone();
  }

  #moreLikeThis() {
    const photo = this.#grid.current;
    if (!photo) return;
    this.#grid.chooseNone();
    this.#store.setFilter({ like: photo.id, class: "", folder: "", find: "" });
  }

  #large() {
    const grid = this.#grid;
    const step = (/** @type {number} */ by) => (grid.moveTo(grid.cursor + by), grid.current);
    if (grid.current) showLarge(grid.current, step);
  }

  /** No choice; and where there was none, all photos again instead of those like one. */
  #escape() {
    if (!this.#grid.chosen.size && this.#store.filter.like) this.#store.setFilter({ like: "" });
    this.#grid.chooseNone();
  }

  #none() {
    const photos = this.#grid.meant;
    this.#grid.goOn();
    if (photos.length) this.#store.act({ do: "none", ...this.#orders.by(photos) }, photos, { label: "", none: true });
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
    this.#fill("answer", [["", "Any answer"], ...classes.map((name) => /** @type {[string, string]} */ ([name, name]))]);
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
    this.#grid.show(store.view, store.stacks.members, (photo) => store.stacks.isOpen(photo));
    this.#orders.update();
    this.#sayLike();
    this.#sayCount();
  }

  /**
   * @param {"show" | "class" | "answer" | "folder" | "sort"} key
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

  #sayLike() {
    const { like } = this.#store.filter;
    this.#like.hidden = !like;
    if (!like || this.#like.dataset.id === like) return;
    this.#like.dataset.id = like;
    const all = make("button", { type: "button", click: () => (this.#store.setFilter({ like: "" }), this.#grid.focus()) }, "All photos"); // prettier-ignore
    this.#like.replaceChildren(`Like ${this.#store.byId.get(like)?.name ?? "a photo that is gone"} `, all);
  }

  #sayCount() {
    const { view, photos, stacks } = this.#store;
    const chosen = this.#grid.chosen.size ? this.#grid.meant.length : 0;
    const more = [...stacks.members.values()].reduce((sum, members) => sum + members.length - 1, 0);
    const n = view.length + more;
    const of = n === photos.length ? "" : ` of ${photos.length.toLocaleString()}`;
    const inTiles = more ? ` in ${view.length.toLocaleString()} stacks` : "";
    const text = `${n.toLocaleString()}${of} photos${inTiles}${chosen ? `, ${chosen.toLocaleString()} chosen` : ""}`;
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }
}

customElements.define("label-screen", LabelScreen);
