/** The photos as tiles, as many as are in sight; one has the cursor, any number are chosen. */

import { make } from "./elements.js";
import { drawThumbnail } from "./thumbnails.js";

/** @typedef {import("./studio-types").Photo} Photo */

const TILE_PX = { wide: 168, narrow: 112 }; // the least width of a tile
const CAPTION_PX = 30;
const GAP_PX = 8;
const MORE_ROWS = { ahead: 8, behind: 2 }; // beyond what is in sight: a second of scrolling, in which thumbnails come

/** Tells of "choice" when the cursor moves or the choice changes. */
export class PhotoGrid extends HTMLElement {
  /** @type {Photo[]} */
  #view = [];
  /** @type {Map<string, Photo[]>} the photos of each tile that stands for several */
  #members = new Map();
  /** @type {(photo: Photo) => boolean} */
  #isOpen = () => false;
  /** @type {Set<string>} */
  chosen = new Set();
  cursor = 0;
  /** Whether the next tap or click chooses all from the last one on. */
  ranging = false;

  #anchor = 0;
  #columns = 1;
  #top = 0; // where it was scrolled to last
  #upwards = false; // whether it was scrolled up last
  #tilePx = 100;
  /** @type {Map<string, {tile: any, picture: HTMLCanvasElement, caption: any, count: any, abort: AbortController, said: string}>} */
  #tiles = new Map();
  #space = make("div", { class: "space", role: "presentation" });

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute("role", "listbox");
    this.setAttribute("aria-multiselectable", "true");
    this.setAttribute("aria-label", "Photos");
    this.append(this.#space);
    this.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.#measure()).observe(this);
  }

  /** @returns {Photo | undefined} */
  get current() {
    return this.#view[this.cursor];
  }

