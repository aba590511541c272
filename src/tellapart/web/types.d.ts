/**
 * What the page's modules hand to each other. For those who read and check the code: no browser fetches this file.
 */

/** Who answers: describes its model and turns photos into predictions. `connect.js` chooses which one it is. */
export interface Client {
  model: Model;
  /** What happens to a photo, one sentence for the person who gives it. */
  keeps: string;
  /** One prediction for each photo, in their order; throws a Failure when nothing was answered. */
  predict(photos: Blob[], options?: { heatmap?: boolean; signal?: AbortSignal }): Promise<Prediction[]>;
  /** The photo behind an example, as a file. */
  examplePhoto(example: Example): Promise<Blob>;
}

export interface Model {
  name: string;
  classNames: string[];
  /** Its score in a sentence; empty when it was not tested. */
  headline: string;
  /** The share of real photos that get a class name. */
  promise: { kept: number; low: number; high: number } | null;
  /** Classes not to be missed. */
  neverMiss: { class_name: string; probability: number; sentence: string }[];
  /** Why "none of these" has no promise yet; may be empty. */
  early: string;
  backbone: string;
  /** Side of the square that the model sees. */
  inputPx: number;
  /** How a photo becomes that square. */
  fit: "crop" | "squash";
  /** Whether it can show where it looked. */
  hasHeatmap: boolean;
  examples: Example[];
  /** The largest photo that can be given. */
  maxPhotoBytes: number;
}

export interface Example {
  src: string;
  /** May be empty. */
  className: string;
}

export interface Prediction {
  /** A name, "not sure" or "none of these"; null with an error. */
  answer: string | null;
  /** The likeliest class, whether or not it is the answer. */
  className: string | null;
  /** Its probability. */
  confidence: number | null;
  /**
   * Likeliest first. A Map, because a class may be called "__proto__", and because an object would put classes called
   * "1" and "2" before all others.
   */
  probs: Map<string, number>;
  unknownScore: number | null;
  looksLike: string | null;
  /**
   * Data URI of a PNG over what the model saw: the more opaque, the more it counted; or the lighter, where all of it is
   * opaque.
   */
  heatmap: string | null;
  /** Why this photo has no answer. */
  error: Refusal | null;
}

export interface Refusal {
  code: string;
  message: string;
  hint: string;
}

/** A photo and what to call it: a file name, or where it comes from. */
export interface Given {
  photo: Blob;
  title: string;
}
