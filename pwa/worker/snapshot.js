// The memory snapshot as it is stored: with a sum, so that a damaged one is none.
//
// Damaged memory could start and go wrong later, in any way. The sum is for accidents, which need no
// cryptography, and is made at each start: it takes a fifth of the time of a digest.

import { bytesOf } from "../file-bytes.js";

/** @typedef {{bytes: ArrayBuffer, sum: number}} Sealed */

const PRIME = 0x01000193;

/** @param {ArrayBuffer} bytes @returns {Sealed} */
export function sealed(bytes) {
  return { bytes, sum: sumOf(bytes) };
}

/**
 * @param {any} stored whatever is in the store
 * @returns {Promise<Uint8Array | null>} null where there is none, or a damaged one
 */
export async function unsealed(stored) {
  const bytes = Number.isInteger(stored?.sum) ? await bytesOf(stored) : null;
  if (!bytes?.byteLength || sumOf(bytes) !== stored.sum) return null;
  return new Uint8Array(bytes);
}

/** Any word that changes changes the sum. @param {ArrayBuffer} bytes */
function sumOf(bytes) {
  const words = new Int32Array(bytes, 0, bytes.byteLength >> 2);
  let sum = bytes.byteLength | 0;
  for (let i = 0; i < words.length; i++) sum = Math.imul(sum ^ words[i], PRIME);
  for (const byte of new Uint8Array(bytes, words.byteLength)) sum = Math.imul(sum ^ byte, PRIME);
  return sum;
}
