/** The snippets on the page, each with a button to copy it. Fetched when they are first asked for. */

import { make } from "./elements.js";
import { snippets } from "./snippets.js";

const THANKS_MS = 2500;

/**
 * @param {URL} base where the pages are; ends with a slash.
 * @returns {HTMLElement[]}
 */
export function snippetViews(base) {
  return snippets(base).map(({ title, text, remark }) => snippet(title, text, remark));
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string} remark
 */
function snippet(title, text, remark) {
  const code = make("code", {}, text);
  const copy = make("button", { type: "button", "aria-label": `Copy: ${title}`, click: () => copyText(code, copy) }, "Copy");
  return make(
    "div",
    { class: "snippet" },
    make("div", { class: "bar" }, make("h3", {}, title), copy),
    make("pre", { tabindex: "0" }, code),
    make("p", { class: "quiet small" }, ...remark.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part))),
  );
}

/**
 * @param {HTMLElement} code
 * @param {HTMLElement} button
 */
async function copyText(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    // Over plain http there is no clipboard; the text is marked, so that one key press copies it.
    getSelection()?.selectAllChildren(code);
    button.textContent = "Marked: press Ctrl C";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, THANKS_MS);
}
