/** Where it is decided who answers: here the visitor's own browser, from the files in a folder. */

import { connectToFiles } from "./browser-client.js";

/**
 * @param {string} src what the element's `src` says, relative to the page it stands on.
 * @returns {Promise<import("./types").Client>}
 */
export async function connect(src) {
  return connectToFiles(new URL(src.endsWith("/") ? src : `${src}/`, document.baseURI));
}
