/** What is known of the photos: what the server has saved, what waits to be saved, and which photos are shown. */

import * as client from "./client.js";
import { last as score } from "./score.js";
import { Stacks } from "./stacks.js";

/** @typedef {import("./studio-types").Photo} Photo */
/** @typedef {import("./studio-types").Mark} Mark */

export const SHOWN = {
  all: "All photos",
  unlabelled: "Not labelled",
  labelled: "Labelled",
  none: "None of these",
  out: "Left out",
  differs: "Answered as another class than labelled",
  test: "For the test, as far as labelled",
};
export const SORTED = { name: "Name", date: "Newest first", label: "Class", folder: "Folder", out: "Left out first", suggest: "Most worth labelling", answer: "Answer", unsure: "Least sure answers first", sure: "Surest answers first", differs: "Answer not the label, the surest first" }; // prettier-ignore
/** @type {import("./studio-types").Filter} */
const UNFILTERED = { show: "all", class: "", answer: "", folder: "", find: "", sort: "name", like: "" };

/** Those that go by what the network says of each photo. */
const BY_ANSWER = ["answer", "unsure", "sure", "differs"];
const UNKNOWN = /** @type {[string, number]} */ (["", 0]); // of a photo that was not answered
const answerOf = (/** @type {Photo} */ photo) => score.answers.get(photo.id) ?? UNKNOWN;
const differs = (/** @type {Photo} */ photo) => photo.label !== "" && !photo.out && score.answers.has(photo.id) && answerOf(photo)[0] !== photo.label; // prettier-ignore

/** @type {Record<string, (photo: Photo) => boolean>} */
const KEEPS = {
  all: () => true,
  unlabelled: (photo) => !photo.label && !photo.none && !photo.out,
  labelled: (photo) => photo.label !== "" && !photo.out,
  none: (photo) => photo.none,
  out: (photo) => photo.out,
  differs,
  test: (photo) => photo.test,
};

/** @type {Record<string, (a: Photo, b: Photo) => number>} what is alike stays in the order of names */
const ORDERS = {
  date: (a, b) => b.modified - a.modified,
  label: (a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0),
  folder: (a, b) => (a.folder < b.folder ? -1 : a.folder > b.folder ? 1 : 0),
  out: (a, b) => Number(b.out) - Number(a.out),
  answer: (a, b) => (answerOf(a)[0] < answerOf(b)[0] ? -1 : answerOf(a)[0] > answerOf(b)[0] ? 1 : answerOf(b)[1] - answerOf(a)[1]),
  unsure: (a, b) => answerOf(a)[1] - answerOf(b)[1],
  sure: (a, b) => answerOf(b)[1] - answerOf(a)[1],
  differs: (a, b) => Number(differs(b)) - Number(differs(a)) || answerOf(b)[1] - answerOf(a)[1],
};

/** Tells of "change" when anything is different, of "saved" and "refused" (with a detail) when an action has ended. */
export class Store extends EventTarget {
  /** @type {Photo[]} those that are not gone */
  photos = [];
  /** @type {Map<string, Photo>} */
  byId = new Map();
  /** @type {Photo[]} those that the filter keeps, in the order that is asked for */
  view = [];
  /** What of them is one tile. */
  stacks = new Stacks(this);
  /** @type {Record<string, Map<string, number>>} places in the orders that the network gives, once they are known */
  places = {};
  /** @type {string[]} */
  classes = [];
  /** @type {import("./studio-types").Whole | null} */
  about = null;
  undo = /** @type {string | null} */ (null);
  redo = /** @type {string | null} */ (null);
  waiting = 0;
  handing = false; // whether photos are being handed over
  filter = { ...UNFILTERED, ...Object.fromEntries(new URLSearchParams(location.search)) };

  #n = 0;
  /** @type {Map<string, Photo>} also those that were handed over and taken back: a redo brings them */
  #all = new Map();
  /** @type {string[]} */
  #savedClasses = [];
  #turn = Promise.resolve();
  #failed = 0; // actions that were waiting when one before them was refused have this number or a smaller one
  #number = 0;
  #answering = false; // whether what the network says of each photo is wanted

