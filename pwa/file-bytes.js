// The bytes of a kept file, however an edition of the app kept it.

import { within } from "./limits.js";

const READING_MS = 20_000;

/**
 * @param {any} value
 * @returns {Promise<ArrayBuffer | null>} null where they are gone, or it is no file
 */
export async function bytesOf(value) {
  if (value instanceof ArrayBuffer) return value;
  if (value?.bytes instanceof ArrayBuffer) return value.bytes;
  const blob = value instanceof Blob ? value : value?.blob;
  if (!(blob instanceof Blob)) return null;
  try {
    return await within(READING_MS, blob.arrayBuffer(), "Reading a file");
  } catch {
    return null; // the browser keeps a name whose bytes it has lost
  }
}
