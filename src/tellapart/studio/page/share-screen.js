/** The model written, its report, its exports with their proofs, and its own page. */

import { get, post } from "./client.js";
import { make } from "./elements.js";
import { runJob } from "./jobs.js";

/** @type {[to: string, title: string, what: string][]} */
const EXPORTS = [
  ["web", "Web page", "Runs in the visitor’s browser, on any web host; photos stay with the visitor."],
  ["space", "Hugging Face Space", "The same page as a folder for a free Space."],
  ["docker", "Container", "A server with the page and an API, to be built with Docker."],
  ["onnx", "ONNX file", "One file for your own program: pixels in, calibrated answers out."],
];

class ShareScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #busy = "";
  #nLines = -1; // of the journal when the model was written in this window
  #about = /** @type {any} */ (null);
  /** @type {Map<string, string[]>} sentences on what was made, by what it is */
  #said = new Map();

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      store.addEventListener("change", () => this.#draw());
    }
    this.tabIndex = -1;
    this.focus();
    this.#load();
  }

  async #load() {
    await this.#try("", async () => {
      this.#about = await get("/v1/share");
    });
  }

  /**
   * @param {string} busy with what
   * @param {() => Promise<void>} work
   */
  async #try(busy, work) {
    this.#busy = busy;
    this.#draw();
    try {
      await work();
      this.dispatchEvent(new CustomEvent("trouble", { bubbles: true }));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
    this.#busy = "";
    this.#draw();
  }

  #write() {
    return this.#try("train", async () => {
      const { left } = await this.#store.write();
      const n = this.#store.lines;
      const { sentences } = await runJob("train");
      this.#said.clear();
      this.#said.set("train", [...sentences, left].filter(Boolean));
      this.#nLines = n;
      this.#about = await get("/v1/share");
    });
  }

  /** @param {string} to */
  #export(to) {
    return this.#try(to, async () => {
      const { folder, sentences } = await runJob("export", { to });
      this.#said.set(to, [`Written to ${folder}.`, ...sentences]);
    });
  }

  #report() {
    const opened = window.open("", "_blank"); // while the click is fresh, or it is taken for an advertisement
    return this.#try("", async () => {
      try {
        const { ticket } = await post("/v1/ticket", {});
        const address = `/report?ticket=${encodeURIComponent(ticket)}`;
        if (opened) opened.location.replace(address);
        else location.assign(address);
      } catch (error) {
        opened?.close();
        throw error;
      }
    });
  }

  #serve() {
    return this.#try("serve", async () => {
      if (this.#about.serving) this.#about = await post("/v1/serve-end", {});
      else this.#about = { ...this.#about, serving: (await post("/v1/serve", {})).address };
    });
  }

  #draw() {
    const about = this.#about;
    if (!about || !this.isConnected) return;
    const focused = /** @type {HTMLElement | null} */ (this.contains(document.activeElement) ? document.activeElement : null);
    const which = focused?.dataset.what;
    this.replaceChildren(this.#model(about), this.#exports(about), this.#page(about), this.#commands(about));
    if (which) /** @type {HTMLElement | null} */ (this.querySelector(`[data-what="${which}"]`))?.focus();
  }

  /**
   * @param {string} what
   * @param {string} text
   * @param {() => unknown} click
   * @param {{main?: boolean, off?: boolean}} [how]
   */
  #button(what, text, click, { main = false, off = false } = {}) {
    const busy = this.#busy === what;
    const attributes = { type: "button", class: main ? "main" : "", "data-what": what, disabled: off || Boolean(this.#busy) };
    return make("button", { ...attributes, click }, busy ? "Working…" : text);
  }

  /** @param {string} what */
  #sentences(what) {
    return (this.#said.get(what) ?? []).map((sentence) => make("p", {}, sentence));
  }

  /** @param {any} about */
  #model(about) {
    const old = about.written && this.#nLines >= 0 && this.#nLines !== this.#store.lines;
    const state = about.written ? (old ? "There is a model, older than what you said last." : "The model is written.") : "Nothing is written yet."; // prettier-ignore
    return make(
      "section",
      { class: "card" },
      make("h2", {}, "Model"),
      make("p", { class: "quiet" }, `${state} It goes to ${about.model}, tested before it is written; a model that is there is replaced.`),
      make(
        "div",
        { class: "answers" },
        this.#button("train", about.written ? "Write it again" : "Write the model", () => this.#write(), { main: !about.written || old }),
        this.#button("report", "Show the report", () => this.#report(), { off: !about.written }),
      ),
      ...this.#sentences("train"),
    ); // prettier-ignore
  }

  /** @param {any} about */
  #exports(about) {
    const rows = EXPORTS.map(([to, title, what]) =>
      make(
        "div",
        { class: "export" },
        make("div", {}, make("h3", {}, title), make("p", { class: "quiet" }, what), ...this.#sentences(to)),
        this.#button(to, this.#said.has(to) ? "Make it again" : "Make it", () => this.#export(to), { off: !about.written }),
      ),
    );
    const promise = "Before anything is written, the exported form answers your test photos; one that answers differently is not written.";
    return make("section", { class: "card" }, make("h2", {}, "Exports"), make("p", { class: "quiet" }, promise), ...rows);
  }

  /** @param {any} about */
  #page(about) {
    const link = about.serving
      ? [make("p", {}, "The model answers at ", make("a", { href: about.serving, target: "_blank", rel: "noreferrer" }, about.serving), " as long as the studio is open.")] // prettier-ignore
      : [];
    const text = about.serving ? "End it" : "Open its page";
    return make("section", { class: "card" }, make("h2", {}, "Serve it here"), make("p", { class: "quiet" }, "A page to drop photos on, and an API, for this machine alone."), ...link, make("div", { class: "answers" }, this.#button("serve", text, () => this.#serve(), { off: !about.written }))); // prettier-ignore
  }

  /** @param {any} about */
  #commands(about) {
    const rows = about.commands.flatMap((/** @type {string[]} */ [what, command]) => [make("p", {}, what), make("pre", { tabindex: "0" }, command)]); // prettier-ignore
    return make("section", { class: "card" }, make("h2", {}, "Next, in a terminal"), ...rows);
  }
}

customElements.define("share-screen", ShareScreen);
