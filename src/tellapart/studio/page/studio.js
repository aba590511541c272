/** The page of the studio: its screens, what goes on, and the keys that hold everywhere. */

import { showKeys } from "./dialogs.js";
import { make } from "./elements.js";
import { events } from "./events.js";
import "./jobs.js";
import "./score.js";
import { SCREENS } from "./screens.js";
import { Store } from "./store.js";

class StudioPage extends HTMLElement {
  #store = new Store();
  #title = make("h1", {}, "Studio");
  #saved = make("p", { class: "saved", role: "status" });
  #trouble = make("p", { class: "trouble", role: "alert" });
  #note = make("p", { class: "note-line", role: "status" });
  #foot = make("footer", { tabindex: "0" }); // it scrolls on a phone
  #main = make("main");
  #tabs = SCREENS.map(({ key, title }) => make("button", { type: "button", "data-screen": key, click: () => this.#open(key) }, title)); // prettier-ignore
  /** @type {Map<string, any>} those that were opened */
  #screens = new Map();
  #screen = "";

  connectedCallback() {
    const keys = make("button", { type: "button", class: "round", "aria-label": "Keys", click: showKeys }, "?");
    const nav = make("nav", { "aria-label": "Screens", hidden: SCREENS.length < 2 }, ...this.#tabs);
    this.append(
      make("header", {}, make("div", { class: "top" }, this.#title, nav, this.#saved, make("score-chip", {}), keys), make("job-line", {}), this.#trouble, this.#note), // prettier-ignore
      this.#main,
      this.#foot,
    );
    this.addEventListener("say", (event) => this.#say(/** @type {CustomEvent} */ (event).detail));
    this.addEventListener("trouble", (event) => this.#refused(/** @type {CustomEvent} */ (event).detail));
    this.addEventListener("screen", (event) => this.#open(/** @type {CustomEvent} */ (event).detail));
    this.#store.addEventListener("change", () => this.#draw());
    this.#store.addEventListener("saved", () => this.#say(""));
    this.#store.addEventListener("act", () => (this.#note.textContent = ""));
    this.#store.addEventListener("left", (event) => this.#left(/** @type {CustomEvent} */ (event).detail));
    this.#store.addEventListener("refused", (event) => this.#refused(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => this.#pressed(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.#catchUp());
    for (const kind of ["lines", "open"]) events.addEventListener(kind, () => document.hidden || this.#catchUp());
    addEventListener("beforeunload", (event) => {
      if (this.#store.waiting || this.#store.handing) event.preventDefault(); // what was done is not on the disk yet
    });
    const asked = new URLSearchParams(location.search).get("screen") ?? "";
    this.#store.load().then(() => (this.#open(asked), events.start()), (error) => this.#refused(error)); // prettier-ignore
  }

  /** @param {number} n photos that were labelled with others at once and are for the test */
  #left(n) {
    const those = n === 1 ? "1 photo is for the test and was left as it is" : `${n.toLocaleString()} photos are for the test and were left as they are`; // prettier-ignore
    this.#note.textContent = `${those}: label each by itself.`;
  }

  /** What another tab may have done. */
  #catchUp() {
    this.#store.catchUp().catch((error) => this.#refused(error));
  }

  /** @param {string} key of a screen; another word is the first one */
  #open(key) {
    const usual = this.#store.photos.length ? "label" : "collect"; // there is nothing to label yet
    const wanted = (/** @type {string} */ name) => SCREENS.find((one) => one.key === name);
    const { element, ...screen } = wanted(key) ?? wanted(usual) ?? SCREENS[0];
    this.#screens.get(this.#screen)?.close?.();
    const shown = this.#screens.get(screen.key) ?? document.createElement(element);
    this.#screens.set(screen.key, shown);
    this.#screen = screen.key;
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-current", tab.dataset.screen === screen.key ? "page" : "false");
      if (tab.dataset.screen === screen.key) tab.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone
    }
    const query = new URLSearchParams(location.search);
    query.set("screen", screen.key);
    if (screen.key === "label") query.delete("screen");
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
    this.#main.replaceChildren(shown);
    shown.open(this.#store);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest("input, select, textarea, dialog")) return;
    const does = this.#everywhere(event) ?? this.#screens.get(this.#screen)?.pressed?.(event);
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
      if (key === "z") return () => this.#store.act({ do: event.shiftKey ? "redo" : "undo" });
      return key === "y" ? () => this.#store.act({ do: "redo" }) : null;
    }
    if (event.altKey) return null;
    if (key === "[" || key === "]") return () => this.#step(key === "[" ? -1 : 1);
    return key === "?" ? showKeys : null;
  }

  /** @param {number} by */
  #step(by) {
    const at = SCREENS.findIndex((one) => one.key === this.#screen) + by;
    if (SCREENS[at]) this.#open(SCREENS[at].key);
  }

  /** @param {any} error or nothing, where all is well again */
  #refused(error) {
    this.#trouble.textContent = error ? [error.message, error.hint].filter(Boolean).join(" ") : "";
    this.#draw();
  }

  /** @param {string} text */
  #say(text) {
    this.#trouble.textContent = "";
    this.#saved.textContent = text || (this.#store.waiting ? "Saving…" : "✓ Saved");
  }

  #draw() {
    const { about, waiting } = this.#store;
    if (!about) return;
    document.title = `${about.name} – Studio`;
    this.#title.textContent = about.name;
    if (waiting) this.#saved.textContent = "Saving…";
    const unusable = about.unusable.length ? this.#unusable(about.unusable) : "";
    const notes = about.notes.length ? `${about.notes.join(" ")} ` : "";
    this.#foot.replaceChildren(make("p", {}, `Photos stay as and where they are unless you move them, and nothing leaves this machine. ${notes}What you say is kept in ${about.kept_in}.`), unusable); // prettier-ignore
  }

  /** @param {[string, string][]} pairs */
  #unusable(pairs) {
    const list = pairs.slice(0, 200).map(([name, reason]) => make("li", {}, `${name}: ${reason}`));
    const noun = pairs.length === 1 ? "file" : "files";
    return make("details", {}, make("summary", {}, `${pairs.length.toLocaleString()} ${noun} not shown`), make("ul", {}, ...list)); // prettier-ignore
  }

}

customElements.define("studio-page", StudioPage);
