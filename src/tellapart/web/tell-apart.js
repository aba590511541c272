/**
 * <tell-apart src="https://where.the.model.is"> on any page: drop, paste, choose or take photos, and read the answers.
 *
 *   src       where the model is, relative to the page.
 *   examples  shows the model's example photos to try.
 *   camera    offers the camera.
 *   top       bars to show for a photo before the rest is folded away; 5 when left out.
 *   theme     "light" or "dark"; left out, it is as the page around it.
 *   whole-page  takes photos that are dropped or pasted anywhere on the page, not on the element alone.
 *
 * Events, which leave the shadow root: `tell-apart-ready` with {model}; `tell-apart-answer` with {title, prediction}
 * for each photo, also for one that could not be read. `ask(photos)` asks about files that the page already has.
 */
/** @import {Client, Example, Given} from "./types" */

import { AnswerView } from "./answer-view.js";
import { Failure } from "./client.js";
import { drawn } from "./canvas.js";
import { connect } from "./connect.js";
import { icon, make, named } from "./elements.js";
import { inputFrom, refusalOf } from "./input.js";
import { styles } from "./styles.js";
import { Queue } from "./queue.js";
import { megabytes } from "./wording.js";

const CARDS = 16; // of more photos at once, each gets a small picture instead of a card
const EXAMPLES = 12; // that are shown at once
const AT_ONCE = 2; // one is answered while the next is sent
const TOP = 5;
const NARROW_PX = 640; // below it a card has one column; the same as in styles.js
const THUMBNAIL_PX = 208; // twice the width of an example, for sharp screens
const PICTURE = "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01";
const KINDS = "image/*,.heic,.heif,.avif";

export class TellApart extends HTMLElement {
  static observedAttributes = ["src", "examples", "camera"];

  /** @type {Client | null} */
  #client = null;
  #connections = 0; // counts attempts, so that a late one does not undo a newer one
  /** @type {AbortController | null} */
  #life = null; // of listeners and requests while it is on the page
  #queue = new Queue(AT_ONCE);
  #room = make("div", { class: "room" });
  #answers = make("section", { class: "answers", "aria-label": "Answers" });
  #complaint = make("p", { class: "complaint", role: "alert" });
  #log = make("div", { class: "quietly", role: "log", "aria-live": "polite" });
  #drop = make("div", { class: "drop" });
  #clear = make("button", { type: "button", class: "clear", hidden: true, click: () => this.clear() }, "Clear the answers");
  /** @type {import("./camera.js").Camera | null} */
  #camera = null;

