/** The card of one photo: the photo, the answer in words, a bar for each class. */
/** @import {Client, Prediction} from "./types" */

import { Failure } from "./client.js";
import { make, named } from "./elements.js";
import { PhotoView } from "./photo-view.js";
import { asText, counted, percent, spoken } from "./wording.js";

let made = 0; // numbers the cards, for ids within their shadow root

export class AnswerView {
  /**
   * @param {object} options
   * @param {Blob} options.photo
   * @param {string} options.title what to call it: a file name, or where it comes from.
   * @param {Client} options.client
   * @param {number} options.top bars to show before the rest is folded away.
   * @param {() => void} options.again asks once more, after a failure.
   */
  constructor({ photo, title, client, top, again }) {
    made += 1;
    this.given = photo;
    this.client = client;
    this.top = top;
    this.again = again;
    this.title = title;
    this.view = new PhotoView(photo, title, client.model);
    this.headline = make("h3", { id: `answer-${made}` });
    this.body = make("div", { class: "body" });
    this.views = make("div", { class: "views", role: "group", "aria-label": "What to show" });
    this.note = make("p", { class: "note", hidden: true });
    this.element = make(
      "article",
      { class: "card", "aria-labelledby": `answer-${made}` },
      make("div", { class: "left" }, this.view.element, this.views, this.note),
      make("div", { class: "right" }, make("p", { class: "title" }, named(title)), this.headline, this.body),
    );
    // What comes with the answer has its place from the start, so that the next card does not move under a pointer.
    this.element.style.setProperty("--bars", String(Math.min(top + 1, client.model.classNames.length)));
    this.wait();
  }

  wait() {
    this.element.dataset.state = "busy";
    this.headline.replaceChildren("Looking …");
    this.body.replaceChildren(make("div", { class: "busy", "aria-hidden": "true" }));
  }

  /**
   * @param {Prediction} prediction
   * @returns {string} the answer as a sentence to be read aloud.
   */
  answer(prediction) {
    const said = spoken(prediction, this.client.model);
    this.element.dataset.state = said.kind;
    this.headline.replaceChildren(...said.headline.map(nodeOf));
    const remark = make("p", { class: "remark" }, ...said.remark.map(nodeOf));
    const bars = this.#bars([...prediction.probs]);
    // Bars under "none of these" would look like an answer, and a confident one.
    const folded = make("details", {}, make("summary", {}, "If it had to choose one of its names"), ...bars);
    this.body.replaceChildren(remark, ...(said.kind === "none" ? [folded] : bars));
    this.#offerViews(prediction);
    return `${asText(said.headline)}. ${asText(said.remark)}`;
  }

  /**
   * @param {{message: string, hint: string}} error
   * @param {boolean} mayRetry whether asking again could help.
   * @returns {string} the error as a sentence to be read aloud.
   */
  fail({ message, hint }, mayRetry) {
    this.element.dataset.state = "error";
    this.headline.replaceChildren("No answer");
    const retry = make("button", { type: "button", click: () => this.again() }, "Try again");
    this.body.replaceChildren(make("p", { class: "error" }, message), ...(hint ? [make("p", { class: "hint" }, hint)] : []));
    if (mayRetry) this.body.append(retry);
    return `No answer. ${message} ${hint}`;
  }

  /**
   * @param {[string, number][]} pairs likeliest first.
   * @returns {HTMLElement[]}
   */
  #bars(pairs) {
    const n = pairs.length > this.top + 1 ? this.top : pairs.length; // no fold for a single bar
    const first = barList(pairs.slice(0, n));
    if (n === pairs.length) return [first];
    const rest = make("details", {}, make("summary", {}, `${counted(pairs.length - n, "more name")}`));
    // A thousand bars are made only for those who ask for them.
    rest.addEventListener("toggle", () => rest.append(barList(pairs.slice(n))), { once: true });
    return [first, rest];
  }

  /** @param {Prediction} prediction */
  async #offerViews(prediction) {
    if (!(await this.view.ready)) return;
    const { inputPx, fit, hasHeatmap } = this.client.model;
    const middle = fit === "crop" ? "the middle square" : "the whole photo, pressed into a square";
    const name = prediction.className ?? "";
    /** @type {[import("./photo-view.js").View, string, (string | Node)[]][]} */
    const all = [
      ["photo", "Photo", []],
      ["heatmap", "Where it looked", ["Bright is what spoke for “", named(name), "”."]],
      ["seen", "What it sees", [`${inputPx} × ${inputPx} pixels: ${middle}.`]],
    ];
    const kinds = all.filter(([view]) => view !== "heatmap" || hasHeatmap);
    this.views.replaceChildren(
      ...kinds.map(([view, text]) =>
        make("button", { type: "button", "aria-pressed": String(view === "photo"), click: press }, text),
      ),
    );
    const buttons = [...this.views.children];
    const card = this;

    /** @param {Event & {currentTarget: Element}} event */
    async function press({ currentTarget }) {
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button === currentTarget)));
      const [view, , note] = kinds[buttons.indexOf(currentTarget)];
      const complaint = view === "heatmap" ? await card.#askForHeatmap() : "";
      if (currentTarget.getAttribute("aria-pressed") !== "true") return; // another was pressed meanwhile
      if (!complaint) card.view.show(view);
      card.note.replaceChildren(...(complaint ? [complaint] : note));
      card.note.hidden = !complaint && note.length === 0;
    }
  }

  /**
   * Asks for the heatmap when it is wanted for the first time.
   * @returns {Promise<string>} why there is none; empty when there is.
   */
  async #askForHeatmap() {
    if (this.view.heatmap) return "";
    this.note.replaceChildren("Looking once more …");
    this.note.hidden = false;
    try {
      const [{ heatmap }] = await this.client.predict([this.given], { heatmap: true });
      if (!heatmap) return "This model cannot show where it looked.";
      await this.view.addHeatmap(heatmap);
      return "";
    } catch (error) {
      // Not a Failure: the part that paints it did not come, or it is no picture.
      return error instanceof Failure ? error.message : "It cannot be shown now.";
    }
  }
}

/**
 * @param {import("./wording.js").Piece} piece
 * @returns {string | Node}
 */
export function nodeOf(piece) {
  return typeof piece === "string" ? piece : named(piece.name);
}

/** @param {[string, number][]} pairs */
function barList(pairs) {
  return make("ol", { class: "bars" }, ...pairs.map(([name, share]) => bar(name, share)));
}

/**
 * @param {string} name
 * @param {number} share
 */
function bar(name, share) {
  const fill = make("span", { class: "fill" });
  fill.style.setProperty("--share", String(share));
  return make(
    "li",
    {},
    make("span", { class: "name" }, named(name)),
    make("span", { class: "track", "aria-hidden": "true" }, fill),
    make("span", { class: "share" }, percent(share)),
  );
}
