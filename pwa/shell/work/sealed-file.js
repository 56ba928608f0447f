// A file that only its passphrase opens. In pieces, so that no telephone needs the memory of all of it.
//
// It begins with a line of text, then a line of JSON that says how it is sealed, then come the pieces, each
// with its proof (AES-GCM). A piece's nonce holds its number and whether it is the last one: none can be left
// out, moved, or cut off unnoticed; the line of JSON is proven with each.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

export const LEAST_CHARACTERS = 12;

const KIND = "fieldpost work 1\n";
/** What OWASP asks for with SHA-256 (2023), and more; a file says its own. */
const ROUNDS = 1_000_000;
const [FEWEST_ROUNDS, MOST_ROUNDS] = [100_000, 10_000_000];
const PIECE = 1 << 20;
const PROOF = 16;
const LONGEST_HEAD = 4_096;
const [SALT_BYTES, BEGIN_BYTES] = [16, 7];

/** Why a file is not opened, in words. */
export class NotOpened extends Error {}

/** Whether this browser can seal: only at a secure address. */
export function canSeal() {
  return Boolean(globalThis.crypto?.subtle);
}

/**
 * Seal bytes.
 * @param {Blob} content
 * @param {string} passphrase
 * @returns {Promise<Blob>}
 */
export async function seal(content, passphrase) {
  const [salt, begin] = [SALT_BYTES, BEGIN_BYTES].map((size) => crypto.getRandomValues(new Uint8Array(size)));
  const told = { kdf: "PBKDF2-SHA-256", rounds: ROUNDS, salt: inHex(salt), cipher: "AES-256-GCM", begin: inHex(begin) };
  const head = `${JSON.stringify(told)}\n`;
  const key = await keyOf(passphrase, salt, ROUNDS);
  /** @type {BlobPart[]} */
  const parts = [KIND, head];
  const count = Math.max(1, Math.ceil(content.size / PIECE));
  for (let i = 0; i < count; i++) {
    const piece = await content.slice(i * PIECE, (i + 1) * PIECE).arrayBuffer();
    parts.push(await crypto.subtle.encrypt(howFor(begin, i, i === count - 1, head), key, piece));
  }
  return new Blob(parts, { type: "application/octet-stream" });
}

/**
 * Open a file.
 * @param {Blob} file
 * @param {string} passphrase
 * @returns {Promise<Blob>} rejects with `NotOpened`
 */
export async function unseal(file, passphrase) {
  const { told, head, from } = await headOf(file);
  const key = await keyOf(passphrase, told.salt, told.rounds);
  /** @type {BlobPart[]} */
  const parts = [];
  const size = PIECE + PROOF;
  const count = Math.max(1, Math.ceil((file.size - from) / size));
  for (let i = 0; i < count; i++) {
    const piece = await file.slice(from + i * size, from + (i + 1) * size).arrayBuffer();
    try {
      parts.push(await crypto.subtle.decrypt(howFor(told.begin, i, i === count - 1, head), key, piece));
    } catch {
      const why = i ? "The file is damaged." : "That is not its passphrase, or the file is damaged.";
      throw new NotOpened(`${why} Nothing of it was used.`);
    }
  }
  return new Blob(parts);
}

/**
 * @param {Blob} file
 * @returns {Promise<{told: {rounds: number, salt: Bytes, begin: Bytes}, head: string, from: number}>}
 */
async function headOf(file) {
  const begin = await file.slice(0, KIND.length + LONGEST_HEAD).text();
  const end = begin.indexOf("\n", KIND.length);
  if (!begin.startsWith(KIND) || end < 0) throw new NotOpened("That is no file of saved work.");
  const head = begin.slice(KIND.length, end + 1);
  const from = new TextEncoder().encode(begin.slice(0, end + 1)).length;
  try {
    const { kdf, rounds, salt, cipher, begin: nonce } = JSON.parse(head);
    const told = { rounds, salt: fromHex(salt, SALT_BYTES), begin: fromHex(nonce, BEGIN_BYTES) };
    const isKnown = kdf === "PBKDF2-SHA-256" && cipher === "AES-256-GCM" && Number.isInteger(rounds);
    if (!isKnown || rounds < FEWEST_ROUNDS || rounds > MOST_ROUNDS) throw new Error("unknown");
    return { told, head, from };
  } catch {
    throw new NotOpened("This file was made by another edition of the app, or it is damaged.");
  }
}

/**
 * @param {string} passphrase
 * @param {Bytes} salt
 * @param {number} rounds
 */
async function keyOf(passphrase, salt, rounds) {
  const bytes = new TextEncoder().encode(passphrase.normalize("NFKC"));
  const typed = await crypto.subtle.importKey("raw", bytes, "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds };
  return crypto.subtle.deriveKey(how, typed, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/**
 * @param {Bytes} begin
 * @param {number} number
 * @param {boolean} isLast
 * @param {string} head
 */
function howFor(begin, number, isLast, head) {
  const iv = new Uint8Array(BEGIN_BYTES + 5);
  iv.set(begin);
  new DataView(iv.buffer).setUint32(BEGIN_BYTES, number);
  iv[BEGIN_BYTES + 4] = Number(isLast);
  return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(KIND + head), tagLength: PROOF * 8 };
}

/** @param {Bytes} bytes */
function inHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {unknown} text
 * @param {number} size
 * @returns {Bytes}
 */
function fromHex(text, size) {
  if (typeof text !== "string" || !/^[0-9a-f]*$/.test(text) || text.length !== size * 2) throw new Error("no bytes");
  return Uint8Array.from({ length: size }, (_, i) => parseInt(text.slice(i * 2, i * 2 + 2), 16));
}