  async load() {
    this.#takeWhole(await client.whole());
  }

  /** @returns {Promise<number>} how many photos are new */
  async lookAgain() {
    await this.#turn;
    const whole = await client.lookAgain();
    this.#takeWhole(whole);
    return whole.n_new;
  }

  /** How many lines the journal has, as far as this page knows. */
  get lines() {
    return this.#n;
  }

  /** @returns {Promise<void>} once all that was done is saved */
  async settled() {
    await this.#turn;
  }

  /** The label file, once all that was done is saved. */
  async write() {
    await this.#turn;
    return client.writeTable();
  }

  /** What another tab may have done. */
  async catchUp() {
    if (this.waiting || !this.about) return;
    const said = await client.changesSince(this.#n);
    if (said.n_photos !== this.#all.size) await this.load(); // photos came, or were removed
    else this.#take(said);
  }

  /**
   * Makes photos that were handed over photos of the studio, as one action.
   * @param {Record<string, unknown>} batch
   * @returns {Promise<import("./studio-types").Added>} once it is on the disk
   */
  add(batch) {
    this.dispatchEvent(new Event("act"));
    const sent = this.#turn.then(async () => {
      const whole = await client.add(batch);
      this.#takeWhole(whole);
      return whole.added;
    });
    this.#turn = sent.then(() => undefined, () => undefined); // prettier-ignore
    return sent;
  }

  /**
   * Shows what an action does at once; "saved" follows once it is on the disk.
   * @param {Record<string, unknown>} action
   * @param {Photo[]} [photos] that it is about
   * @param {Partial<Mark> | ((photo: Photo) => Partial<Mark>)} [mark] what it makes of them
   */
  act(action, photos = [], mark = {}) {
    const number = ++this.#number;
    this.dispatchEvent(new Event("act"));
    this.waiting++;
    for (const photo of photos) {
      photo.waiting++;
      Object.assign(photo, typeof mark === "function" ? mark(photo) : mark);
    }
    this.#addClasses(photos);
    this.#refresh();
    const asked = photos.length ? { ...action, photos: photos.map((photo) => photo.id) } : action;
    this.#turn = this.#turn.then(() => this.#send(number, asked, photos));
    return this.#turn;
  }

