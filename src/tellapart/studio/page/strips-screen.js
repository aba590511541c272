/** Strips: photos that look alike in one row, with one proposed class, accepted by one key. */

import { classOfKey } from "./class-panel.js";
import { make } from "./elements.js";
import { runJob } from "./jobs.js";
import { showLarge } from "./large-view.js";
import { photoFigure } from "./photo-figure.js";

/** @typedef {import("./studio-types").Photo} Photo */
/** @typedef {import("./studio-types").Strip} Strip */

const MOVES = /** @type {Record<string, number>} */ ({ h: -1, ArrowLeft: -1, l: 1, ArrowRight: 1 });

class StripsScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  /** @type {Strip[]} those that come next */
  #next = [];
  /** @type {Strip | null} the one that is shown */
  #now = null;
  /** @type {Set<string>} photos of it that were taken out */
  #out = new Set();
  /** @type {Set<string>} photos whose strip was left for later */
  #later = new Set();
  #cursor = -1; // the photo pointed at; -1: the whole strip is meant
  #busy = false;
  #stale = false; // whether something was said since the strips were asked for
  #left = { n_free: 0, n_drawn: 0 };
  #title = make("h2");
  #hint = make("p", { class: "quiet" });
  #row = make("div", { class: "strip", role: "listbox", "aria-multiselectable": "true", "aria-label": "The strip", tabindex: "0" }); // prettier-ignore
  #accept = make("button", { type: "button", class: "main", click: () => this.#acceptAll() });
  #wait = make("button", { type: "button", click: () => this.#leave() }, "Later ", make("kbd", {}, "Space"));
  #undo = make("button", { type: "button", click: () => this.#store.act({ do: "undo" }) }, "Undo ", make("kbd", {}, "U"));
  #none = make("button", { type: "button", click: () => this.#say("") }, "None of these ", make("kbd", {}, "N"));
  #panel = /** @type {import("./class-panel").ClassPanel} */ (document.createElement("class-panel"));

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      const buttons = make("div", { class: "answers" }, this.#accept, this.#wait, this.#none, this.#undo);
      this.append(
        make("section", { class: "strip-of" }, make("div", { "aria-live": "polite" }, this.#title, this.#hint), buttons, this.#row),
        make("aside", { "aria-label": "What it is" }, this.#panel),
      ); // prettier-ignore
      this.#row.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.#pointed(event));
      this.#row.addEventListener("pointerleave", () => this.#point(-1));
      this.#row.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#clicked(event));
      this.#panel.addEventListener("label", (event) => this.#say(/** @type {CustomEvent} */ (event).detail));
      this.#panel.addEventListener("end", () => this.#row.focus());
      store.addEventListener("change", () => this.#draw());
    }
    this.#later.clear();
    this.#ask();
    this.#draw();
    this.#row.focus();
  }

  /** All photos of the stacks that these stand for. @param {string[]} ids @returns {Photo[]} */
  #stacks(ids) {
    return this.#store.stacks.whole(ids.flatMap((id) => this.#store.byId.get(id) ?? []));
  }

  /** @param {string} id */
  #isFree(id) {
    const photo = this.#store.byId.get(id);
    return Boolean(photo && !photo.label && !photo.none && !photo.out);
  }

  /** Asks for strips, until nothing was said since they were made. */
  async #ask() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      do {
        this.#stale = false;
        this.#draw();
        await this.#store.stacks.find();
        await this.#store.settled();
        const { strips, ...left } = await runJob("strips");
        this.#next = strips;
        this.#left = left;
      } while (this.#stale && this.isConnected);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
    this.#busy = false;
    this.#draw();
  }

  /** The next strip of which nothing was said and nothing left for later; what is shown stays until it is answered. */
  #take() {
    if (this.#now?.photos.some((id) => !this.#store.byId.has(id))) {
      this.#now = { ...this.#now, photos: this.#now.photos.filter((id) => this.#store.byId.has(id)) }; // taken back
      this.#cursor = -1;
    }
    if (this.#now && this.#now.photos.some((id) => this.#isFree(id))) return;
    const fits = (/** @type {Strip} */ strip) => strip.photos.every((id) => this.#isFree(id) && !this.#later.has(id));
    this.#now = this.#next.find(fits) ?? null;
    this.#next = this.#next.filter((strip) => strip !== this.#now);
    this.#out.clear();
    this.#cursor = -1;
    this.#row.replaceChildren();
  }

  /** Photos of the strip that a word about all of it is about. @returns {string[]} */
  get #meant() {
    return (this.#now?.photos ?? []).filter((id) => this.#isFree(id) && !this.#out.has(id));
  }

  /** @param {string} [label] */
  #acceptAll(label = this.#now?.label) {
    if (label) this.#label(this.#meant, label);
  }

  /** Of the photo pointed at, else of the whole strip. @param {string} label "" for none of these */
  #say(label) {
    const id = this.#now?.photos[this.#cursor];
    const ids = id === undefined ? this.#meant : [id];
    this.#cursor = -1;
    if (this.#now) this.#label(ids, label);
    else if (label && !this.#store.classes.includes(label)) this.#store.act({ do: "class_new", name: label });
  }

  /**
   * @param {string[]} ids
   * @param {string} label
   */
  #label(ids, label) {
    const photos = this.#stacks(ids);
    if (!photos.length) return this.#leave();
    const all = ids.length > 1 || !this.#meant.some((id) => !ids.includes(id));
    if (all) this.#now = null;
    const action = label ? { do: "label", label } : { do: "none" };
    this.#store.act({ ...action, by: "strip" }, photos, { label, none: !label });
    this.#stale = true;
    if (all) this.#ask();
  }

  #leave() {
    for (const id of this.#now?.photos ?? []) this.#later.add(id);
    this.#now = null;
    this.#draw();
    if (!this.#now && !this.#busy) this.#ask();
  }

  #toggle() {
    const id = this.#now?.photos[this.#cursor];
    if (id === undefined || !this.#isFree(id)) return;
    if (!this.#out.delete(id)) this.#out.add(id);
    this.#draw();
  }

  /** @param {number} at */
  #point(at) {
    if (at === this.#cursor) return;
    this.#cursor = at;
    this.#mark();
  }

  /** @param {MouseEvent} event @returns {number} */
  #under(event) {
    const tile = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
    return tile ? [...this.#row.children].indexOf(tile) : -1;
  }

  /** A pointer that rests where a new strip appears points at nothing. @param {PointerEvent} event */
  #pointed(event) {
    if (event.pointerType !== "touch" && (event.movementX || event.movementY)) this.#point(this.#under(event));
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    this.#cursor = this.#under(event);
    this.#toggle();
    this.#point(-1);
    this.#mark();
    this.#row.focus();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null | undefined}
   */
  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return null;
    const onButton = /** @type {HTMLElement} */ (event.target).closest("button, a, summary");
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (onButton && (key === "Enter" || key === " ")) return null; // the button's own
    const name = classOfKey(key, this.#store.classes);
    if (name !== undefined) return () => this.#say(name);
    if (key in MOVES) return () => this.#move(MOVES[key]);
    return /** @type {Record<string, () => void>} */ ({
      a: () => this.#acceptAll(),
      Enter: () => this.#acceptAll(),
      x: () => this.#toggle(),
      d: () => this.#toggle(),
      n: () => this.#say(""),
      c: () => this.#panel.typeIn(),
      u: () => this.#store.act({ do: "undo" }),
      v: () => this.#large(),
      " ": () => this.#leave(),
      Escape: () => this.#point(-1),
    })[key];
  }

  /** @param {number} by */
  #move(by) {
    const n = this.#now?.photos.length ?? 0;
    this.#point(Math.max(0, Math.min(this.#cursor < 0 && by > 0 ? 0 : this.#cursor + by, n - 1)));
    this.#row.children[this.#cursor]?.scrollIntoView({ block: "nearest" });
  }

  #large() {
    const photo = (/** @type {number} */ by) => {
      this.#move(by);
      return this.#store.byId.get(this.#now?.photos[this.#cursor] ?? "");
    };
    const one = photo(0);
    if (one) showLarge(one, photo);
  }

  #draw() {
    if (!this.isConnected) return;
    const { classes } = this.#store;
    this.#panel.show(classes, this.#store.counts());
    this.#take();
    const strip = this.#now;
    const n = this.#meant.length;
    const photos = `${n.toLocaleString()} ${n === 1 ? "photo" : "photos"}`;
    this.#title.textContent = strip ? (strip.label ? `${strip.label}? ${photos}` : `What are these ${photos}?`) : this.#nothing();
    this.#hint.textContent = strip ? this.#advice(strip) : this.#why();
    this.#accept.hidden = !strip?.label;
    this.#accept.replaceChildren(`Accept ${photos} as ${strip?.label} `, make("kbd", {}, "Enter"));
    this.#wait.disabled = this.#none.disabled = !strip;
    this.#undo.disabled = !this.#store.undo;
    this.#mark();
  }

  #nothing() {
    return this.#busy ? "Looking for strips…" : "No strips";
  }

  #why() {
    if (this.#busy) return "Photos are read first, each once.";
    const { n_free, n_drawn } = this.#left;
    if (n_free) return "The photos that are left were put off. Press Strips again, or label them one by one.";
    const test = n_drawn ? ` ${n_drawn.toLocaleString()} are drawn for the test: they are labelled one by one, in Label.` : ""; // prettier-ignore
    return `All that a strip may have is labelled.${test}`;
  }

  /** @param {Strip} strip */
  #advice({ label, sure, photos }) {
    const wrong = "Point at what is something else and press its key, or click it to take it out.";
    if (!label) return `They look alike. Press the key of their class, or C to type one. ${wrong}`;
    return `About ${Math.round(sure * photos.length)} of ${photos.length} are likely to be that. ${wrong}`;
  }

  /** The tiles as they are now, made anew for a new strip only. */
  #mark() {
    const ids = this.#now?.photos ?? [];
    if (this.#row.children.length !== ids.length) {
      const stacks = Map.groupBy(this.#stacks(ids), (photo) => this.#store.stacks.name(photo));
      this.#row.replaceChildren(...ids.map((id) => this.#tile(id, stacks)));
      this.#row.scrollTo(0, 0);
    }
    ids.forEach((id, at) => {
      const tile = /** @type {HTMLElement} */ (this.#row.children[at]);
      const photo = this.#store.byId.get(id);
      const inIt = this.#isFree(id) && !this.#out.has(id);
      tile.setAttribute("aria-selected", String(inIt));
      tile.classList.toggle("cursor", at === this.#cursor);
      const said = photo?.none ? "none of these" : photo?.label || (inIt ? "" : "not in it");
      const caption = /** @type {HTMLElement} */ (tile.querySelector("figcaption b"));
      if (caption.textContent !== said) caption.textContent = said;
    });
    this.#row.setAttribute("aria-activedescendant", this.#cursor < 0 ? "" : `strip-${ids[this.#cursor]}`);
  }

  /**
   * @param {string} id
   * @param {Map<string, Photo[]>} stacks by name
   */
  #tile(id, stacks) {
    const photo = /** @type {Photo} */ (this.#store.byId.get(id));
    const n = stacks.get(this.#store.stacks.name(photo))?.length ?? 1;
    const count = n > 1 ? make("span", { class: "count-of", title: "photos of one scene" }, n.toLocaleString()) : "";
    return make("div", { role: "option", id: `strip-${id}` }, photoFigure(photo, {}, count));
  }
}

customElements.define("strips-screen", StripsScreen);
