/** Many photos at once: a small picture and an answer each, one by one, and all of them as a table. Fetched when needed. */

import { AnswerView } from "./answer-view.js";
import { drawn } from "./canvas.js";
import { Failure } from "./client.js";
import { make, named } from "./elements.js";
import { refusalOf } from "./input.js";
import { asText, counted, percent, spoken } from "./wording.js";
import { asTable } from "./table.js";

export const MOST = 200; // photos at once
const THUMBNAIL_PX = 240; // twice the width of a cell, for sharp screens

const CSS = `
.many { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); padding: 1rem; }
.many header, .many footer { display: flex; align-items: center; justify-content: space-between; gap: 1rem; }
.many header { min-height: 3.8rem; } .many header button { flex: none; }
.many footer { margin-top: 1.2rem; min-height: 2.75rem; } .many b { font-size: 1.2rem; font-weight: 650; }
.many progress { display: block; width: 100%; height: .55rem; margin: .3rem 0 1rem; accent-color: var(--accent); }
.many ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.7rem, 1fr)); gap: 1rem .7rem; }
.many li button { display: block; width: 100%; padding: 0; border: 0; border-radius: .6rem; background: none; color: var(--ink); text-align: start; font-weight: 400; }
.many canvas { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .6rem; background: var(--track); }
.many button:hover canvas { outline: 2px solid var(--accent); outline-offset: 2px; }
.many .said, .many .file { display: block; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; font-size: .875rem; line-height: 1.5; }
.many .said { display: flex; font-weight: 600; margin-top: .3rem; } .many .said span { flex: none; white-space: pre; }
.many .said span:first-child { flex: 0 1 auto; overflow: hidden; text-overflow: ellipsis; } .many .file { color: var(--quiet); font-size: .8125rem; }
.many [data-state=unsure] .said, .many [data-state=error] .said { color: var(--doubt); }
.many [data-state=busy] .said, .many [data-state=none] .said { color: var(--quiet); }
.large { width: min(56rem, calc(100vw - 1.5rem)); max-height: calc(100dvh - 1.5rem); padding: 1rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--card); color: var(--ink); container-type: inline-size; }
.large::backdrop { background: rgb(10 14 18 / .65); } .large .card { border: 0; } .large > button { display: block; margin: .5rem auto 0; }
`;
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);

/** @typedef {{given: import("./types").Given, cell: any, prediction: import("./types").Prediction | null}} Entry */

