/**
 * Answers from files alone: the model runs in the visitor's browser, and no photo leaves it.
 *
 * The folder holds `model.json`, which says what the model is and where its graph and the runtime are. The graph takes a
 * decoded photo of any size: resizing is inside, so that every browser gives it the same pixels as the training did.
 */

import { Failure, toModel, toPrediction } from "./client.js";
import { withAllLevels } from "./deep-png.js";
import { PROBE_ROWS, readProbed } from "./probe.js";
import { NONE_OF_THESE, NOT_SURE } from "./wording.js";

const LIKELY = 0.15; // probability of an everyday class to be worth naming, as the command line has it
const SHRINK = [8, 4, 2]; // by how much a large photo is averaged before the graph's exact resizing
const ROOM = 2; // times the model's side that must be left after that, as the training reads large JPEGs
const MOST_PIXELS = 100_000_000;
const MOST_BYTES = 50_000_000;
const HEATMAP_PX = 224; // side of the heatmap
const CHUNK_PX = 1 << 22; // pixels read from the canvas at a time, so that a large photo is held once, not twice

/**
 * @param {URL} base the folder of `model.json`; ends with a slash.
 * @returns {Promise<import("./types").Client>}
 */
export async function connectToFiles(base) {
  if (typeof WebAssembly !== "object" || typeof OffscreenCanvas !== "function") {
    throw new Failure("old_browser", "This browser cannot run the model.", "It needs a browser from 2023 or later.");
  }
  const said = await (await get(new URL("model.json", base))).json().catch(() => null);
  if (!Array.isArray(said?.class_names)) throw strange(base);
  const loaded = once(() => load(said, base));
  loaded().catch(() => {}); // a start ahead of the first photo; the photo tells of a failure
  let last = Promise.resolve();
  return {
    model: toModel(said, base, MOST_BYTES),
    keeps: "Photos stay on this device: the model runs in this browser.",
    examplePhoto: async (example) => (await get(new URL(example.src))).blob(),
    predict: (photos, { heatmap = false, signal } = {}) => {
      // One after the other: a second photo would only wait for the same processor.
      const answers = last.then(() => predict(said, loaded, photos, heatmap, signal));
      last = answers.then(nothing, nothing);
      return answers;
    },
  };
}

const nothing = () => {};

/**
 * The function's promise, made once and again only after it failed.
 * @template T
 * @param {() => Promise<T>} make
 * @returns {() => Promise<T>}
 */
function once(make) {
  /** @type {Promise<T> | null} */
  let made = null;
  return () => {
    made ??= make().catch((error) => {
      made = null;
      throw error;
    });
    return made;
  };
}

/** @typedef {{ort: any, session: any}} Loaded */

/**
 * The runtime and the model, fetched at once.
 * @param {Record<string, any>} said
 * @param {URL} base
 * @returns {Promise<Loaded>}
 */
async function load(said, base) {
  const { module, wasm } = said.runtime;
  const bytes = async (/** @type {any} */ file) =>
    new Uint8Array(await (await get(new URL(file.src, base), file.integrity)).arrayBuffer());
  const [ort, program, graph] = await Promise.all([
    importModule(new URL(module.src, base), module.integrity),
    bytes(wasm),
    bytes(said.model),
  ]);
  ort.env.wasm.wasmBinary = program.buffer;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  try {
    const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
    return { ort, session };
  } catch {
    const { forbidden } = await import("./why.js");
    throw (
      (await forbidden()) ??
      new Failure("old_browser", "The model could not be started in this browser.", "Try a newer browser.")
    );
  }
}

/**
 * @param {URL} url
 * @param {string} [integrity] given when the module comes from another site; a browser cannot hold `import` to it.
 * @returns {Promise<any>}
 */
async function importModule(url, integrity) {
  if (!integrity) {
    try {
      return await import(url.href);
    } catch {
      throw await explained(url, true);
    }
  }
  const bytes = await (await get(url, integrity)).arrayBuffer();
  const source = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" })); // whatever its host calls it
  try {
    return await import(source);
  } finally {
    URL.revokeObjectURL(source);
  }
}

