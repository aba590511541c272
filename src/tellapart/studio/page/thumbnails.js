/** Thumbnails as the page shows them: fetched with the token, a few hundred held, what scrolled away taken back. */

import { thumbnail } from "./client.js";

const HELD = 600; // of 8 to 15 KB each

/** @type {Map<string, string>} addresses of what is held, the longest unused first */
const held = new Map();

/**
 * @param {string} id
 * @returns {string | undefined} the address of a thumbnail that is here already
 */
export function heldThumbnail(id) {
  const address = held.get(id);
  if (address === undefined) return undefined;
  held.delete(id);
  held.set(id, address);
  return address;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export async function loadThumbnail(id, signal) {
  const address = URL.createObjectURL(await thumbnail(id, signal));
  held.set(id, address);
  if (held.size > HELD) {
    const [oldest] = held;
    URL.revokeObjectURL(oldest[1]);
    held.delete(oldest[0]);
  }
  return address;
}
