/**
 * Who answers: describes its model and turns photos into predictions. `connect.js` chooses which one it is.
 *
 * @typedef {object} Client
 * @property {Model} model
 * @property {string} keeps what happens to a photo, one sentence for the person who gives it.
 * @property {(photos: Blob[], options?: {heatmap?: boolean, signal?: AbortSignal}) => Promise<Prediction[]>} predict
 *   one prediction for each photo, in their order; throws a Failure when nothing was answered.
 * @property {(example: Example) => Promise<Blob>} examplePhoto the photo behind an example, as a file.
 *
 * @typedef {object} Model
 * @property {string} name
 * @property {string[]} classNames
 * @property {string} headline its score in a sentence; empty when it was not tested.
 * @property {{kept: number, low: number, high: number} | null} promise share of real photos that get a class name.
 * @property {{class_name: string, probability: number, sentence: string}[]} neverMiss classes not to be missed.
 * @property {string} early why "none of these" has no promise yet; may be empty.
 * @property {string} backbone
 * @property {number} inputPx side of the square that the model sees.
 * @property {"crop" | "squash"} fit how a photo becomes that square.
 * @property {boolean} hasHeatmap whether it can show where it looked.
 * @property {string} sha256 of the model file; empty when not known.
 * @property {Example[]} examples
 * @property {{maxPhotos: number, maxPhotoBytes: number}} limits
 *
 * @typedef {{src: string, className: string}} Example the name may be empty.
 *
 * @typedef {object} Prediction
 * @property {string | null} answer a name, "not sure" or "none of these"; null with an error.
 * @property {string | null} className the likeliest class, whether or not it is the answer.
 * @property {number | null} confidence its probability.
 * @property {Map<string, number>} probs likeliest first. A Map, because a class may be called "__proto__", and because
 *   an object would put classes called "1" and "2" before all others.
 * @property {number | null} unknownScore
 * @property {string | null} looksLike
 * @property {string | null} heatmap data URI of a PNG over what the model saw: the more opaque, the more it counted; or
 *   the lighter, where all of it is opaque.
 * @property {{code: string, message: string, hint: string} | null} error why this photo has no answer.
 */

/** Nothing was answered. `message` is one plain sentence, `hint` says what to do. */
export class Failure extends Error {
  /**
   * @param {string} code stable, for programs.
   * @param {string} message
   * @param {string} [hint]
   * @param {number} [retryAfterS] seconds after which it is worth asking again by itself; 0 for never.
   */
  constructor(code, message, hint = "", retryAfterS = 0) {
    super(message);
    this.name = "Failure";
    this.code = code;
    this.hint = hint;
    this.retryAfterS = retryAfterS;
  }
}

/**
 * What a server's `v1/model` or a folder's `model.json` says, as a Model.
 * @param {Record<string, any>} said
 * @param {URL} base what the examples' addresses are relative to.
 * @param {{maxPhotos: number, maxPhotoBytes: number}} limits
 * @returns {Model}
 */
export function toModel(said, base, limits) {
  return {
    name: String(said.name ?? ""),
    classNames: said.class_names.map(String),
    headline: String(said.headline ?? ""),
    promise: said.promise ?? null,
    early: String(said.early ?? ""),
    neverMiss: said.never_miss ?? [],
    backbone: String(said.backbone ?? ""),
    inputPx: Number(said.input_px),
    fit: said.fit === "squash" ? "squash" : "crop",
    hasHeatmap: said.has_heatmap !== false, // a server from before there were models without says nothing
    sha256: String(said.sha256 ?? ""),
    examples: (said.examples ?? []).map((/** @type {any} */ one) => ({
      src: new URL(String(one.src), base).href,
      className: String(one.class_name ?? ""),
    })),
    limits,
  };
}

/**
 * The wire's object as a Prediction.
 * @param {Record<string, any>} said
 * @returns {Prediction}
 */
export function toPrediction(said) {
  const pairs = Object.entries(said.probs ?? {});
  // Equal probabilities are common at the bottom and possible at the top, where the answer has to stay first.
  pairs.sort(([a, p], [b, q]) => q - p || Number(b === said.class_name) - Number(a === said.class_name));
  return {
    answer: said.answer ?? null,
    className: said.class_name ?? null,
    confidence: said.confidence ?? null,
    probs: new Map(pairs),
    unknownScore: said.unknown_score ?? null,
    looksLike: said.looks_like ?? null,
    heatmap: said.heatmap ?? null,
    error: said.error ? toError(said.error) : null,
  };
}

/**
 * @param {Record<string, any>} said
 * @returns {{code: string, message: string, hint: string}}
 */
export function toError(said) {
  return {
    code: String(said.error ?? "unknown"),
    message: String(said.message ?? "This photo could not be answered."),
    hint: String(said.hint ?? ""),
  };
}
