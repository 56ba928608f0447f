// What the store keeps is sealed where an app asks for a PIN: whoever copies the browser's files reads none
// of it. This module holds the key of this window or worker, and nothing else that is secret.
//
// A sealed value is `{sealed, …labels}`: twelve random bytes, then what AES-256-GCM made of the value. The
// labels are what must be known without the key: whether an entry waits, whose a draft is. Store and name are
// proven with each value, so that none stands in for another.

import { bytesOf } from "./file-bytes.js";

/** @typedef {{sealed: ArrayBuffer, [label: string]: unknown}} Sealed */

/** What is known before a device is opened: whose it is, what its office has ordered, which files it shows. */
const KNOWN_BEFORE = ["generation", "shell", "locked", "leaving", "revoked", "device", "user", "contact", "settings", "pin", "pin-again"];
/** Where its numbers stand: written with each save, and nothing of the work. */
const COUNTERS = ["next_number", "last_digest", "next_temporary", "sent_to", "last_sync", "is_new", "shown_from", "shown_after"];
const OPEN_NAMES = new Set([...KNOWN_BEFORE, ...COUNTERS]);
/** Memory that is made before any data is there. */
const OPEN_STORES = new Set(["snapshots"]);
/** By store: what of a value stays readable, and may change without the key. @type {Record<string, string[]>} */
const LABELS = {
  outbox: ["state"],
  attachments: ["state"],
  staged: ["draft"],
  drafts: ["user", "thrown_at"],
};
const NONCE = 12;
const [AS_JSON, AS_BYTES, AS_FILE] = [0, 1, 2];
const HEAD = 5;

/** @type {CryptoKey | null} */
let key = null;

/** Seal and open with this key from now on; null: nothing is sealed. @param {CryptoKey | null} found */
export function useKey(found) {
  key = found;
}

/** Whether this window or worker seals what it keeps. */
export function isSealing() {
  return key !== null;
}

/** @param {unknown} value @returns {value is Sealed} */
export function isSealed(value) {
  return typeof value === "object" && value !== null && /** @type {any} */ (value).sealed instanceof ArrayBuffer;
}

/** Of two values of a name the later one stays, however long sealing takes. @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * Seal the values of operations of the store, in the order in which they are asked for.
 * @param {unknown[][]} operations
 * @returns {Promise<unknown[][]>}
 */
export function allSealed(operations) {
  const sealing = Promise.all(operations.map(withSealedValue));
  const mine = turn.then(() => sealing);
  turn = mine.catch(() => {}); // whoever writes hears of it
  return mine;
}

/** @param {unknown[]} operation put or add: store, name, value */
async function withSealedValue(operation) {
  const [what, store, name, value] = operation;
  if (what !== "put" && what !== "add") return operation;
  return [what, store, name, await sealed(String(store), /** @type {IDBValidKey} */ (name), value)];
}

/**
 * Seal a value that is about to be kept.
 * @param {string} store
 * @param {IDBValidKey} name
 * @param {unknown} value
 * @returns {Promise<unknown>} the value itself where it stays open, or is sealed already
 */
async function sealed(store, name, value) {
  if (!key || staysOpen(store, name) || isSealed(value) || value === undefined) return value;
  const { labels, content } = await packed(store, value);
  const iv = crypto.getRandomValues(new Uint8Array(NONCE));
  const made = await crypto.subtle.encrypt(how(iv, store, name), key, content);
  const whole = new Uint8Array(NONCE + made.byteLength);
  whole.set(iv);
  whole.set(new Uint8Array(made), NONCE);
  return { ...labels, sealed: whole.buffer };
}

/**
 * Open a value that was kept.
 * @param {string} store
 * @param {IDBValidKey} name
 * @param {any} value
 * @returns {Promise<any>} as it is where it is not sealed, there is no key, or it is damaged
 */
export async function unsealed(store, name, value) {
  if (!key || !isSealed(value)) return value;
  const { sealed: whole, ...labels } = value;
  try {
    const iv = new Uint8Array(whole, 0, NONCE);
    const content = await crypto.subtle.decrypt(how(iv, store, name), key, new Uint8Array(whole, NONCE));
    return unpacked(new Uint8Array(content), labels);
  } catch (error) {
    console.info(`What is kept as ${store} ${String(name)} cannot be opened.`, error);
    return value; // as every value that is damaged: whoever reads it says what is lost
  }
}

/** Whether a value is never sealed. @param {string} store @param {IDBValidKey} name */
export function staysOpen(store, name) {
  return OPEN_STORES.has(store) || (store === "session" && OPEN_NAMES.has(String(name)));
}

/**
 * @param {Uint8Array<ArrayBuffer>} iv
 * @param {string} store
 * @param {IDBValidKey} name
 */
function how(iv, store, name) {
  // a staged file becomes one that waits to be sent, as it is
  const place = store === "staged" ? "attachments" : store;
  const additionalData = new TextEncoder().encode(JSON.stringify(["fieldpost", place, name]));
  return { name: "AES-GCM", iv, additionalData };
}

/**
 * @param {string} store
 * @param {any} value
 * @returns {Promise<{labels: Record<string, unknown>, content: Uint8Array<ArrayBuffer>}>}
 */
async function packed(store, value) {
  if (value instanceof Uint8Array) return { labels: {}, content: joined(AS_BYTES, "", value) };
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) return { labels: {}, content: joined(AS_JSON, JSON.stringify(value), new Uint8Array()) };
  const bytes = await bytesOf(value);
  // sealed without them it would look whole
  if (value.blob instanceof Blob && !bytes) throw new DOMException("the bytes of a file cannot be read", "NotReadableError");
  const readable = new Set(LABELS[store] ?? []);
  const pairs = Object.entries(value).filter(([name]) => name !== "bytes" && name !== "blob");
  const labels = Object.fromEntries(pairs.filter(([name]) => readable.has(name)));
  const rest = JSON.stringify(Object.fromEntries(pairs.filter(([name]) => !readable.has(name))));
  return { labels, content: joined(bytes ? AS_FILE : AS_JSON, rest, new Uint8Array(bytes ?? new ArrayBuffer(0))) };
}

/**
 * @param {number} kind
 * @param {string} text
 * @param {Uint8Array} bytes
 */
function joined(kind, text, bytes) {
  const words = new TextEncoder().encode(text);
  const whole = new Uint8Array(HEAD + words.length + bytes.length);
  whole[0] = kind;
  new DataView(whole.buffer).setUint32(1, words.length);
  whole.set(words, HEAD);
  whole.set(bytes, HEAD + words.length);
  return whole;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @param {Record<string, unknown>} labels
 */
function unpacked(content, labels) {
  const [kind] = content;
  const end = HEAD + new DataView(content.buffer).getUint32(1);
  if (kind === AS_BYTES) return content.subarray(end);
  const value = JSON.parse(new TextDecoder().decode(content.subarray(HEAD, end)));
  if (kind === AS_FILE) return { ...value, ...labels, bytes: content.slice(end).buffer };
  return Object.keys(labels).length ? { ...value, ...labels } : value;
}
