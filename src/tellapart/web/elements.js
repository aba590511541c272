/** Elements made in code: every text is a text node, and no style attribute is written, as strict policies want it. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | boolean | ((event: any) => void)>} [attributes] a function listens to the event that
 *   its key names; true and false set and leave out the attribute.
 * @param {...(Node | string)} children
 * @returns {any} the new element
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * A name as people typed it. Its letters may run from right to left without turning the sentence around it.
 * @param {string} name
 */
export function named(name) {
  return make("bdi", {}, name);
}

/**
 * A line drawing of 24 × 24 units, silent to a screen reader.
 * @param {string} path
 * @returns {SVGElement}
 */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
