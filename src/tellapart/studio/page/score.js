/** The score as this page knows it: asked for anew when there is another, and shown small on every screen. */

import { get } from "./client.js";
import { make } from "./elements.js";
import { events } from "./events.js";

/** @typedef {import("./studio-types").Score} Score */

/** @param {number} share */
export const of100 = (share) => Math.round(100 * share);

/** Tells of "change". */
class LastScore extends EventTarget {
  /** @type {Score | null} */
  score = null;
  /** Why there is none: a sentence and what to do. */
  refused = ["", ""];
  working = false;
  /** @type {Map<string, [string, number]>} answer and how sure, of every photo, once they were asked for */
  answers = new Map();
  #wanted = false;

  constructor() {
    super();
    events.addEventListener("open", () => this.#ask());
    events.addEventListener("news", (event) => {
      const { score } = /** @type {CustomEvent} */ (event).detail;
      if (score === "new") this.#ask();
      else if (score) ((this.working = true), this.dispatchEvent(new Event("change")));
    });
  }

  async #ask() {
    try {
      Object.assign(this, await get("/v1/score"));
      if (this.#wanted) await this.wantAnswers();
    } catch {
      // the line is cut: it is asked for again when it is open
    }
    this.dispatchEvent(new Event("change"));
  }

  /** From now on the answers about all photos are here too. */
  async wantAnswers() {
    this.#wanted = true;
    const { classes, answers } = await get("/v1/answers");
    this.answers = new Map(answers.map((/** @type {[string, number, number]} */ [id, answer, sure]) => [id, [classes[answer], sure]])); // prettier-ignore
    this.dispatchEvent(new Event("change"));
  }
}

export const last = new LastScore();

/** A few words in the header, which open the screen. */
class ScoreChip extends HTMLElement {
  #button = make("button", { type: "button", click: () => this.dispatchEvent(new CustomEvent("screen", { detail: "score", bubbles: true })) }); // prettier-ignore

  connectedCallback() {
    this.append(this.#button);
    last.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  #draw() {
    const { score, working } = last;
    this.#button.textContent = score ? `${of100(score.accuracy.value)} of 100` : "No score yet";
    const said = score ? score.headline : last.refused.filter(Boolean).join(" ") || "Label some photos";
    this.#button.title = said;
    this.#button.setAttribute("aria-label", `${this.#button.textContent}. Score: ${said}`);
    this.toggleAttribute("data-working", working);
  }
}

customElements.define("score-chip", ScoreChip);
