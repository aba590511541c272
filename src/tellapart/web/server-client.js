/** Answers from `tellapart serve`, over HTTP. */
/** @import {Client, Prediction} from "./types" */

import { Failure, toError, toModel, toPrediction } from "./client.js";

const PATIENCE_MS = 60_000; // a phone needs half a minute to send 8 MB over a weak signal
const FORM_BYTES = 1_000; // what a form adds to the photo it carries, generously
const BUSY_TRIES = 4;
const LONGEST_WAIT_S = 10;

/**
 * @param {URL} base where the server's pages are; ends with a slash.
 * @returns {Promise<Client>}
 */
export async function connectToServer(base) {
  const said = await getJson(new URL("v1/model", base));
  if (!Array.isArray(said.class_names)) throw strange(base);
  const model = toModel(said, base, (said.limits?.max_body_bytes ?? 20_000_000) - FORM_BYTES);
  const predictUrl = new URL("v1/predict", base);
  return {
    model,
    keeps: `Photos go to ${base.host}, are answered and not kept.`,
    predict: (photos, options = {}) => predict(predictUrl, photos, options),
    examplePhoto: async (example) => (await request(new URL(example.src))).blob(),
  };
}

/**
 * @param {URL} url
 * @param {Blob[]} photos
 * @param {{heatmap?: boolean, signal?: AbortSignal}} options
 * @returns {Promise<Prediction[]>}
 */
async function predict(url, photos, { heatmap = false, signal }) {
  const form = new FormData();
  // The photo's own file name says things about its owner that nobody needs to answer.
  for (const photo of photos) form.append("photos", photo, "photo");
  const asked = new URL(url);
  if (heatmap) asked.searchParams.set("heatmap", "true");
  for (let tries = 1; ; tries += 1) {
    try {
      const response = await request(asked, { method: "POST", body: form, signal });
      const { predictions } = await readJson(response, url);
      if (!Array.isArray(predictions) || predictions.length !== photos.length) throw strange(url);
      return predictions.map(toPrediction);
    } catch (error) {
      if (!(error instanceof Failure) || !error.retryAfterS || tries === BUSY_TRIES) throw error;
      await pause(error.retryAfterS);
    }
  }
}

/** @param {number} seconds */
function pause(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
  });
}

/**
 * @param {URL} url
 * @returns {Promise<any>}
 */
async function getJson(url) {
  return readJson(await request(url), url);
}

/**
 * A good response; everything else is thrown as a Failure with one plain sentence.
 * @param {URL} url
 * @param {RequestInit & {signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 */
async function request(url, options = {}) {
  const { signal } = options;
  const enough = new AbortController();
  const stop = () => enough.abort();
  const timer = setTimeout(stop, PATIENCE_MS);
  signal?.addEventListener("abort", stop);
  let response;
  try {
    if (signal?.aborted) stop();
    const arriving = await fetch(url, { ...options, headers: proof(url), signal: enough.signal });
    response = new Response(await arriving.blob(), arriving); // whole, or it was not a response
  } catch {
    if (signal?.aborted) throw new Failure("left", "The question was taken back.");
    throw (await (await why())?.forbiddenToAsk(url)) ?? away(url);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/**
 * @param {Response} response
 * @returns {Promise<Failure>}
 */
async function refusal(response) {
  let said;
  try {
    said = await response.json();
  } catch {
    const hint = response.status >= 500 ? "Try again in a moment." : "";
    return new Failure("strange", `The server could not answer (HTTP ${response.status}).`, hint);
  }
  const { code, message, hint } = toError(said ?? {});
  const waitS = Number(response.headers.get("Retry-After")) || 1;
  return new Failure(code, message, hint, [429, 503].includes(response.status) ? Math.min(waitS, LONGEST_WAIT_S) : 0);
}

/**
 * @param {Response} response
 * @param {URL} url
 * @returns {Promise<any>}
 */
async function readJson(response, url) {
  try {
    return (await response.json()) ?? {};
  } catch {
    throw strange(url);
  }
}

/**
 * The server's token, where its own page was opened with one; behind a # it is sent to nobody else.
 * @param {URL} url
 * @returns {Record<string, string>}
 */
function proof(url) {
  const token = url.origin === location.origin && new URLSearchParams(location.hash.slice(1)).get("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Fetched when something did not come; where that does not come either, nobody knows why. */
function why() {
  return import("./why.js").catch(() => null);
}

/** @param {URL} url */
function strange(url) {
  return new Failure("strange", `What answers at ${url.host} is not a tellapart server.`, "Check the address in src.");
}

/** @param {URL} url */
function away(url) {
  // A browser does not tell a page whether a server elsewhere is off or has turned it away.
  return url.origin === location.origin
    ? new Failure("away", "The server does not answer.", "Check that it is still running, then try again.")
    : new Failure(
        "away",
        `The model at ${url.host} does not answer, or does not allow this page to ask it.`,
        `Start it with --allow-origin ${location.origin}`,
      );
}
