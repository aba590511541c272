/** How well it works, what it confuses, why, and what to do next; with labels mended where a photo is seen. */

import { post } from "./client.js";
import { make, named } from "./elements.js";
import { runJob } from "./jobs.js";
import { photoFigure } from "./photo-figure.js";
import { last, of100 } from "./score.js";

/** @typedef {import("./studio-types").Score} Score */

const MOST_CELLS = 24; // classes of a matrix that can be read; above, its largest cells are a list
const SHOWN = 24; // photos at once

/** @param {number} n */
const photosOf = (n) => `${n.toLocaleString()} ${n === 1 ? "photo" : "photos"}`;

/** @param {{value: number | null, low: number | null, high: number | null}} share */
const withRange = ({ value, low, high }) => (value === null || low === null || high === null ? "–" : `${of100(value)} (${of100(low)} to ${of100(high)})`); // prettier-ignore

class ScoreScreen extends HTMLElement {
  #store = /** @type {import("./store").Store} */ (/** @type {unknown} */ (null));
  #body = make("div", { class: "score-body", tabindex: "-1" });
  #cell = /** @type {[number, number] | null} */ (null); // class and answer whose photos are shown
  #more = 0; // pages of photos
  #steps = /** @type {any} */ (null);
  #stepsOf = -1; // the lines of the journal that the steps are of
  #asking = false;

  /** @param {import("./store").Store} store */
  open(store) {
    if (!this.#store) {
      this.#store = store;
      this.append(this.#body);
      last.addEventListener("change", () => this.#draw());
      store.addEventListener("change", () => this.#draw());
    }
    this.#draw();
    this.#body.focus();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {(() => void) | null | undefined}
   */
  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return null;
    return event.key.toLowerCase() === "u" ? () => this.#store.act({ do: "undo" }) : null;
  }

  #draw() {
    if (!this.isConnected) return;
    const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.held;
    const { score } = last;
    this.#body.replaceChildren(...(score ? this.#drawn(score) : this.#nothing()));
    if (held) /** @type {HTMLElement | null} */ (this.querySelector(`[data-held="${CSS.escape(held)}"]`))?.focus();
  }

  #nothing() {
    const [message, hint] = last.refused;
    const text = message || (last.working ? "The score is being made…" : "There is no score yet.");
    const next = hint || (last.working ? "" : "Label photos of two classes at least: it is made by itself, a second after the last one."); // prettier-ignore
    return [make("div", { class: "empty" }, make("h2", {}, text), make("p", {}, next))];
  }

  /** @param {Score} score @returns {any[]} */
  #drawn(score) {
    const { versions } = score;
    const old = last.working || score.n_lines !== this.#store.lines;
    return [
      make("section", { class: "headline", "aria-live": "polite" },
        make("h2", {}, score.headline),
        make("p", { class: "quiet" }, this.#about(score), old ? " Being made anew…" : ""),
        ...[versions.again, versions.compared, ...score.sentences].filter(Boolean).map((text) => make("p", {}, text))), // prettier-ignore
      this.#next(score),
      this.#classes(score),
      this.#confusion(score),
      this.#photos(score),
      this.#versions(score),
    ];
  }

  /** What the number is of. @param {Score} score */
  #about({ kind, own, n_tested, least_tested, thinned, n_train }) {
    const whole = thinned ? ` Learned from ${n_train.toLocaleString()} photos, of at most 20,000 of the ${thinned.toLocaleString()} labelled stacks; the command learns from all.` : ""; // prettier-ignore
    if (own) return `Tested on the photos that your set itself keeps for it.${whole}`;
    if (kind !== "crossed") return `Tested on one stack in five, drawn by chance before anybody looked, which never trains.${whole}`; // prettier-ignore
    return (
      `Photos that chance chose are tested in turn, each by a model that has not seen it; what a strip or a suggestion ` +
      `chose only trains. ${n_tested} of the stacks drawn for the test have a label: from ${least_tested} on these alone test, and train no more.${whole}`
    );
  }

