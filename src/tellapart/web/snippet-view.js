/** The snippets on the page, each with a button to copy it. Fetched when they are first asked for. */

import { make } from "./elements.js";
import { snippets } from "./snippets.js";

const THANKS_MS = 2500;

const CSS = `
.bar { display: flex; align-items: end; justify-content: space-between; gap: 1rem; margin: 1.6rem 0 .5rem; } .bar h3 { margin: 0; padding-bottom: .35rem; }
pre { margin: 0; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow-x: auto; }
p code { white-space: nowrap; } code { font: .875rem/1.6 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.bar button { flex: none; font: inherit; font-size: .9375rem; font-weight: 600; color: var(--accent); background: var(--card); border: 1px solid var(--line); border-radius: 2rem; min-height: 2.75rem; padding: .35rem 1.2rem; cursor: pointer; }
.bar button:hover { border-color: var(--accent); }
@media print { .bar button { display: none; } }
`;

/**
 * @param {URL} base where the pages are; ends with a slash.
 * @returns {HTMLElement[]}
 */
export function snippetViews(base) {
  const styles = new CSSStyleSheet();
  styles.replaceSync(CSS);
  document.adoptedStyleSheets.push(styles);
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
