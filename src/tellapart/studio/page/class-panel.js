/** The classes, each a button with its key and its count, narrowed by what is typed; Enter takes the first. */

import { make, named } from "./elements.js";

const KEYS = "1234567890";

/**
 * The class that a key stands for.
 * @param {string} key
 * @param {string[]} classes
 * @returns {string | undefined}
 */
export const classOfKey = (key, classes) => (key.length === 1 ? classes[KEYS.indexOf(key)] : undefined);

/** Tells of "label" (detail: a class, new or not) when one is taken. */
export class ClassPanel extends HTMLElement {
  #list = make("ul", { "aria-label": "Classes" });
  #box = make("input", {
    type: "text", id: "class-box", autocomplete: "off", spellcheck: "false", maxlength: "500",
    placeholder: "Type a class", "aria-label": "Type a class: Enter labels with the first that fits, or makes it",
  }); // prettier-ignore
  /** @type {string[]} */
  #classes = [];
  /** @type {Map<string, number>} */
  #counts = new Map();
  #drawn = "";

  connectedCallback() {
    this.append(this.#box, this.#list);
    this.#box.addEventListener("input", () => this.#draw());
    this.#box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") this.#take();
      else if (event.key === "Escape") this.#end();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /**
   * @param {string[]} classes
   * @param {Map<string, number>} counts
   */
  show(classes, counts) {
    this.#classes = classes;
    this.#counts = counts;
    this.#draw();
  }

  typeIn() {
    this.#box.focus();
    this.#box.select();
  }

  /** What is typed, as the server spells it. */
  get #typed() {
    return this.#box.value.trim().replace(/\s+/g, " ").normalize("NFC");
  }

  #fitting() {
    const typed = this.#typed.toLowerCase();
    const fitting = this.#classes.filter((name) => name.toLowerCase().includes(typed));
    const begins = (/** @type {string} */ name) => Number(!name.toLowerCase().startsWith(typed));
    return typed ? fitting.sort((a, b) => begins(a) - begins(b) || a.length - b.length) : fitting;
  }

  #take() {
    const typed = this.#typed;
    if (!typed) return;
    const exact = this.#classes.includes(typed);
    this.#label(exact ? typed : (this.#fitting()[0] ?? typed));
  }

  /** @param {string} label */
  #label(label) {
    this.#end();
    this.dispatchEvent(new CustomEvent("label", { detail: label }));
  }

  #end() {
    this.#box.value = "";
    this.#draw();
    this.dispatchEvent(new Event("end"));
  }

  #draw() {
    const typed = this.#typed;
    const fitting = this.#fitting();
    const rows = fitting.map((name) => [name, KEYS[this.#classes.indexOf(name)] ?? "", this.#counts.get(name) ?? 0]);
    const drawn = JSON.stringify([typed, rows]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const buttons = rows.map(([name, key, count]) =>
      make(
        "button",
        { type: "button", click: () => this.#label(String(name)), "aria-description": "labels with this class; how many have it" },
        make("kbd", { "aria-hidden": "true" }, String(key)),
        named(String(name)),
        make("span", { class: "count" }, count.toLocaleString()),
      ),
    );
    if (typed && !this.#classes.includes(typed)) {
      const text = `Make “${typed}”`;
      buttons.push(make("button", { type: "button", class: "new", click: () => this.#label(typed) }, text));
    }
    this.#list.replaceChildren(...buttons.map((button) => make("li", {}, button)));
  }
}

customElements.define("class-panel", ClassPanel);