/**
 * @param {Record<string, any>} said
 * @param {() => Promise<Loaded>} loaded
 * @param {Blob[]} photos
 * @param {boolean} heatmap
 * @param {AbortSignal} [signal]
 * @returns {Promise<import("./types").Prediction[]>}
 */
async function predict(said, loaded, photos, heatmap, signal) {
  const { ort, session } = await loaded();
  const predictions = [];
  for (const photo of photos) {
    if (signal?.aborted) throw new Failure("left", "The question was taken back.");
    try {
      const image = await decode(photo, said.input_px);
      const feeds = { photo: new ort.Tensor("uint8", image.pixels, [image.height, image.width, 3]) };
      predictions.push(toAnswer(said, await session.run(feeds), heatmap));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { code, message, hint } = error;
      predictions.push(toPrediction({ error: { error: code, message, hint } }));
    }
  }
  return predictions;
}

/**
 * The prediction in the graph's outputs; src/tellapart/classifier/decision.py is the same rule.
 * @param {Record<string, any>} said
 * @param {Record<string, any>} outputs
 * @param {boolean} heatmap
 */
function toAnswer(said, outputs, heatmap) {
  const probs = [...outputs.probs.data];
  const order = probs.map((_, i) => i).sort((i, j) => probs[j] - probs[i] || i - j);
  const [best] = order;
  const unknownScore = outputs.unknown_score ? outputs.unknown_score.data[0] : null;
  const { unknown_score: far, confidence: doubt, never_miss: own = [] } = said.thresholds;
  const claims = own.filter((/** @type {any} */ each) => probs[each.label] >= each.probability);
  let answer = said.class_names[best];
  if (far !== null && unknownScore !== null && unknownScore > far) answer = NONE_OF_THESE;
  else if (claims.length > 0) answer = claims.length === 1 ? said.class_names[claims[0].label] : NOT_SURE;
  else if (doubt !== null && probs[best] < doubt) answer = NOT_SURE;
  return {
    answer,
    className: said.class_names[best],
    confidence: probs[best],
    probs: new Map(order.map((i) => [said.class_names[i], probs[i]])),
    unknownScore,
    looksLike: answer === NONE_OF_THESE && outputs.imagenet_logits ? everyday(said, outputs.imagenet_logits.data) : null,
    heatmap: heatmap && outputs.heat ? paintHeatmap(outputs.heat.data, outputs.heat.dims) : null,
    error: null,
  };
}

/**
 * @param {Record<string, any>} said
 * @param {Float32Array} logits
 * @returns {string | null} the everyday class that is likeliest, if it is likely at all.
 */
function everyday(said, logits) {
  const top = Math.max(...logits);
  const best = logits.indexOf(top);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
  return 1 / total >= LIKELY ? (said.everyday?.[best] ?? null) : null;
}

/**
 * @param {Float32Array} heatmap
 * @param {number[]} dims rows and columns.
 * @returns {string} data URI of a grey PNG, the lighter the more it counted.
 */
function paintHeatmap(heatmap, [rows, columns]) {
  const top = Math.max(...heatmap, Number.MIN_VALUE);
  const cells = new ImageData(columns, rows);
  heatmap.forEach((value, i) => {
    cells.data.fill(Math.round((255 * Math.max(value, 0)) / top), 4 * i, 4 * i + 3);
    cells.data[4 * i + 3] = 255;
  });
  const small = new OffscreenCanvas(columns, rows);
  /** @type {any} */ (small.getContext("2d")).putImageData(cells, 0, 0);
  const canvas = document.createElement("canvas");
  canvas.width = HEATMAP_PX;
  canvas.height = HEATMAP_PX;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, HEATMAP_PX, HEATMAP_PX);
  return canvas.toDataURL("image/png");
}

/**
 * The photo upright, in sRGB, alpha over white, a large one averaged to a half, a quarter or an eighth.
 * @param {Blob} photo
 * @param {number} inputPx side of what the model looks at.
 * @returns {Promise<{pixels: Uint8Array, width: number, height: number}>} RGB, rows from the top.
 */
async function decode(photo, inputPx) {
  const bitmap = await createImageBitmap(await withAllLevels(photo), { imageOrientation: "from-image" }).catch(() => refuse(photo));
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) {
      throw new Failure("too_large", "This photo has too many pixels.", "Save a smaller copy of it.");
    }
    const side = Math.min(width, height);
    const by = SHRINK.find((step) => side >= step * ROOM * inputPx) ?? 1;
    return readPixels(bitmap, width, height, by);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {Blob} photo one that the browser could not decode.
 * @returns {Promise<never>}
 */