  #root = this.attachShadow({ mode: "open" });

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [styles];
    this.#root.append(this.#room, this.#log);
  }

  /** What is known of the model; null until `tell-apart-ready`. */
  get model() {
    return this.#client?.model ?? null;
  }

  connectedCallback() {
    this.#life = new AbortController();
    const { signal } = this.#life;
    const place = this.hasAttribute("whole-page") ? window : this;
    place.addEventListener("dragover", (event) => this.#dragOver(/** @type {DragEvent} */ (event)), { signal });
    place.addEventListener("dragleave", (event) => this.#dragLeave(/** @type {DragEvent} */ (event)), { signal });
    place.addEventListener("drop", (event) => this.#dropped(/** @type {DragEvent} */ (event)), { signal });
    place.addEventListener("paste", (event) => this.#pasted(/** @type {ClipboardEvent} */ (event)), { signal });
    void this.#connect();
  }

  disconnectedCallback() {
    this.#life?.abort();
    this.#camera?.stop();
  }

  attributeChangedCallback() {
    if (this.isConnected && this.#life) void this.#connect();
  }

  /**
   * Asks about photos, in their order.
   * @param {Iterable<Blob>} photos
   */
  ask(photos) {
    const given = [...photos].map((photo, index) => ({
      photo,
      title: photo instanceof File && photo.name ? photo.name : `Photo ${index + 1}`,
    }));
    return this.#askAll(given);
  }

  clear() {
    this.#answers.replaceChildren();
    this.#log.replaceChildren();
    this.#complain("");
    this.#clear.hidden = true;
    this.#root.querySelector("button")?.focus();
  }

  async #connect() {
    this.#connections += 1;
    const attempt = this.#connections;
    this.#client = null;
    this.#room.replaceChildren(make("div", { class: "drop" }, make("p", { class: "keeps" }, "Waking the model …")));
    try {
      const client = await connect(this.getAttribute("src") ?? ".");
      if (attempt !== this.#connections) return;
      this.#client = client;
    } catch (error) {
      if (attempt === this.#connections) this.#showAway(error);
      return;
    }
    this.#furnish(this.#client);
    this.#tell("tell-apart-ready", { model: this.#client.model });
  }

  /** @param {unknown} error */
  #showAway(error) {
    const said = error instanceof Failure ? error : new Failure("unknown", "The model could not be loaded.");
    const again = make("button", { type: "button", click: () => this.#connect() }, "Try again");
    const hint = make("p", { class: "hint" }, said.hint);
    this.#room.replaceChildren(make("div", { class: "away", role: "alert" }, make("p", {}, said.message), hint, again));
    if (!(error instanceof Failure)) throw error;
  }

  /** @param {Client} client */
  #furnish(client) {
    const { model, keeps } = client;
    const choose = make("input", { type: "file", accept: KINDS, multiple: true, hidden: true, change: chosen });
    const shoot = make("input", { type: "file", accept: "image/*", capture: "environment", hidden: true, change: chosen });
    const buttons = make("div", { class: "buttons" });
    const touch = make("span", { class: "touch" }, "Choose a photo, or take one"); // nothing to drop with
    buttons.append(make("button", { type: "button", class: "main", click: () => choose.click() }, "Choose photos"));
    if (this.hasAttribute("camera")) {
      buttons.append(make("button", { type: "button", click: () => this.#openCamera(shoot) }, "Use the camera"));
    }
    this.#drop.replaceChildren(
      icon(PICTURE),
      make("p", { class: "call" }, make("span", { class: "mouse" }, "Drop photos here, or paste them"), touch),
      buttons,
      make(
        "div",
        { class: "says" },
        this.#complaint,
        make("p", { class: "keeps" }, `Up to ${megabytes(model.maxPhotoBytes + 1_000)} each. ${keeps}`),
      ),
      choose,
      shoot,
    );
    this.#room.replaceChildren(this.#drop);
    if (this.hasAttribute("examples") && model.examples.length) this.#room.append(this.#examples(client));
    this.#room.append(this.#answers, this.#clear);
    const element = this;

    /** @param {Event & {currentTarget: HTMLInputElement}} event */
    function chosen({ currentTarget }) {
      void element.ask(currentTarget.files ?? []);
      currentTarget.value = ""; // so that the same photo may be chosen again
    }
  }

  /** @param {Client} client */
  #examples(client) {
    const { examples } = client.model;
    const list = this.#exampleList(client, examples.slice(0, EXAMPLES));
    const box = make("div", { class: "examples" }, make("p", {}, "Or try one of these:"), list);
    const others = examples.slice(EXAMPLES);
    if (others.length) {
      const rest = make("details", {}, make("summary", {}, `${others.length} more`));
      rest.addEventListener("toggle", () => rest.append(this.#exampleList(client, others)), { once: true });
      box.append(rest);
    }
    return box;
  }

  /**
   * @param {Client} client
   * @param {Example[]} examples
   */
  #exampleList(client, examples) {
    const list = make("ul");
    for (const example of examples) {
      const canvas = make("canvas", { width: "1", height: "1" });
      const title = example.className ? `Example photo of ${example.className}` : "Example photo";
      const photo = client.examplePhoto(example);
      const button = make(
        "button",
        { type: "button", "aria-label": title, click: async () => this.#askAll([{ photo: await photo, title }]) },
        canvas,
        named(example.className),
      );
      const item = make("li", {}, button);
      list.append(item);
      // An example that does not arrive is left out; the model answers all the same.
      photo.then((blob) => paintThumbnail(canvas, blob)).catch(() => item.remove());
    }
    return list;
  }

  /** @param {HTMLInputElement} fallback */
  async #openCamera(fallback) {
    // Over plain http a phone lends no camera to a page, but its own camera app to a file field.
    if (!navigator.mediaDevices && matchMedia("(pointer: coarse)").matches) {
      fallback.click();
      return;
    }
    try {
      const { Camera } = await import("./camera.js");
      this.#camera ??= new Camera(this.#root, (photo) => this.#askAll([{ photo, title: "Photo from the camera" }]));
    } catch {
      this.#complain("The camera could not be loaded: the server does not answer.");
      return;
    }
    this.#complain(await this.#camera.open());
  }

  /** @param {DragEvent} event */
  #dragOver(event) {
    event.preventDefault(); // without it the browser opens the photo instead of dropping it
    this.#drop.classList.add("over");
  }

  /** @param {DragEvent} event */
  #dragLeave({ relatedTarget }) {
    const within = this.hasAttribute("whole-page") ? document : this;
    if (!(relatedTarget instanceof Node && within.contains(relatedTarget))) this.#drop.classList.remove("over");
  }

  /** @param {DragEvent} event */
  #dropped(event) {
    event.preventDefault();
    this.#drop.classList.remove("over");
    this.#take(event.dataTransfer, "dropped");
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    this.#take(event.clipboardData, "pasted");
  }

  /**
   * @param {DataTransfer | null} transfer
   * @param {"dropped" | "pasted"} how
   */
  #take(transfer, how) {
    if (!this.#client) return;
    const { files, complaint } = inputFrom(transfer, how);
    void this.ask(files);
    this.#complain(complaint);
  }

  /** @param {string} sentence */
  #complain(sentence) {
    this.#complaint.textContent = sentence;
  }

  /** @param {Given[]} given */
  async #askAll(given) {
    const client = this.#client;
    if (!client || given.length === 0) return;
    this.#complain("");
    this.#clear.hidden = false;
    if (given.length > CARDS) {
      await this.#askMany(client, given);
      return;
    }
    const asked = given.map((one) => {
      const view = new AnswerView({ ...one, client, top: this.#top, again: () => this.#askOne(client, one, view) });
      return { one, view };
    });
    this.#answers.prepend(...asked.map(({ view }) => view.element));
    void this.#reveal(asked[0].view);
    await Promise.all(asked.map(({ one, view }) => this.#askOne(client, one, view)));
  }

  /**
   * @param {Client} client
   * @param {Given[]} given
   */
  async #askMany(client, given) {
    const grid = await import("./grid.js").catch(() => null);
    if (!grid) {
      this.#complain("The view for many photos could not be loaded. Try again.");
      return;
    }
    this.#complain(grid.tooMany(given.length));
    const many = new grid.Grid({
      given: given.slice(0, grid.MOST),
      client,
      queue: this.#queue,
      root: this.#root,
      top: this.#top,
      signal: this.#life?.signal,
      answered: (detail) => this.#tell("tell-apart-answer", detail),
    });
    this.#answers.prepend(many.element);
    many.element.scrollIntoView({ block: "start", behavior: behaviour() });
    await many.run();
  }

  /**
   * Scrolls to a new answer, once its photo has taken its place. On a phone the answer itself comes below the photo.
   * @param {AnswerView} view
   */
  async #reveal({ view, element }) {
    await view.ready;
    const block = this.clientWidth < NARROW_PX ? "start" : "nearest";
    element.scrollIntoView({ block, behavior: behaviour() });
  }

  get #top() {
    return Math.max(1, Number.parseInt(this.getAttribute("top") ?? "", 10) || TOP);
  }

  /**
   * @param {Client} client
   * @param {Given} given
   * @param {AnswerView} view
   */
  async #askOne(client, { photo, title }, view) {
    view.wait();
    const refused = await refusalOf(photo, client.model.maxPhotoBytes);
    if (refused) {
      this.#log.append(make("p", {}, `${title}: ${view.fail(refused, false)}`));
      return;
    }
    const signal = this.#life?.signal;
    try {
      const [prediction] = await this.#queue.take(() => client.predict([photo], { signal }));
      const said = prediction.error ? view.fail(prediction.error, false) : view.answer(prediction);
      this.#log.append(make("p", {}, `${title}: ${said}`));
      this.#tell("tell-apart-answer", { title, prediction });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const mayHelp = ["away", "busy", "strange", "timeout"].includes(error.code);
      this.#log.append(make("p", {}, `${title}: ${view.fail(error, mayHelp)}`));
    }
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} photo
 */
async function paintThumbnail(canvas, photo) {
  const bitmap = await createImageBitmap(photo);
  const scale = THUMBNAIL_PX / Math.min(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale].map(Math.round);
  const small = drawn(width, height, bitmap, [0, 0, bitmap.width, bitmap.height]);
  bitmap.close();
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.drawImage(small, 0, 0);
}

/** @returns {ScrollBehavior} */
function behaviour() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

// A page may well load the script twice, for two models.
if (!customElements.get("tell-apart")) customElements.define("tell-apart", TellApart);