export class Grid {
  /**
   * @param {object} options
   * @param {import("./types").Given[]} options.given
   * @param {import("./types").Client} options.client
   * @param {import("./queue.js").Queue} options.queue
   * @param {ShadowRoot} options.root where styles and the large view go.
   * @param {number} options.top bars to show in the large view.
   * @param {AbortSignal} [options.signal] ends it.
   * @param {(detail: {title: string, prediction: import("./types").Prediction}) => void} options.answered
   */
  constructor({ given, client, queue, root, top, signal, answered }) {
    this.client = client;
    this.queue = queue;
    this.root = root;
    this.top = top;
    this.signal = signal;
    this.answered = answered;
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    /** @type {Entry[]} */
    this.entries = given.map((one) => ({ given: one, cell: this.#cell(one), prediction: null }));
    this.total = make("b");
    this.sum = make("p", { role: "status" }); // below: it grows, and nothing is to move under a pointer
    this.meter = make("progress", { max: String(given.length), value: "0", "aria-label": "Photos answered" });
    this.again = make("button", { type: "button", hidden: true, click: () => this.run() }, "Ask again");
    this.save = make("button", { type: "button", click: () => this.#save() }, "Save as CSV");
    this.element = make(
      "section",
      { class: "many", "aria-label": "Answers to many photos" },
      make("header", {}, this.total, this.save),
      this.meter,
      make("ol", {}, ...this.entries.map(({ cell }) => make("li", {}, cell))),
      make("footer", {}, this.sum, this.again),
    );
    this.#count();
  }

  /** Asks about every photo that has no answer yet. */
  async run() {
    this.again.hidden = true;
    const open = this.entries.filter(({ prediction }) => !prediction || isPassing(prediction));
    await Promise.all(open.map((entry) => this.queue.take(() => this.#ask(entry))));
    if (!this.element.isConnected) return;
    this.again.hidden = !this.entries.some(({ prediction }) => prediction && isPassing(prediction));
  }

  /** @param {import("./types").Given} given */
  #cell(given) {
    const canvas = make("canvas", { width: "1", height: "1" });
    const cell = make(
      "button",
      { type: "button", "data-state": "busy", click: () => this.#enlarge(given) },
      canvas,
      make("span", { class: "said" }, "…"),
      make("span", { class: "file" }, named(given.title)),
    );
    return cell;
  }

  /** @param {Entry} entry */
  async #ask(entry) {
    if (!this.element.isConnected || this.signal?.aborted) return; // cleared, and nobody waits for it
    const { photo, title } = entry.given;
    const refused = await refusalOf(photo, this.client.model.maxPhotoBytes);
    void paintThumbnail(entry.cell.querySelector("canvas"), photo);
    try {
      if (refused) throw new Failure(refused.code, refused.message, refused.hint);
      [entry.prediction] = await this.client.predict([photo], { signal: this.signal });
      this.answered({ title, prediction: entry.prediction });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      entry.prediction = without(error);
    }
    this.#show(entry);
    this.#count();
  }

  /** @param {Entry} entry */
  #show({ cell, prediction, given }) {
    if (!prediction) return;
    const said = cell.querySelector(".said");
    if (prediction.error) {
      cell.dataset.state = "error";
      said.textContent = "No answer";
      cell.title = `${given.title}: ${prediction.error.message}`;
      return;
    }
    const { kind, headline } = spoken(prediction, this.client.model);
    const own = kind === "named" ? percent(prediction.probs.get(String(prediction.answer)) ?? 0) : "";
    const share = own && ` ${own.replace("over ", ">").replace("under ", "<")}`;
    cell.dataset.state = kind;
    const word = kind === "named" ? named(prediction.answer ?? "") : asText(headline);
    said.replaceChildren(make("span", {}, word), make("span", {}, share));
    cell.title = `${given.title}: ${asText(headline)}${share}`;
  }

  #count() {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { prediction } of this.entries) {
      if (!prediction) continue;
      const name = prediction.error ? "no answer" : String(prediction.answer);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const done = [...counts.values()].reduce((sum, n) => sum + n, 0);
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    const shown = sorted.slice(0, 8).flatMap(([name, n], i) => [i ? ", " : "", named(name), ` ${n}`]);
    const more = sorted.length > 8 ? ` and ${counted(sorted.length - 8, "other answer")}` : "";
    this.meter.value = done;
    const total = this.entries.length;
    const first = done < total ? `${done} of ${counted(total, "photo")}` : counted(total, "photo");
    this.total.textContent = first;
    this.sum.replaceChildren(...shown, more);
    // A screen reader would read every step; it hears the end.
    this.sum.setAttribute("aria-live", done < total ? "off" : "polite");
    this.save.disabled = done === 0;
  }

  /** @param {import("./types").Given} given */
  #enlarge(given) {
    const { client, top } = this;
    const entry = this.entries.find((one) => one.given === given);
    const view = new AnswerView({ ...given, client, top, again: () => dialog.close() });
    if (entry?.prediction?.error) view.fail(entry.prediction.error, false);
    else if (entry?.prediction) view.answer(entry.prediction);
    const close = make("button", { type: "button", click: () => dialog.close() }, "Close");
    const dialog = make("dialog", { class: "large", close: () => dialog.remove() }, view.element, close);
    this.root.append(dialog);
    dialog.showModal();
    close.focus();
  }

  #save() {
    const rows = this.entries.flatMap(({ given, prediction }) => (prediction ? [{ title: given.title, prediction }] : []));
    const file = new Blob([asTable(rows, this.client.model.classNames)], { type: "text/csv;charset=utf-8" });
    const href = URL.createObjectURL(file);
    make("a", { href, download: "answers.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }
}

/**
 * @param {number} n photos given at once.
 * @returns {string} empty when they are not too many.
 */
export function tooMany(n) {
  return n > MOST ? `${n} photos are too many at once: here are the first ${MOST}. Give the others after these.` : "";
}

/**
 * @param {Failure} failure
 * @returns {import("./types").Prediction}
 */
function without({ code, message, hint }) {
  const error = { code, message, hint };
  return {
    answer: null, className: null, confidence: null, probs: new Map(), unknownScore: null, looksLike: null,
    heatmap: null, error,
  }; // prettier-ignore
}

/** @param {import("./types").Prediction} prediction one whose refusal may pass. */
function isPassing({ error }) {
  return error !== null && ["away", "busy", "strange", "timeout", "too_much"].includes(error.code);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} photo
 */
async function paintThumbnail(canvas, photo) {
  try {
    const bitmap = await createImageBitmap(photo);
    const scale = Math.min(1, THUMBNAIL_PX / Math.min(bitmap.width, bitmap.height));
    const [width, height] = [bitmap.width * scale, bitmap.height * scale].map(Math.round);
    const small = drawn(width, height, bitmap, [0, 0, bitmap.width, bitmap.height]);
    bitmap.close();
    canvas.width = small.width;
    canvas.height = small.height;
    canvas.getContext("2d")?.drawImage(small, 0, 0);
  } catch {
    // This browser cannot show the file; the answer stands all the same.
  }
}