  /** @returns {Photo[]} what an action is about: what is chosen, else the photo with the cursor */
  get meant() {
    const tiles = this.chosen.size ? this.#view.filter((photo) => this.chosen.has(photo.id)) : [this.current];
    return tiles.flatMap((photo) => (photo ? (this.#members.get(photo.id) ?? [photo]) : []));
  }

  get columns() {
    return this.#columns;
  }

  get pageRows() {
    return Math.max(1, Math.floor(this.clientHeight / this.#rowPx) - 1);
  }

  /**
   * @param {Photo[]} view one photo for each tile
   * @param {Map<string, Photo[]>} members the photos of each tile that stands for several
   * @param {(photo: Photo) => boolean} isOpen whether it is shown alone although it is in a stack
   */
  show(view, members, isOpen) {
    const before = this.#view;
    this.#members = members;
    this.#isOpen = isOpen;
    const still = view[this.cursor] === before[this.cursor] && !this.chosen.size; // as after most keys
    if (view !== before && !still) {
      // The photo with the cursor keeps it; where it is gone, the next one after it that is still there gets it.
      const at = new Map(view.map((photo, index) => [photo.id, index]));
      for (const [face, photos] of members) for (const photo of photos) at.set(photo.id, at.get(face) ?? 0);
      const next = before.slice(this.cursor, this.cursor + 500).find((photo) => at.has(photo.id));
      this.cursor = next ? (at.get(next.id) ?? 0) : Math.max(0, Math.min(this.cursor, view.length - 1));
      if (view.length) this.#anchor = Math.min(this.#anchor, view.length - 1);
      // Nobody changes what is out of sight; what has become part of a stack is chosen with it.
      this.chosen = new Set([...this.chosen].flatMap((id) => view[at.get(id) ?? -1]?.id ?? []));
    }
    this.#view = view;
    this.#measure();
  }

  /**
   * @param {number} index
   * @param {boolean} [extend] whether all from where the choice began is chosen
   */
  moveTo(index, extend = false) {
    if (!this.#view.length) return;
    this.cursor = Math.max(0, Math.min(index, this.#view.length - 1));
    if (extend) this.#chooseRange();
    else {
      this.chosen.clear();
      this.#anchor = this.cursor;
    }
    this.#reveal();
    this.#changed();
  }

  /** On to the photo behind those that were meant; the choice is over. */
  goOn() {
    if (this.chosen.size) {
      let last = this.cursor;
      this.#view.forEach((photo, index) => this.chosen.has(photo.id) && (last = index));
      this.cursor = last;
    }
    this.moveTo(this.cursor + 1);
  }

  toggle() {
    const photo = this.current;
    if (!photo) return;
    if (!this.chosen.delete(photo.id)) this.chosen.add(photo.id);
    this.#anchor = this.cursor;
    this.#changed();
  }

  chooseAll() {
    this.chosen = new Set(this.#view.map((photo) => photo.id));
    this.#changed();
  }

  chooseNone() {
    this.chosen.clear();
    this.ranging = false;
    this.#anchor = this.cursor;
    this.#changed();
  }

  #chooseRange() {
    const [from, to] = [Math.min(this.#anchor, this.cursor), Math.max(this.#anchor, this.cursor)];
    this.chosen = new Set(this.#view.slice(from, to + 1).map((photo) => photo.id));
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const tile = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
    if (!tile) return;
    this.cursor = Number(/** @type {HTMLElement} */ (tile).dataset.index);
    const photo = this.#view[this.cursor];
    const byFinger = /** @type {PointerEvent} */ (event).pointerType === "touch";
    if (event.shiftKey || this.ranging) {
      this.ranging = false;
      this.#chooseRange();
    } else if (event.ctrlKey || event.metaKey || byFinger) {
      if (!this.chosen.delete(photo.id)) this.chosen.add(photo.id);
      this.#anchor = this.cursor;
    } else {
      this.chosen = new Set([photo.id]);
      this.#anchor = this.cursor;
    }
    this.#changed();
  }

  #changed() {
    this.#draw();
    this.dispatchEvent(new Event("choice"));
  }

  get #rowPx() {
    return this.#tilePx + CAPTION_PX + GAP_PX;
  }

  #measure() {
    const width = this.clientWidth - 2 * GAP_PX;
    const least = width < 560 ? TILE_PX.narrow : TILE_PX.wide;
    this.#columns = Math.max(1, Math.floor((width + GAP_PX) / (least + GAP_PX)));
    this.#tilePx = Math.floor((width - (this.#columns - 1) * GAP_PX) / this.#columns);
    const rows = Math.ceil(this.#view.length / this.#columns);
    this.#space.style.height = `${rows * this.#rowPx + GAP_PX}px`;
    this.#draw();
  }

  #reveal() {
    const top = Math.floor(this.cursor / this.#columns) * this.#rowPx;
    const bottom = top + this.#rowPx + GAP_PX - this.clientHeight;
    if (top < this.scrollTop) this.scrollTo(0, top);
    else if (bottom > this.scrollTop) this.scrollTo(0, bottom);
  }

  #draw() {
    if (this.scrollTop !== this.#top) this.#upwards = this.scrollTop < this.#top;
    this.#top = this.scrollTop;
    const { ahead, behind } = MORE_ROWS;
    const first = Math.max(0, Math.floor(this.#top / this.#rowPx) - (this.#upwards ? ahead : behind)) * this.#columns;
    const rows = Math.ceil(this.clientHeight / this.#rowPx) + ahead + behind + 1;
    const indices = new Set([this.cursor]); // the tile with the cursor is there, for the screen reader
    for (let index = first; index < first + rows * this.#columns; index++) indices.add(index);
    const wanted = new Map();
    for (const index of indices) if (this.#view[index]) wanted.set(this.#view[index].id, index);
    for (const [id, { tile, picture, abort }] of this.#tiles) {
      if (wanted.has(id)) continue;
      abort.abort();
      picture.width = 0; // its pixels go now, not when the tile is collected
      tile.remove();
      this.#tiles.delete(id);
    }
    for (const [id, index] of wanted) this.#place(this.#view[index], index, this.#tiles.get(id));
    this.setAttribute("aria-activedescendant", this.current ? `photo-${this.current.id}` : "");
  }

  /**
   * @param {Photo} photo
   * @param {number} index
   * @param {any} made
   */
  #place(photo, index, made) {
    const parts = made ?? this.#make(photo);
    const column = index % this.#columns;
    const row = Math.floor(index / this.#columns);
    const { tile } = parts;
    const members = this.#members.get(photo.id) ?? [photo];
    const open = this.#isOpen(photo);
    const states = members.map(({ label, none, out, test, waiting }) => [label, none, out, test, waiting > 0].join("|"));
    const said = [this.chosen.has(photo.id), open, ...states].join("\n");
    tile.style.transform = `translate(${GAP_PX + column * (this.#tilePx + GAP_PX)}px, ${GAP_PX + row * this.#rowPx}px)`;
    tile.style.width = `${this.#tilePx}px`;
    tile.dataset.index = String(index);
    tile.setAttribute("aria-posinset", String(index + 1));
    tile.setAttribute("aria-setsize", String(this.#view.length));
    tile.classList.toggle("cursor", index === this.cursor);
    if (parts.said === said) return;
    parts.said = said;
    const labels = new Set(members.map((one) => (one.none ? "none of these" : one.label || "no label")));
    const words = labels.size > 1 ? [...labels].join(" / ") : [...labels][0];
    const several = members.length > 1 ? `, stack of ${members.length} photos` : open ? ", in an open stack" : "";
    const beside = `${photo.split && `, ${photo.split}`}${photo.copies > 1 ? `, ${photo.copies} files` : ""}`;
    tile.setAttribute("aria-selected", String(this.chosen.has(photo.id)));
    tile.setAttribute("aria-label", `${photo.name}, ${words}${photo.out ? ", left out" : ""}${photo.test ? ", for the test" : ""}${beside}${several}`);
    tile.dataset.state = photo.none ? "none" : photo.label ? "labelled" : "";
    tile.toggleAttribute("data-out", photo.out);
    tile.toggleAttribute("data-waiting", members.some((one) => one.waiting > 0));
    tile.toggleAttribute("data-stack", members.length > 1);
    tile.toggleAttribute("data-open", open);
    parts.count.hidden = members.length < 2;
    parts.test.hidden = !photo.test || photo.split !== "";
    parts.count.dataset.says = members.length.toLocaleString();
    parts.caption.textContent = `${photo.out ? "left out · " : ""}${words}`;
  }

  /** @param {Photo} photo */
  #make(photo) {
    const picture = make("canvas", { width: "0", height: "0" });
    const caption = make("bdi", { class: "caption" });
    const marks = make("span", { class: "marks", "aria-hidden": "true" });
    if (photo.split) marks.append(make("span", { "data-says": photo.split }));
    if (photo.copies > 1) marks.append(make("span", { title: "files with this very content", "data-says": `×${photo.copies}` }));
    const count = make("span", { class: "count-of", title: "photos of one scene" });
    const test = make("span", { title: "for the test: it never trains", hidden: true, "data-says": "test" });
    marks.append(count, test);
    const frame = make("div", { class: "frame" }, picture, marks);
    const tile = make("div", { role: "option", id: `photo-${photo.id}`, title: photo.name }, frame, caption);
    const parts = { tile, picture, caption, count, test, abort: new AbortController(), said: "" };
    this.#tiles.set(photo.id, parts);
    this.#space.append(tile);
    drawThumbnail(photo.id, picture, parts.abort.signal).catch((error) => {
      if (!parts.abort.signal.aborted) frame.append(make("p", { class: "why" }, error.message));
    });
    return parts;
  }
}

customElements.define("photo-grid", PhotoGrid);
