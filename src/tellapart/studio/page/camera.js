/** The camera: one of those there are, its picture in a video element, and single frames of it as photos. */

import { HIDDEN, hidesPixels } from "./probe.js";

const QUALITY = 0.95;
const REFUSALS = /** @type {Record<string, string>} */ ({
  NotAllowedError: "The camera was refused. Allow it in the browser’s address bar, or choose files.",
  NotFoundError: "No camera was found. Choose files instead.",
  OverconstrainedError: "This camera is gone. Choose another one.",
  NotReadableError: "Another program is using the camera. Close it, then try again.",
});

export class Camera {
  /** @type {MediaStream | null} */
  stream = null;

  /** @param {HTMLVideoElement} video that shows it */
  constructor(video) {
    this.video = video;
    video.muted = true;
  }

  /**
   * Shows the camera; throws a sentence where it cannot.
   * @param {string} [which] of `list`; the one that looks away from the person unless told
   */
  async start(which = "") {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia) throw new Error("Browsers lend the camera only to this computer’s own pages and to https."); // prettier-ignore
    const device = which ? { deviceId: { exact: which } } : { facingMode: { ideal: "environment" } };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { ...device, width: { ideal: 1920 } }, audio: false });
    } catch (error) {
      throw new Error(REFUSALS[error instanceof DOMException ? error.name : ""] ?? "The camera did not start. Choose files instead."); // prettier-ignore
    }
    if (await hidesPixels()) {
      this.stop();
      throw HIDDEN; // what it would give is not what the camera sees
    }
    const facing = this.stream.getVideoTracks()[0].getSettings().facingMode;
    this.video.classList.toggle("mirror", facing !== "environment"); // as in a mirror; the photo is not
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  /** @returns {Promise<MediaDeviceInfo[]>} */
  async list() {
    return (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.video.srcObject = null;
  }
}

/**
 * What a video shows now, drawn; its longer side at most `longest`.
 * @param {HTMLVideoElement} video
 * @param {number} longest
 */
export function drawn(video, longest) {
  const { videoWidth: width, videoHeight: height } = video;
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  brush.drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * @param {HTMLVideoElement} video
 * @param {number} [longest]
 * @returns {Promise<Blob>} a JPEG of what a video shows now
 */
export const frameOf = (video, longest = Infinity) =>
  new Promise((done, failed) => {
    const gone = new Error("The frame could not be kept.");
    drawn(video, longest).toBlob((blob) => (blob ? done(blob) : failed(gone)), "image/jpeg", QUALITY);
  });

/** Tells whether what a video shows differs from what it showed when it was last said to differ. */
export class Difference {
  static SIDE_PX = 32;
  static LEAST = 6; // mean difference of grey levels, of 255: noise of a camera at rest is 1 to 3
  /** @type {Float32Array | null} */
  #kept = null;

  /** @param {HTMLVideoElement} video */
  differs(video) {
    const canvas = drawn(video, Difference.SIDE_PX);
    const { data } = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
    const grey = new Float32Array(data.length / 4);
    for (let i = 0; i < grey.length; i++) grey[i] = 0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2];
    const kept = this.#kept;
    const sum = kept?.length === grey.length ? grey.reduce((all, value, i) => all + Math.abs(value - kept[i]), 0) : Infinity;
    if (sum / grey.length < Difference.LEAST) return false;
    this.#kept = grey;
    return true;
  }
}
