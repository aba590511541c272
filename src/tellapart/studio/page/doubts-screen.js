/** What `check` finds, as queues: one question at a time, answered by one key. */

import { make, named } from "./elements.js";
import { runJob } from "./jobs.js";
import { photoFigure } from "./photo-figure.js";

/** @typedef {import("./studio-types").Doubt} Doubt */
/** @typedef {import("./studio-types").DoubtQueue} DoubtQueue */

class DoubtsScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  /** @type {DoubtQueue[]} */
  #queues = [];
  /** @type {{sentence: string, advice: string}[]} */
  #notes = [];
  #nLines = -1; // of the journal when it was looked
  #kind = "";
  /** @type {Map<string, number>} where each queue stands */
  #at = new Map();
  #list = make("ul", { "aria-label": "What was found" });
  #card = make("section", { class: "doubt", "aria-live": "polite", tabindex: "-1" });
  #look = make("button", { type: "button", click: () => this.#check() }, "Check again");
  #looking = false;

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      this.append(make("aside", { "aria-label": "Doubts" }, this.#look, this.#list), this.#card);
      store.addEventListener("change", () => this.#draw());
    }
    if (this.#nLines < 0) this.#check();
    this.#draw();
    this.#card.focus();
  }

  async #check() {
    if (this.#looking) return;
    this.#looking = true;
    this.#draw();
    try {
      await this.#store.settled();
      const { queues, notes, n_lines } = await runJob("doubts");
      this.#queues = queues;
      this.#notes = notes;
      this.#nLines = n_lines;
      this.#at.clear();
      if (!queues.some((/** @type {DoubtQueue} */ queue) => queue.kind === this.#kind)) this.#kind = queues[0]?.kind ?? "";
      this.dispatchEvent(new CustomEvent("trouble", { bubbles: true }));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
    this.#looking = false;
    this.#draw();
  }

  /** Questions of a queue that nobody has answered since. @param {DoubtQueue | undefined} queue @returns {Doubt[]} */
  #open(queue) {
    const photo = (/** @type {string} */ id) => this.#store.byId.get(id);
    return (queue?.rows ?? []).filter((row) => {
      const photos = row.photos.map(photo);
      if (photos.some((one) => !one || one.out) || photos[0]?.right.includes(row.key)) return false;
      const { proposal } = row;
      if (queue?.kind === "label_conflict" && photos.every((one) => one?.label === photos[0]?.label)) return false;
      return !(proposal?.do === "label" && photo(proposal.photos[0])?.label === proposal.label);
    });
  }

  get #queue() {
    return this.#queues.find((queue) => queue.kind === this.#kind);
  }

  /** @returns {{row: Doubt | undefined, at: number, n: number}} */
  get #now() {
    const rows = this.#open(this.#queue);
    const at = Math.min(this.#at.get(this.#kind) ?? 0, Math.max(rows.length - 1, 0));
    return { row: rows[at], at, n: rows.length };
  }

  /** @param {number} by */
  #go(by) {
    const { at, n } = this.#now;
    this.#at.set(this.#kind, n ? (at + by + n) % n : 0);
    this.#draw();
  }

  #accept() {
    const { row } = this.#now;
    if (!row?.proposal) return;
    const { photos, ...action } = row.proposal;
    const mark = action.do === "label" ? { label: action.label, none: false } : { out: true };
    this.#store.act(action, this.#of(photos), mark);
  }

  #refuse() {
    const { row } = this.#now;
    if (!row) return;
    const [photo] = this.#of(row.photos);
    this.#store.act({ do: "right", doubts: [row.key] }, [photo], { right: [...photo.right, row.key] });
  }

  /** All proposals of this queue that leave photos out, as one action. */
  #acceptAll() {
    const ids = new Set(this.#open(this.#queue).flatMap(({ proposal }) => (proposal?.do === "out" ? proposal.photos : [])));
    this.#store.act({ do: "out", out: true }, this.#of([...ids]), { out: true });
  }

  /** @param {string[]} ids @returns {import("./studio-types").Photo[]} */
  #of(ids) {
    return ids.flatMap((id) => this.#store.byId.get(id) ?? []);
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
    return /** @type {Record<string, () => void>} */ ({
      a: () => this.#accept(),
      Enter: () => this.#accept(),
      r: () => this.#refuse(),
      " ": () => this.#go(1),
      u: () => this.#store.act({ do: "undo" }),
      l: () => this.#go(1),
      h: () => this.#go(-1),
      ArrowRight: () => this.#go(1),
      ArrowLeft: () => this.#go(-1),
      j: () => this.#choose(1),
      k: () => this.#choose(-1),
      ArrowDown: () => this.#choose(1),
      ArrowUp: () => this.#choose(-1),
    })[key];
  }

  /** @param {number} by */
  #choose(by) {
    const n = this.#queues.length;
    if (!n) return;
    const at = this.#queues.findIndex(({ kind }) => kind === this.#kind);
    this.#kind = this.#queues[(at + by + n) % n].kind;
    this.#draw();
  }

  #draw() {
    if (!this.isConnected) return;
    this.#look.disabled = this.#looking;
    this.#list.replaceChildren(
      ...this.#queues.map((queue) => {
        const n = this.#open(queue).length;
        const choose = () => ((this.#kind = queue.kind), this.#draw(), this.#card.focus());
        const more = queue.n > queue.rows.length ? `${n.toLocaleString()} of ${queue.n.toLocaleString()}` : n.toLocaleString();
        return make("li", {}, make("button", { type: "button", "aria-current": String(queue.kind === this.#kind), click: choose }, make("bdi", {}, queue.title), make("span", { class: "count" }, more))); // prettier-ignore
      }),
    );
    this.#card.replaceChildren(...this.#drawn());
  }

  /** @returns {any[]} */
  #drawn() {
    if (this.#looking) return [make("p", { class: "empty" }, "Looking at every labelled photo…")];
    const notes = this.#notes.length
      ? [make("div", { class: "notes" }, make("h2", {}, "About the whole set"), ...this.#notes.map(({ sentence, advice }) => make("p", {}, `${sentence} ${advice}`)))] // prettier-ignore
      : [];
    const queue = this.#queue;
    if (!queue) {
      const text = this.#nLines < 0 ? "Label some photos, then check them here." : "Nothing is in doubt.";
      return [make("div", { class: "empty" }, make("h2", {}, text)), ...notes];
    }
    const { row, at, n } = this.#now;
    const sure = queue.sure ? [make("details", { class: "quiet" }, make("summary", {}, "How sure is this?"), make("p", {}, queue.sure))] : []; // prettier-ignore
    const advice = queue.kind === "mislabelled" ? "The first are the surest." : queue.advice; // nothing is moved here
    const head = [make("h2", {}, queue.title), make("p", { class: "quiet" }, `${queue.sentence} ${advice}`), ...sure];
    if (!row) return [...head, make("div", { class: "empty" }, make("p", {}, "All of these are answered."), this.#undoButton()), ...notes]; // prettier-ignore
    const photos = this.#of(row.photos);
    const outs = this.#open(queue).filter(({ proposal }) => proposal?.do === "out").length;
    return [
      ...head,
      make("p", { class: "where" }, `${(at + 1).toLocaleString()} of ${n.toLocaleString()}${row.note ? `: ${row.note}` : ""}`),
      make("div", { class: "pair-of" }, ...photos.map((photo) => photoFigure(photo, { class: "large" }, this.#ofPair(photo, photos)))),
      make(
        "div",
        { class: "answers" },
        ...(row.proposal ? [make("button", { type: "button", class: "main", click: () => this.#accept() }, this.#proposed(row))] : []), // prettier-ignore
        make("button", { type: "button", click: () => this.#refuse() }, make("kbd", { "aria-hidden": "true" }, "R"), " This is right"), // prettier-ignore
        make("button", { type: "button", click: () => this.#go(1) }, make("kbd", { "aria-hidden": "true" }, "Space"), " Later"),
        this.#undoButton(),
        ...(outs > 1 ? [make("button", { type: "button", click: () => this.#acceptAll() }, `Leave out all ${outs.toLocaleString()}`)] : []), // prettier-ignore
      ),
      ...row.beside.map(({ label, photos: near }) =>
        make("div", { class: "beside" }, make("h3", {}, "Most alike in ", named(label)), make("div", { class: "near" }, ...this.#of(near).map((photo) => photoFigure(photo)))), // prettier-ignore
      ),
      ...notes,
    ];
  }

  /**
   * Of a pair each can be left out, or have the class of both.
   * @param {import("./studio-types").Photo} photo
   * @param {import("./studio-types").Photo[]} photos
   */
  #ofPair(photo, photos) {
    if (photos.length < 2) return "";
    const { label } = photo;
    const others = photos.filter((one) => one.label !== label);
    const both = () => this.#store.act({ do: "label", label }, others, { label, none: false });
    const out = () => this.#store.act({ do: "out", out: true }, [photo], { out: true });
    return make(
      "div",
      { class: "answers" },
      ...(others.length && label ? [make("button", { type: "button", click: both }, "Both are ", named(label))] : []),
      make("button", { type: "button", click: out }, "Leave this one out"),
    );
  }

  #undoButton() {
    return make("button", { type: "button", disabled: !this.#store.undo, click: () => this.#store.act({ do: "undo" }) }, "Undo"); // prettier-ignore
  }

  /** @param {Doubt} row */
  #proposed({ proposal, photos }) {
    const key = make("kbd", { "aria-hidden": "true" }, "A");
    if (proposal?.do === "label") return make("span", {}, key, " It is ", named(String(proposal.label)));
    const which = photos.length > 1 ? (proposal?.photos[0] === photos[0] ? "the first" : "the second") : "it";
    return make("span", {}, key, ` Leave ${which} out`);
  }
}

customElements.define("doubts-screen", DoubtsScreen);
