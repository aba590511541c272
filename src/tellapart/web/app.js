/** What the page says around its <tell-apart> element: which model it is, and how far to trust it. */

import { nodeOf } from "./answer-view.js";
import { make } from "./elements.js";
import "./tell-apart.js";
import { counted, listed, promised } from "./wording.js";

const LISTED = 12; // class names in the first sentence

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

document.addEventListener("tell-apart-ready", (event) => {
  describe(/** @type {CustomEvent} */ (event).detail.model);
});
byId("embed").addEventListener("toggle", embedding, { once: true });

/** Fetched when it is opened: most visitors come for an answer. */
async function embedding() {
  try {
    const { snippetViews } = await import("./snippet-view.js");
    byId("embed").append(...snippetViews(new URL(".", document.baseURI)));
  } catch {
    byId("embed").append(make("p", {}, "The server does not answer. Reload the page once it does."));
  }
}

/** @param {import("./types").Model} model */
function describe(model) {
  document.title = `${model.name} – what is in the photo?`;
  byId("name").textContent = model.name;
  byId("lead").replaceChildren(
    `Give it a photo, and it says which of ${counted(model.classNames.length, "thing")} it shows: `,
    ...listed(model.classNames, LISTED).map(nodeOf),
    ". When it cannot tell, it says so.",
  );
  byId("headline").textContent = model.headline || "It has not been tested.";
  byId("promise").textContent = promised(model);
  const facts = [
    ["Looks at", `${model.inputPx} × ${model.inputPx} pixels of a photo`],
    ["Built on", model.backbone],
  ].filter(([, value]) => value);
  byId("facts").replaceChildren(
    ...facts.map(([key, value]) => make("div", {}, make("dt", {}, key), make("dd", {}, value))),
  );
  byId("trust").hidden = false;
}
