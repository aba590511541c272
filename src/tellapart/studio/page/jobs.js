/** Work that takes its time: begun, waited for, shown with its progress, cancelled. */

import { beginJob, cancelJob, jobOf, Refused, unendedJobs } from "./client.js";
import { make } from "./elements.js";
import { events } from "./events.js";

const QUIET = "score"; // made after each action, in the background: the header says that it is being made
const ENDED = ["done", "failed", "cancelled"];
/** What each kind of work is called while it goes on, where it has no stage to name. @type {Record<string, string>} */
const NAMES = { read: "Reading the photos", strips: "Looking for strips", suggestions: "Looking for what to label", alike: "Looking for what is like it", doubts: "Looking for doubts", train: "Training", export: "Exporting", move: "Moving photos", unmove: "Putting photos back" };

/**
 * Does a piece of work; what it found.
 * @param {string} name
 * @param {Record<string, unknown>} [asked]
 * @returns {Promise<any>} rejects with a Refused where it failed or was cancelled
 */
export async function runJob(name, asked = {}) {
  const { number } = await beginJob({ ...asked, do: name });
  for (;;) {
    const ended = new Promise((done) => {
      const check = (/** @type {Event} */ event) => {
        const job = /** @type {CustomEvent} */ (event).detail;
        if (event.type === "job" && !(job.number === number && ENDED.includes(job.state))) return;
        for (const kind of ["job", "open"]) events.removeEventListener(kind, check);
        done(null);
      };
      for (const kind of ["job", "open"]) events.addEventListener(kind, check); // news are lost while the line is cut
    });
    const job = await jobOf(number);
    if (job.state === "done") return job.result;
    if (ENDED.includes(job.state)) throw new Refused(job.message || "It was cancelled.", job.hint);
    await ended;
  }
}

/** The work that goes on now, with how far it is and a button that ends it. */
class JobLine extends HTMLElement {
  /** @type {Map<number, any>} those that have not ended */
  #jobs = new Map();
  #text = make("span", { class: "stage" });
  #bar = make("progress", { "aria-label": "How far it is" });
  #cancel = make("button", { type: "button", click: () => this.#end() }, "Cancel");

  connectedCallback() {
    this.hidden = true;
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", "Work that goes on");
    this.append(this.#text, this.#bar, this.#cancel);
    events.addEventListener("job", (event) => this.#take(/** @type {CustomEvent} */ (event).detail));
    events.addEventListener("open", async () => {
      this.#jobs = new Map((await unendedJobs()).map((job) => [job.number, job]));
      this.#draw();
    });
  }

  /** @param {any} job */
  #take(job) {
    if (ENDED.includes(job.state)) this.#jobs.delete(job.number);
    else this.#jobs.set(job.number, job);
    this.#draw();
  }

  get #running() {
    return [...this.#jobs.values()].find((job) => job.state === "running" && job.do !== QUIET);
  }

  #end() {
    const job = this.#running;
    if (job) cancelJob(job.number);
  }

  #draw() {
    const job = this.#running;
    this.hidden = !job;
    if (!job) return;
    const stage = job.stage ? job.stage[0].toUpperCase() + job.stage.slice(1) : (NAMES[job.do] ?? "Working");
    const far = job.total ? `: ${job.done.toLocaleString()} of ${job.total.toLocaleString()}` : "";
    this.#text.textContent = `${stage}${far}`;
    if (job.total) Object.assign(this.#bar, { max: job.total, value: job.done });
    else this.#bar.removeAttribute("value");
  }
}

customElements.define("job-line", JobLine);
