/** The studio's server: asked with the token of this page's address, one action after the other. */

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";

/** What the server refuses, in its own sentence. */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {string} hint
   */
  constructor(message, hint = "") {
    super(message);
    this.hint = hint;
  }
}

/** What the page itself cannot do; probe.js, which other pages have too, tells of it so. */
export class Failure extends Refused {
  /**
   * @param {string} code
   * @param {string} message
   * @param {string} hint
   */
  constructor(code, message, hint = "") {
    super(message, hint);
    this.code = code;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} an answer that is no refusal
 */
async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Authorization: `Bearer ${token}`, ...options.headers } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused("The studio does not answer.", "Is it still running? Start it again, and open its new address.");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Refused(said.message ?? "The studio did not understand.", said.hint ?? "Reload the page.");
}

/** @type {Promise<import("./studio-types").Whole> | null} what early.js has asked for */
let begun = null;
let taken = false;

/** Asks for what `whole` gives first. */
export function beginWhole() {
  if (taken) return; // this came late, and what it asked for would be old when it is taken
  begun ??= get("/v1/state");
  begun.catch(() => null); // whoever takes it is told
}

/** @returns {Promise<import("./studio-types").Whole>} */
export async function whole() {
  const first = begun ?? get("/v1/state");
  begun = null;
  taken = true;
  return first;
}

/** @returns {Promise<import("./studio-types").Whole & {n_new: number}>} */
export const lookAgain = async () => (await ask("/v1/look", { method: "POST" })).json();

/** @returns {Promise<{path: string, n_photos: number, left: string, command: string}>} */
export const writeTable = async () => (await ask("/v1/write", { method: "POST" })).json();

/**
 * @param {number} since
 * @returns {Promise<import("./studio-types").Changes>}
 */
export const changesSince = async (since) => (await ask(`/v1/changes?since=${since}`)).json();

/**
 * @param {Record<string, unknown>} action
 * @returns {Promise<import("./studio-types").Changes>} once it is on the disk
 */
export const perform = (action) => post("/v1/do", action);

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export const thumbnail = async (id, signal) => (await ask(`/v1/thumbnail?photo=${id}`, { signal })).blob();

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>} the whole photo, at a size to look at
 */
export const largePhoto = async (id, signal) => (await ask(`/v1/photo?photo=${id}`, { signal })).blob();

/** @returns {Promise<ReadableStream<Uint8Array<ArrayBuffer>>>} the news as they come */
export const eventStream = async () => /** @type {any} */ ((await ask("/v1/events")).body);

/**
 * @param {string} path
 * @param {Record<string, unknown>} asked
 * @returns {Promise<any>}
 */
export const post = async (path, asked) =>
  (await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) })).json(); // prettier-ignore

/**
 * @param {string} path
 * @param {Blob} file
 * @returns {Promise<any>}
 */
export const sendFile = async (path, file) =>
  (await ask(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file })).json();

/** @param {string} path @returns {Promise<any>} */
export const get = async (path) => (await ask(path)).json();

/** @param {Record<string, unknown>} asked @returns {Promise<import("./studio-types").Job>} */
export const beginJob = (asked) => post("/v1/jobs", asked);

/** @param {number} number @returns {Promise<import("./studio-types").Job>} */
export const jobOf = (number) => get(`/v1/job?number=${number}`);

/** @returns {Promise<import("./studio-types").Job[]>} */
export const unendedJobs = () => get("/v1/jobs");

/** @param {number} number */
export const cancelJob = (number) => post("/v1/cancel", { number });

/**
 * @param {Blob} photo
 * @param {boolean} whole with the heatmap and the photos most alike
 * @returns {Promise<import("./studio-types").Answer>}
 */
export const tryPhoto = (photo, whole) => sendFile(`/v1/try?whole=${whole}`, photo);

/**
 * @param {Blob} photo
 * @param {string} name
 * @returns {Promise<{photo: string, known: boolean}>} once it is stored
 */
export const handOver = (photo, name) =>
  sendFile(`/v1/photos?name=${encodeURIComponent(name.replace(/\p{Surrogate}/gu, "_"))}`, photo);

/**
 * @param {Record<string, unknown>} batch photos that were handed over
 * @returns {Promise<import("./studio-types").Whole & {added: import("./studio-types").Added}>}
 */
export const add = (batch) => post("/v1/add", batch);

/** @param {Blob} zip @returns {Promise<string>} what it is called until it is taken apart */
export const handOverZip = async (zip) => (await sendFile("/v1/zip", zip)).zip;
