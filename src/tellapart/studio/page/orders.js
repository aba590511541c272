/** Orders that the network gives: what is most worth labelling, and what is like a photo. Asked for when they are shown. */

import { runJob } from "./jobs.js";

const AGAIN_AFTER = 20; // photos that got a word since; the order of what is left is another then

export class Orders {
  /** @type {Set<string>} photos that are for the test: chance chose them, not an order */
  #drawn = new Set();
  #asked = ""; // for which order
  #nSaid = 0;
  #busy = false;
  #store;
  #tell;

  /**
   * @param {import("./store").Store} store
   * @param {(error: any) => void} tell what went wrong
   */
  constructor(store, tell) {
    this.#store = store;
    this.#tell = tell;
  }

  get #wanted() {
    const { like, sort } = this.#store.filter;
    return like ? `like ${like}` : sort === "suggest" ? sort : "";
  }

  /** Asks for what the address wants, where it is not there or no longer true. */
  async update() {
    const wanted = this.#wanted;
    const said = this.#store.photos.filter(({ label, none }) => label || none).length;
    const old = wanted === "suggest" && Math.abs(said - this.#nSaid) >= AGAIN_AFTER;
    if (this.#busy || !wanted || (wanted === this.#asked && !old)) return;
    this.#busy = true;
    this.#asked = wanted;
    this.#nSaid = said;
    try {
      await this.#store.settled();
      const { like } = this.#store.filter;
      const found = like ? { photos: await runJob("alike", { photo: like }) } : await runJob("suggestions");
      if (found.drawn) this.#drawn = new Set(found.drawn);
      const places = new Map(found.photos.map((/** @type {string} */ id, /** @type {number} */ place) => [id, place]));
      this.#store.places = { [wanted]: places };
      this.#store.changed();
    } catch (error) {
      this.#tell(error);
    }
    this.#busy = false;
    if (this.#wanted !== wanted) this.update();
  }

  /**
   * What chose these photos, as it is remembered with their label.
   * @param {import("./studio-types").Photo[]} photos
   * @returns {{by?: string}}
   */
  by(photos) {
    const wanted = this.#wanted;
    const places = this.#store.places[wanted];
    if (!places) return {};
    if (wanted !== "suggest") return { by: "like" };
    return photos.some(({ id }) => places.has(id) && !this.#drawn.has(id)) ? { by: "suggest" } : {};
  }
}
