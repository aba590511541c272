/** Answers and numbers in words. Nothing here touches the page. */
/** @import {Model, Prediction} from "./types" */

export const NOT_SURE = "not sure";
export const NONE_OF_THESE = "none of these";

const NBSP = "\u00a0";
const MEGABYTE = 1_000_000;

/** Confidence from which on the words apply. Calibrated: of 100 answers at 0.9, about 90 should be right. */
const SURENESS = /** @type {const} */ ([
  [0.99, "almost certain"],
  [0.9, "very sure"],
  [0.75, "fairly sure"],
  [0.5, "more likely than not"],
  [0, "a guess, but the best one"],
]);

/** @param {number} share in [0, 1] */
export function percent(share) {
  if (share > 0.99 && share < 1) return `over 99${NBSP}%`;
  if (share > 0 && share < 0.01) return `under 1${NBSP}%`;
  return `${Math.round(100 * share)}${NBSP}%`;
}

/** @param {number} confidence in [0, 1] */
export function sureness(confidence) {
  return (SURENESS.find(([from]) => confidence >= from) ?? SURENESS[SURENESS.length - 1])[1];
}

/** @param {number} bytes */
export function megabytes(bytes) {
  const number = bytes / MEGABYTE;
  return `${number < 10 ? number.toFixed(1) : Math.floor(number)}${NBSP}MB`;
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/**
 * An answer in pieces: text as strings, class names as objects, which a page sets apart.
 *
 * @typedef {string | {name: string}} Piece
 * @typedef {object} Spoken
 * @property {"named" | "unsure" | "none"} kind
 * @property {Piece[]} headline
 * @property {Piece[]} remark how far to trust it, in a sentence.
 */

/**
 * @param {Prediction} prediction one without an error.
 * @param {Model} model
 * @returns {Spoken}
 */
export function spoken(prediction, model) {
  const confidence = prediction.confidence ?? 0;
  if (prediction.answer === NONE_OF_THESE) return spokenNone(prediction, model);
  if (prediction.answer === NOT_SURE) {
    const { probs } = prediction;
    const claims = model.neverMiss.filter((one) => Number(probs.get(one.class_name)) >= one.probability);
    const torn = claims.length > 1;
    const names = torn ? claims.map((one) => one.class_name) : [...probs.keys()].slice(0, 2);
    const best = `No name is sure enough to give. The best guess has ${percent(confidence)}.`;
    return {
      kind: "unsure",
      headline: ["Not sure: ", ...listed(names, names.length)],
      remark: [torn ? "Each must not be missed." : best],
    };
  }
  if (prediction.answer !== prediction.className) return spokenAlarm(prediction);
  const words = sureness(confidence);
  return {
    kind: "named",
    headline: [{ name: prediction.answer ?? "" }],
    remark: [`${words[0].toUpperCase()}${words.slice(1)}, ${percent(confidence)}`],
  };
}

/**
 * A name that must not be missed, though another is likelier.
 * @param {Prediction} prediction
 * @returns {Spoken}
 */
function spokenAlarm(prediction) {
  const name = prediction.answer ?? "";
  const own = `${percent(Number(prediction.probs.get(name)))}: likely enough for what must not be missed. `;
  const likelier = ` has ${percent(prediction.confidence ?? 0)}.`;
  return { kind: "named", headline: [{ name }], remark: [own, { name: prediction.className ?? "" }, likelier] };
}

/**
 * @param {Prediction} prediction
 * @param {Model} model
 * @returns {Spoken}
 */
function spokenNone(prediction, { classNames, early }) {
  const like = prediction.looksLike;
  const few = early && "few ";
  return {
    kind: "none",
    headline: like ? ["None of these – looks more like ", { name: like }] : ["None of these"],
    remark: [`Too unlike the ${few}photos it learned from for any of its ${counted(classNames.length, "name")}.`],
  };
}

/** @param {Piece[]} pieces */
export function asText(pieces) {
  return pieces.map((piece) => (typeof piece === "string" ? piece : piece.name)).join("");
}

/**
 * @param {Model} model
 * @returns {string} empty when nothing is promised.
 */
export function promised({ promise, early, neverMiss }) {
  const own = neverMiss.map((one) => ` ${one.sentence}`).join("");
  if (!promise) return early + own;
  const [kept, low, high] = [promise.kept, promise.low, promise.high].map((share) => Math.round(100 * share));
  const least = `At least about ${kept} of 100 photos of its classes get a name`;
  return `${least} (${low} to ${high} is plausible). The others get “not sure” or “none of these”.${own}`;
}

/**
 * @param {string[]} names
 * @param {number} most how many to list.
 * @returns {Piece[]}
 */
export function listed(names, most) {
  const shown = names.length > most + 1 ? names.slice(0, most) : names;
  /** @type {Piece[]} */
  const pieces = [];
  shown.forEach((name, index) => {
    if (index > 0) pieces.push(index === names.length - 1 ? " or " : ", ");
    pieces.push({ name });
  });
  if (shown.length < names.length) pieces.push(` and ${(names.length - shown.length).toLocaleString("en")} more`);
  return pieces;
}
