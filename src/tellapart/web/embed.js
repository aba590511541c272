/**
 * The widget in a frame. It tells the page around it how high it would like to be, and what was answered, if that page
 * names itself in the address: /embed?parent=https://its.origin. The browser delivers to exactly that origin or nobody.
 * It listens to nothing. `theme=dark` or `theme=light` is for a page that is so whatever the visitor's system prefers.
 */

import "./tell-apart.js";

const said = new URLSearchParams(location.search);
const parent = exactOrigin(said.get("parent"));
const theme = said.get("theme");

if (theme === "dark" || theme === "light") {
  document.documentElement.style.colorScheme = theme;
  document.querySelector("tell-apart")?.setAttribute("theme", theme);
}

if (parent && window.parent !== window) {
  new ResizeObserver(() => {
    tell({ type: "tell-apart-height", height: Math.ceil(document.body.getBoundingClientRect().height) });
  }).observe(document.body);
  document.addEventListener("tell-apart-answer", (event) => {
    const { answer, className, confidence } = /** @type {CustomEvent} */ (event).detail.prediction;
    tell({ type: "tell-apart-answer", answer, className, confidence });
  });
}

/** @param {object} message */
function tell(message) {
  window.parent.postMessage(message, /** @type {string} */ (parent));
}

/**
 * @param {string | null} text
 * @returns {string | null} the text when it is one web origin and nothing else.
 */
function exactOrigin(text) {
  if (!text || !URL.canParse(text)) return null;
  const { origin, protocol } = new URL(text);
  return origin === text && (protocol === "https:" || protocol === "http:") ? origin : null;
}