  /**
   * @param {number} number
   * @param {Record<string, unknown>} asked
   * @param {Photo[]} photos
   */
  async #send(number, asked, photos) {
    /** @type {import("./studio-types").Changes | null} */
    let said = null;
    let why = null;
    try {
      if (number <= this.#failed) throw new client.Refused("It was not done, because what came before it failed.");
      said = await client.perform({ ...asked, since: this.#n });
    } catch (error) {
      this.#failed = this.#number; // what was done since rests on what is not so
      why = error;
    }
    this.waiting--;
    for (const photo of photos) photo.waiting--;
    if (said) {
      if (said.left) for (const photo of photos) if (!photo.waiting) Object.assign(photo, photo.saved);
      this.#take(said);
      if (said.left) this.dispatchEvent(new CustomEvent("left", { detail: said.left }));
      this.dispatchEvent(new Event("saved"));
    } else {
      for (const photo of this.photos) if (!photo.waiting) Object.assign(photo, photo.saved);
      this.classes = this.#savedClasses;
      this.#refresh();
      this.dispatchEvent(new CustomEvent("refused", { detail: why }));
    }
  }

  /** What the network says of the photos has changed what is shown. */
  changed() {
    this.#refresh();
  }

  /** @param {Partial<import("./studio-types").Filter>} wanted */
  setFilter(wanted) {
    Object.assign(this.filter, wanted);
    const query = new URLSearchParams(location.search);
    for (const [key, usual] of Object.entries(UNFILTERED)) {
      const value = /** @type {any} */ (this.filter)[key];
      if (value === usual) query.delete(key);
      else query.set(key, value);
    }
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
    this.#refresh();
  }

  /** How many photos each class has, those left out not counted. @returns {Map<string, number>} */
  counts() {
    const counts = new Map(this.classes.map((name) => [name, 0]));
    for (const photo of this.photos) {
      if (photo.label && !photo.out) counts.set(photo.label, (counts.get(photo.label) ?? 0) + 1);
    }
    return counts;
  }

  /** @returns {string[]} */
  folders() {
    return [...new Set(this.photos.map((photo) => photo.folder))].sort();
  }

  /** @param {import("./studio-types").Whole} whole */
  #takeWhole(whole) {
    this.about = { ...whole, photos: [] }; // told once: they are below, as the page holds them
    const all = whole.photos.map(([id, name, modified, split, copies, label, none, out, right, by, stack, test, gone], rank) => ({
      ...{ id, name, modified, split, copies, label, none, out, right, by, stack, test, gone, rank },
      folder: name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "",
      saved: { label, none, out, right, by, stack, test, gone },
      waiting: 0,
    }));
    const collator = new Intl.Collator(undefined, { numeric: true });
    all.sort((a, b) => collator.compare(a.name, b.name));
    all.forEach((photo, rank) => (photo.rank = rank));
    this.#all = new Map(all.map((photo) => [photo.id, photo]));
    this.#choose();
    this.#take({ ...whole, n_photos: all.length, photos: {} });
  }

  /** Those that are not gone. */
  #choose() {
    const all = [...this.#all.values()];
    this.photos = all.filter((photo) => !photo.gone);
    this.byId = this.photos.length === all.length ? this.#all : new Map(this.photos.map((photo) => [photo.id, photo]));
  }

  /** @param {import("./studio-types").Changes} said */
  #take({ n, classes, undo, redo, photos }) {
    this.#n = n;
    Object.assign(this, { classes, undo, redo });
    this.#savedClasses = classes;
    let moved = false;
    for (const [id, [label, none, out, right, by, stack, test, gone]] of Object.entries(photos)) {
      const photo = this.#all.get(id);
      if (!photo) continue;
      moved ||= photo.gone !== gone;
      photo.saved = { label, none, out, right, by, stack, test, gone };
      if (!photo.waiting) Object.assign(photo, photo.saved); // else what is shown is newer
      photo.gone = gone;
    }
    if (moved) this.#choose();
    if (this.waiting) this.#addClasses(this.photos.filter((photo) => photo.waiting));
    this.#refresh();
  }

  /** A class that is new has its key at once. @param {Photo[]} photos */
  #addClasses(photos) {
    for (const { label } of photos) if (label && !this.classes.includes(label)) this.classes = [...this.classes, label];
  }

  #refresh() {
    const { show, class: name, answer, folder, find, sort, like } = this.filter;
    if (!this.#answering && (answer || show === "differs" || BY_ANSWER.includes(sort))) {
      this.#answering = true;
      score.addEventListener("change", () => this.#refresh());
      score.wantAnswers().catch((error) => this.dispatchEvent(new CustomEvent("refused", { detail: error })));
    }
    const places = like ? this.places[`like ${like}`] : this.places[sort];
    const keeps = KEEPS[show] ?? KEEPS.all;
    const words = find.toLowerCase();
    this.view = this.photos.filter(
      (photo) =>
        keeps(photo) &&
        (!like || !places || places.has(photo.id)) &&
        (!name || photo.label === name) &&
        (!answer || answerOf(photo)[0] === answer) &&
        (!folder || photo.folder === folder) &&
        (!words || photo.name.toLowerCase().includes(words)),
    );
    const last = this.photos.length;
    const place = (/** @type {Photo} */ photo) => places?.get(photo.id) ?? last + Number(!KEEPS.unlabelled(photo));
    if (places) this.view.sort((a, b) => place(a) - place(b) || a.rank - b.rank);
    else if (ORDERS[sort]) this.view.sort((a, b) => ORDERS[sort](a, b) || a.rank - b.rank);
    this.view = this.stacks.fold(this.view);
    this.dispatchEvent(new Event("change"));
  }
}
