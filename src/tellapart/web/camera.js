/** A photo from the camera, in a dialog. Fetched when it is first asked for. */

import { make } from "./elements.js";
import { HIDDEN, hidesPixels } from "./probe.js";

const JPEG_QUALITY = 0.92;
const IDEAL_PX = 1920; // the model needs some 300; a sharper frame only takes longer to send

/** What the browser calls it, and what to tell the person. */
const REFUSALS = new Map([
  ["NotAllowedError", "The camera was refused. Allow it in the browser's address bar, or choose a photo instead."],
  ["NotFoundError", "No camera was found. Choose a photo instead."],
  ["OverconstrainedError", "No camera was found. Choose a photo instead."],
  ["NotReadableError", "Another program is using the camera. Close it, then try again."],
]);
const OTHER_REFUSAL = "The camera did not start. Choose a photo instead.";
const INSECURE = "Browsers lend the camera only to https pages and to this computer's own. Choose a photo instead.";

const CSS = `
dialog { width: min(44rem, calc(100vw - 1.5rem)); max-height: calc(100dvh - 1.5rem); padding: 1rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--card); color: var(--ink); }
dialog::backdrop { background: rgb(10 14 18 / .65); }
video { display: block; width: 100%; max-height: 65dvh; border-radius: .5rem; background: #000; object-fit: contain; }
video.mirror { transform: scaleX(-1); }
dialog .says { min-height: 1.5em; margin: .5rem 0; text-align: center; color: var(--doubt); font-size: .9375rem; }
`;

export class Camera {
  /**
   * @param {ShadowRoot} root where its dialog goes.
   * @param {(photo: Blob) => void} taken gets every photo that was taken.
   */
  constructor(root, taken) {
    this.taken = taken;
    /** @type {MediaStream | null} */
    this.stream = null;
    this.facing = "environment"; // what people want to ask about is in front of them
    this.video = make("video", { autoplay: true, playsinline: true, "aria-label": "What the camera sees" });
    this.video.muted = true;
    this.shoot = make("button", { type: "button", class: "main", click: () => this.#shoot() }, "Take the photo");
    this.turn = make("button", { type: "button", hidden: true, click: () => this.#turn() }, "Other camera");
    const close = make("button", { type: "button", click: () => this.dialog.close() }, "Close");
    this.says = make("p", { class: "says", role: "status" });
    this.dialog = make(
      "dialog",
      { "aria-label": "Camera", close: () => this.stop() },
      this.video,
      this.says,
      make("div", { class: "buttons" }, this.shoot, this.turn, close),
    );
    const styles = new CSSStyleSheet();
    styles.replaceSync(CSS);
    root.adoptedStyleSheets.push(styles);
    root.append(this.dialog);
  }

  /**
   * Opens the dialog once the camera runs.
   * @returns {Promise<string>} why it does not run, a sentence; empty when it does.
   */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) return INSECURE;
    const refusal = await this.#start();
    if (refusal || this.dialog.open) return refusal; // it may have been asked for twice
    if (!this.dialog.isConnected) this.stop(); // the person was asked for leave, and the element is gone
    else this.dialog.showModal();
    this.shoot.focus();
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.turn.hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
    return "";
  }

  /** @returns {Promise<string>} */
  async #start() {
    this.stop(); // many a phone lends one camera at a time
    const video = { facingMode: { ideal: this.facing }, width: { ideal: IDEAL_PX } };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    } catch (error) {
      return REFUSALS.get(error instanceof DOMException ? error.name : "") ?? OTHER_REFUSAL;
    }
    this.stop();
    this.stream = stream;
    this.video.srcObject = this.stream;
    // People know themselves from mirrors; the photo that is taken is not turned round.
    const facing = this.stream.getVideoTracks()[0]?.getSettings().facingMode;
    this.video.classList.toggle("mirror", facing === "user");
    return "";
  }

  async #turn() {
    this.facing = this.facing === "user" ? "environment" : "user";
    const refusal = await this.#start();
    if (!this.dialog.open) this.stop(); // closed while the other camera was starting
    this.says.textContent = refusal;
  }

  #shoot() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) {
      this.says.textContent = "The camera is still starting. Try again in a moment.";
      return;
    }
    if (hidesPixels()) {
      this.says.textContent = `${HIDDEN.message} ${HIDDEN.hint}`; // what came off the canvas would be noise
      return;
    }
    const canvas = make("canvas", { width: String(videoWidth), height: String(videoHeight) });
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    this.dialog.close();
    canvas.toBlob((/** @type {Blob | null} */ photo) => photo && this.taken(photo), "image/jpeg", JPEG_QUALITY);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
    this.says.textContent = "";
  }
}
