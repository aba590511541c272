/** What people drop, paste or choose: the photos in it, and a sentence about what is no photo. */

import { megabytes } from "./wording.js";

/**
 * @typedef {object} Input
 * @property {File[]} files
 * @property {string} complaint one sentence; empty when there is nothing to say.
 */

/**
 * @param {DataTransfer | null} transfer of a drop or a paste.
 * @param {"dropped" | "pasted"} how
 * @returns {Input}
 */
export function inputFrom(transfer, how) {
  const items = [...(transfer?.items ?? [])].filter((item) => item.kind === "file");
  const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
  const files = items
    .filter((item) => !item.webkitGetAsEntry?.()?.isDirectory)
    .map((item) => item.getAsFile())
    .filter((file) => file !== null);
  if (folders) return { files, complaint: "That is a folder. Open it and drop the photos in it." };
  if (files.length) return { files, complaint: "" };
  return {
    files,
    complaint:
      how === "pasted"
        ? "There is no photo on the clipboard. Copy a photo, then paste it here."
        : "That is not a photo file. Save the photo on this device first, then drop the file.",
  };
}

/**
 * Why a file is not worth sending, before any of it is sent.
 * @param {Blob} file
 * @param {number} mostBytes
 * @returns {Promise<import("./types").Refusal | null>} null when it may be sent.
 */
export async function refusalOf(file, mostBytes) {
  if (file.size > mostBytes) {
    const message = `This file has ${megabytes(file.size)}; at most ${megabytes(mostBytes + 1_000)} can be sent.`;
    return { code: "too_large", message, hint: "Save a smaller copy of the photo." };
  }
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    // A fetch would fail just as if the server were away.
    return { code: "unreadable", message: "The file can no longer be read.", hint: "Was it moved or changed?" };
  }
  return null;
}
