/** Stacks: photos of one scene are one tile, one label. What a person split or joined is so; else what was found. */

import { runJob } from "./jobs.js";

/** @typedef {import("./studio-types").Photo} Photo */

export class Stacks {
  /** @type {Map<string, Photo[]>} the photos of each tile that stands for several */
  members = new Map();
  /** @type {Map<string, string>} of each photo of a scene that was found, the one that was found first */
  #first = new Map();
  /** @type {Set<string>} names of those whose photos are shown one by one */
  #opened = new Set();
  /** @type {Map<string, number>} how many photos of each of these are shown */
  #apart = new Map();
  /** @type {Promise<void> | null} */
  #found = null;
  #store;

  /** @param {import("./store").Store} store */
  constructor(store) {
    this.#store = store;
  }

  /**
   * Has the photos read, where that was not done, and takes their scenes. Until then each photo is a tile.
   * @param {boolean} [again] whether there are others than before
   * @returns {Promise<void>} rejects where it failed or was cancelled
   */
  find(again = false) {
    if (!this.#found || again) {
      this.#found = runJob("read").then(({ stacks }) => {
        this.#first = new Map(stacks.flatMap((/** @type {string[]} */ photos) => photos.map((id) => [id, photos[0]])));
        this.#store.changed();
      });
      this.#found.catch(() => (this.#found = null));
    }
    return this.#found;
  }

  /** Its stack; studio/draw.py says the same. @param {Photo} photo @returns {string} */
  name(photo) {
    if (photo.stack) return photo.stack;
    const first = this.#first.get(photo.id);
    return first === undefined ? photo.id : this.#store.byId.get(first)?.stack || first;
  }

  /** Whether it is shown by itself although others are in its stack. @param {Photo} photo */
  isOpen(photo) {
    return (this.#apart.get(this.name(photo)) ?? 0) > 1;
  }

  /**
   * One photo for each tile, in their order.
   * @param {Photo[]} photos
   * @returns {Photo[]}
   */
  fold(photos) {
    /** @type {Map<string, Photo>} */
    const faces = new Map();
    this.members = new Map();
    this.#apart = new Map();
    return photos.filter((photo) => {
      if (!photo.stack && !this.#first.has(photo.id)) return true; // it is alone, as most are
      const name = this.name(photo);
      if (this.#opened.has(name)) return this.#apart.set(name, (this.#apart.get(name) ?? 0) + 1);
      const face = faces.get(name);
      if (!face) return faces.set(name, photo);
      const members = this.members.get(face.id);
      if (members) members.push(photo);
      else this.members.set(face.id, [face, photo]);
      return false;
    });
  }

  /** All photos that are in a stack with one of these, each once. @param {Photo[]} photos @returns {Photo[]} */
  whole(photos) {
    const names = new Set(photos.map((photo) => this.name(photo)));
    return this.#store.photos.filter((photo) => names.has(this.name(photo)));
  }

  /** Shows its photos one by one, or as one tile again. @param {Photo} photo */
  toggle(photo) {
    const name = this.name(photo);
    if (!this.#opened.delete(name) && this.whole([photo]).length > 1) this.#opened.add(name);
    this.#store.changed();
  }

  /**
   * Takes photos out of their stacks, to be one together; a stack that is meant as a whole is taken apart.
   * @param {Photo[]} meant
   */
  split(meant) {
    const chosen = new Set(meant);
    /** @type {Map<Photo, string>} */
    const into = new Map();
    for (const [name, all] of Map.groupBy(this.whole(meant), (photo) => this.name(photo))) {
      const [own, rest] = [all.filter((photo) => chosen.has(photo)), all.filter((photo) => !chosen.has(photo))];
      if (all.length < 2) continue;
      const others = rest.some(({ id }) => id === name) ? name : rest[0]?.id;
      for (const photo of own) into.set(photo, rest.length ? own[0].id : photo.id);
      for (const photo of rest) into.set(photo, others);
      if (!this.#opened.has(name)) continue;
      for (const part of [own, rest]) if (part.length > 1) this.#opened.add(into.get(part[0]) ?? name);
    }
    this.#put("split", into);
  }

  /** Makes one stack of the stacks of these photos. @param {Photo[]} meant */
  join(meant) {
    const all = this.whole(meant);
    const names = new Set(all.map((photo) => this.name(photo)));
    if (names.size < 2) return;
    const name = this.name(meant[0]);
    const to = this.#store.byId.has(name) ? name : meant[0].id;
    for (const one of names) this.#opened.delete(one);
    this.#put("join", new Map(all.map((photo) => [photo, to])));
  }

  /**
   * @param {"split" | "join"} how
   * @param {Map<Photo, string>} into
   */
  #put(how, into) {
    if (!into.size) return;
    const stack = (/** @type {Photo} */ photo) => /** @type {string} */ (into.get(photo));
    const photos = [...into.keys()];
    this.#store.act({ do: how, stacks: photos.map(stack) }, photos, (photo) => ({ stack: stack(photo) }));
  }
}
