// Pictures, files and images of the store: their bytes, and whether they are what their name says.

import { bytesOf } from "./file-bytes.js";
import { isSealed, unsealed } from "./sealing.js";
import { digestOf } from "./sha256.js";
import { answer, read } from "./store.js";

const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Read a picture or file, saved or only chosen.
 * @param {IDBDatabase} db
 * @param {string} sha256
 * @returns {Promise<import("./store.js").Attachment | null>} null when it is not here, or its bytes are gone
 */
export async function readFile(db, sha256) {
  for (const name of ["attachments", "staged"]) {
    const found = await read(db, name, sha256);
    const bytes = await bytesOf(found);
    if (bytes) return { ...found, bytes };
  }
  return null;
}

/**
 * Whether a picture or file is here, and sealed.
 * @param {IDBDatabase} db
 * @param {string} sha256
 */
export async function isSealedFile(db, sha256) {
  return isSealed(await read(db, "attachments", sha256)) || isSealed(await read(db, "staged", sha256));
}

/**
 * Read the pieces of an image and join them; each is what its name says, or the image is none.
 * @param {IDBDatabase} db
 * @param {string[]} hashes
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function readImage(db, hashes) {
  const place = db.transaction("pieces").objectStore("pieces");
  const kept = await Promise.all(hashes.map((hash) => answer(place.get(hash))));
  const pieces = await Promise.all(kept.map((piece, i) => unsealed("pieces", hashes[i], piece)));
  const whole = await Promise.all(pieces.map((piece, i) => isPiece(piece, hashes[i])));
  const missing = whole.indexOf(false);
  if (missing >= 0) throw new DOMException(`piece ${hashes[missing]} is missing`, "NotFoundError");
  const image = new Uint8Array(pieces.reduce((size, piece) => size + piece.byteLength, 0));
  let offset = 0;
  for (const piece of pieces) {
    image.set(piece, offset);
    offset += piece.byteLength;
  }
  return image;
}

/**
 * Whether a piece is what its name says. What has a name of another kind is a part of a file that is
 * on its way: that is looked at when it is whole.
 * @param {any} piece
 * @param {string} sha256
 */
async function isPiece(piece, sha256) {
  if (!(piece instanceof Uint8Array)) return false;
  return !DIGEST.test(sha256) || (await digestOf(/** @type {Uint8Array<ArrayBuffer>} */ (piece))) === sha256;
}

/** Whether it was for want of space that something was not kept. @param {unknown} error */
export function isFull(error) {
  return /** @type {{name?: unknown} | null | undefined} */ (error)?.name === "QuotaExceededError";
}
