/** Where it is decided who answers: here a server. A page without a server has a `connect.js` of its own. */

import { connectToServer } from "./server-client.js";

/**
 * @param {string} src what the element's `src` says, relative to the page it stands on.
 * @returns {Promise<import("./types").Client>}
 */
export async function connect(src) {
  return connectToServer(new URL(src.endsWith("/") ? src : `${src}/`, document.baseURI));
}
