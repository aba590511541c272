/** What every client makes of what a server or a folder says. Their shapes are in types.d.ts. */
/** @import {Model, Prediction, Refusal} from "./types" */

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
 * @param {number} maxPhotoBytes
 * @returns {Model}
 */
export function toModel(said, base, maxPhotoBytes) {
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
    examples: (said.examples ?? []).map((/** @type {any} */ one) => ({
      src: new URL(String(one.src).replace(/^\//, ""), base).href, // below a proxy's path, too
      className: String(one.class_name ?? ""),
    })),
    maxPhotoBytes,
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
 * @returns {Refusal}
 */
export function toError(said) {
  return {
    code: String(said.error ?? "unknown"),
    message: String(said.message ?? "This photo could not be answered."),
    hint: String(said.hint ?? ""),
  };
}