async function refuse(photo) {
  const start = String.fromCharCode(...new Uint8Array(await photo.slice(0, 16).arrayBuffer()));
  if (start.length === 0) throw new Failure("empty", "The file is empty.");
  if (/^....ftyp(hei|hev|mif1|msf1)/s.test(start)) {
    throw new Failure("unsupported", "This browser cannot read HEIC photos.", "Save it as JPEG, then try again.");
  }
  throw new Failure("not_a_photo", "This browser cannot read the file as a photo.", "Save it as JPEG or PNG.");
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} width
 * @param {number} height
 * @param {number} by pixels, across and down, that become one: their average.
 * @returns {{pixels: Uint8Array, width: number, height: number}}
 */
function readPixels(bitmap, width, height, by) {
  const [columns, rows] = [Math.ceil(width / by), Math.ceil(height / by)];
  const pixels = new Uint8Array(3 * columns * rows);
  const strip = by * Math.max(1, Math.floor(CHUNK_PX / (by * width)));
  const canvas = new OffscreenCanvas(width, Math.min(strip, height) + PROBE_ROWS);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true, alpha: false })
  );
  for (let top = 0; top < height; top += strip) {
    const lines = Math.min(strip, height - top);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, lines);
    context.drawImage(bitmap, 0, -top);
    const data = readProbed(context, width, lines);
    const into = pixels.subarray(3 * columns * (top / by));
    if (by === 1) dropAlpha(data, into);
    else average(data, width, lines, by, into);
  }
  return { pixels, width: columns, height: rows };
}

/**
 * @param {Uint8ClampedArray} rgba
 * @param {Uint8Array} rgb
 */
function dropAlpha(rgba, rgb) {
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 3) {
    rgb[j] = rgba[i];
    rgb[j + 1] = rgba[i + 1];
    rgb[j + 2] = rgba[i + 2];
  }
}

/**
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {number} by
 * @param {Uint8Array} rgb
 */
export function average(rgba, width, height, by, rgb) {
  const columns = Math.ceil(width / by);
  const sums = new Uint32Array(3 * columns);
  for (let top = 0, at = 0; top < height; top += by) {
    const bottom = Math.min(top + by, height);
    sums.fill(0);
    for (let y = top; y < bottom; y += 1) {
      for (let column = 0, i = 4 * y * width; column < columns; column += 1) {
        const right = Math.min(by, width - column * by);
        for (let x = 0; x < right; x += 1, i += 4) {
          sums[3 * column] += rgba[i];
          sums[3 * column + 1] += rgba[i + 1];
          sums[3 * column + 2] += rgba[i + 2];
        }
      }
    }
    for (let column = 0; column < columns; column += 1) {
      const count = (bottom - top) * Math.min(by, width - column * by);
      for (let c = 0; c < 3; c += 1, at += 1) rgb[at] = Math.floor(sums[3 * column + c] / count + 0.5);
    }
  }
}

/**
 * A good response; everything else is thrown as a Failure with one plain sentence.
 * @param {URL} url
 * @param {string} [integrity]
 * @returns {Promise<Response>}
 */
async function get(url, integrity) {
  let response;
  try {
    response = await fetch(url, { credentials: "omit", ...(integrity ? { integrity } : {}) });
  } catch {
    throw await explained(url);
  }
  if (!response.ok) throw url.pathname.endsWith("/model.json") ? strange(url) : await explained(url);
  return response;
}

/** @param {URL} url */
function strange(url) {
  return new Failure("strange", `There is no model at ${url.host || "this place"}.`, "Check the address in src.");
}

/**
 * Why a file did not come.
 * @param {URL} url
 * @param {boolean} [asModule] whether it was to be run.
 * @returns {Promise<Failure>}
 */
async function explained(url, asModule = false) {
  const why = await import("./why.js").catch(() => null);
  const reason = await why?.refused(url, asModule);
  return reason ?? new Failure("away", "A part of the model could not be loaded.", "Check the connection, then try again.");
}