  /** @param {Score} score */
  #next(score) {
    const steps = this.#stepsOf === score.n_lines ? this.#steps : null;
    const ask = make("button", { type: "button", "data-held": "next", disabled: this.#asking, click: () => this.#ask(score) }, this.#asking ? "Looking…" : "What to do next, and is it enough?"); // prettier-ignore
    if (!steps) return make("section", {}, ask);
    const show = (/** @type {string[]} */ ids) => make("div", { class: "near" }, ...this.#of(ids).slice(0, 8).map((photo) => photoFigure(photo, {}, this.#relabel(photo, "step")))); // prettier-ignore
    return make("section", {},
      make("h3", {}, "Is it enough?"), make("p", {}, steps.enough),
      make("h3", {}, "What to do next"),
      make("ol", { class: "steps" }, ...steps.steps.map((/** @type {any} */ step) => make("li", {}, make("p", {}, step.sentence), ...(step.photos.length ? [show(step.photos)] : []))))); // prettier-ignore
  }

  /** @param {Score} score */
  async #ask(score) {
    this.#asking = true;
    this.#draw();
    try {
      this.#steps = await runJob("advice");
      this.#stepsOf = score.n_lines;
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
    this.#asking = false;
    this.#draw();
  }

  /** @param {Score} score */
  #classes(score) {
    const enough = this.#stepsOf === score.n_lines ? this.#steps.of_class : [];
    const rows = score.per_class.map((one, i) =>
      make("tr", {}, make("th", { scope: "row", title: one.class_name }, named(one.class_name)), make("td", {}, String(one.n_train ?? "")), make("td", {}, String(one.n_test)), make("td", {}, withRange(one.recall)), make("td", {}, withRange(one.precision)), ...(enough.length ? [make("td", {}, enough[i])] : []))); // prettier-ignore
    const heads = ["Class", "Learned from", "Tested", "Found, of 100", "Right when named, of 100", ...(enough.length ? ["More photos?"] : [])]; // prettier-ignore
    return make("section", {}, make("h3", {}, "Each class"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Each class" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)))); // prettier-ignore
  }

  /** @param {Score} score */
  #confusion({ classes, tested }) {
    /** @type {Map<string, number>} */
    const cells = new Map();
    for (const [, label, answer] of tested) cells.set(`${label},${answer}`, (cells.get(`${label},${answer}`) ?? 0) + 1);
    const button = (/** @type {number} */ i, /** @type {number} */ j, /** @type {string} */ text) =>
      make("button", { type: "button", "data-held": `cell ${i} ${j}`, "aria-pressed": String(this.#cell?.[0] === i && this.#cell[1] === j), "aria-label": `${classes[i]} called ${classes[j]}: ${photosOf(cells.get(`${i},${j}`) ?? 0)}`, click: () => this.#open(i, j) }, text); // prettier-ignore
    if (classes.length > MOST_CELLS) {
      const pairs = [...cells].map(([key, n]) => /** @type {[number, number, number]} */ ([...key.split(",").map(Number), n])).filter(([i, j]) => i !== j); // prettier-ignore
      pairs.sort((a, b) => b[2] - a[2]);
      const rows = pairs.slice(0, SHOWN).map(([i, j, n]) => make("li", {}, button(i, j, `${classes[i]} called ${classes[j]}: ${n}`)));
      return make("section", {}, make("h3", {}, "Most often confused"), rows.length ? make("ul", { class: "pairs" }, ...rows) : make("p", {}, "Nothing."));
    }
    const head = make("tr", {}, make("th", { scope: "col" }, "It is ↓ called →"), ...classes.map((name) => make("th", { scope: "col", title: name }, named(name)))); // prettier-ignore
    const rows = classes.map((name, i) =>
      make("tr", {}, make("th", { scope: "row", title: name }, named(name)), ...classes.map((_, j) => make("td", { class: i === j ? "right" : "" }, cells.has(`${i},${j}`) ? button(i, j, String(cells.get(`${i},${j}`))) : "")))); // prettier-ignore
    return make("section", {}, make("h3", {}, "What is taken for what"), make("div", { class: "scroll confusion", tabindex: "0", role: "region", "aria-label": "What is taken for what" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)))); // prettier-ignore
  }

  /**
   * @param {number} label
   * @param {number} answer
   */
  #open(label, answer) {
    const same = this.#cell?.[0] === label && this.#cell[1] === answer;
    this.#cell = same ? null : [label, answer];
    this.#more = 0;
    this.#draw();
  }

  /** Those of the chosen cell, or all wrong ones, the surest first. @param {Score} score */
  #photos({ classes, tested, wrong }) {
    const cell = this.#cell;
    const near = new Map(wrong.map((one) => [one.photo, one.near]));
    const rows = cell
      ? tested.filter(([, label, answer]) => label === cell[0] && answer === cell[1]).sort((a, b) => b[3] - a[3])
      : wrong.map(({ photo, answer, sure }) => /** @type {[string, number, number, number]} */ ([photo, -1, answer, sure])); // prettier-ignore
    const title = cell ? `${classes[cell[0]]} called ${classes[cell[1]]}` : "Wrong photos, the surest first";
    const shown = rows.slice(0, SHOWN * (this.#more + 1));
    const cards = shown.flatMap(([id, , answer, sure]) => {
      const [photo] = this.#of([id]);
      if (!photo) return [];
      const beside = this.#of(near.get(id) ?? []);
      const said = make("p", {}, "Called ", named(classes[answer]), ` (${of100(sure)} of 100 sure)`);
      const alike = beside.length ? [make("div", { class: "near" }, ...beside.map((one) => photoFigure(one, {}, this.#relabel(one, `${id} near`))))] : []; // prettier-ignore
      return [make("li", { class: "wrong" }, photoFigure(photo, { class: "medium" }, said, this.#relabel(photo, id)), ...(alike.length ? [make("div", {}, make("h4", {}, "Learned from, most alike"), ...alike)] : []))]; // prettier-ignore
    });
    const all = cell ? [make("button", { type: "button", "data-held": "all", click: () => ((this.#cell = null), this.#draw()) }, "All wrong photos")] : []; // prettier-ignore
    const more = rows.length > shown.length ? [make("button", { type: "button", "data-held": "more", click: () => (this.#more++, this.#draw()) }, `More (${(rows.length - shown.length).toLocaleString()})`)] : []; // prettier-ignore
    const none = cards.length ? [] : [make("p", {}, "None.")];
    return make("section", { class: "wrongs" }, make("h3", {}, title), ...all, make("ul", {}, ...cards), ...none, ...more);
  }

  /** Another label for a photo, where it is seen. @param {import("./studio-types").Photo} photo @param {string} where */
  #relabel(photo, where) {
    const names = photo.label ? this.#store.classes : ["", ...this.#store.classes];
    const options = names.map((name) => make("option", { value: name, selected: name === photo.label }, name || "no label"));
    const select = make("select", { "aria-label": `What ${photo.name} is`, "data-held": `${where} ${photo.id}` }, ...options);
    select.addEventListener("change", () => {
      if (select.value) this.#store.act({ do: "label", label: select.value }, [photo], { label: select.value, none: false });
    });
    return select;
  }

  /** @param {string[]} ids @returns {import("./studio-types").Photo[]} */
  #of(ids) {
    return ids.flatMap((id) => this.#store.byId.get(id) ?? []);
  }

  /** @param {Score} score */
  #versions({ versions }) {
    const rows = versions.rows.map((one) =>
      make("tr", {},
        make("th", { scope: "row" }, String(one.number)),
        make("td", {}, new Date(one.at).toLocaleString()),
        make("td", {}, one.n_labelled.toLocaleString()),
        make("td", {}, `${one.n_right.toLocaleString()} of ${one.n_test.toLocaleString()}${one.again ? ", scored again" : ` (${of100(one.low)} to ${of100(one.high)} of 100)`}`),
        make("td", {}, one.kind === "crossed" ? "in turn" : "test"),
        make("td", {}, make("button", { type: "button", "data-held": `version ${one.number}`, "aria-label": `Write its labels: version ${one.number}`, click: () => this.#write(one.n_lines) }, "Write its labels")),
        make("td", {}, make("button", { type: "button", "data-held": `model ${one.number}`, "aria-label": `Write its model: version ${one.number}`, click: () => this.#train(one) }, "Write its model")))); // prettier-ignore
    const heads = ["Version", "When", "Labelled", "Right", "Tested", "", ""];
    return make("section", {}, make("h3", {}, "Versions"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Versions" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)))); // prettier-ignore
  }

  /** The model of what was said then takes the place of the one on Share. @param {import("./studio-types").Version} version */
  async #train({ number, n_lines }) {
    try {
      await post(`/v1/write?lines=${n_lines}`, {});
      const { sentences } = await runJob("train", { lines: n_lines });
      this.dispatchEvent(new CustomEvent("say", { detail: `Version ${number} is the model now: ${sentences[0]} Share has its report, and serves it.`, bubbles: true })); // prettier-ignore
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
  }

  /** @param {number} lines */
  async #write(lines) {
    try {
      const { path, command } = await post(`/v1/write?lines=${lines}`, {});
      this.dispatchEvent(new CustomEvent("say", { detail: `Written: ${path}. Train on it: ${command}`, bubbles: true }));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error, bubbles: true }));
    }
  }
}

customElements.define("score-screen", ScoreScreen);
