// The one module that opens IndexedDB. Everything durable on a device is in here.

import { withoutPages } from "./page-places.js";
import { within } from "./limits.js";
import { allSealed, isSealed, isSealing, unsealed } from "./sealing.js";

/**
 * @typedef {["put" | "add", string, IDBValidKey, unknown] | ["delete", string, IDBValidKey]
 *   | ["clear", string] | ["adopt", string]} Operation
 * put, delete, clear: of a store. add: put, but never over what is there. adopt: make a staged
 * attachment one that waits to be sent.
 * @typedef {{cursor: string, pieces: string[], size: number, app_version: string}} Replica
 * @typedef {{bytes: ArrayBuffer, type: string, size: number, name: string, state?: string,
 *   draft?: string}} Attachment
 * bytes: some browsers keep no Blobs, WebKit's private windows among them; former versions of this
 * app kept a `blob` instead, see `stored-files.js`.
 */

export const DATABASE = "fieldpost";
const VERSION = 1;
export const STORES = ["session", "outbox", "history", "attachments", "staged", "drafts", "replica", "pieces", "snapshots"];

/** Who works with the data counts up here: only the newest may write. */
const GENERATION = "generation";
const OPENING_MS = 10_000;
/** A transaction that takes longer is given up; the disk of a phone that is busy takes seconds. */
const WRITING_MS = 20_000;
const READING_MS = 20_000;

/**
 * Open the database.
 * @overload
 * @param {{create?: true, closed?: () => void}} [options] closed: the browser has closed it
 * @returns {Promise<IDBDatabase>} made when it was not there
 */
/**
 * @overload
 * @param {{create: false, closed?: () => void}} options
 * @returns {Promise<IDBDatabase | null>} null when there is none: none is made
 */
/**
 * @param {{create?: boolean, closed?: () => void}} [options]
 * @returns {Promise<IDBDatabase | null>}
 */
export async function open({ create = true, closed } = {}) {
  const opening = indexedDB.open(DATABASE, VERSION);
  try {
    return await within(OPENING_MS, opened(opening, create, closed), "Opening the data of this device");
  } catch (error) {
    // what comes too late would hold up whoever deletes the database
    opening.onsuccess = () => opening.result.close();
    throw error;
  }
}

/**
 * @param {IDBOpenDBRequest} opening
 * @param {boolean} create
 * @param {(() => void) | undefined} closed
 * @returns {Promise<IDBDatabase | null>}
 */
function opened(opening, create, closed) {
  return new Promise((resolve, reject) => {
    opening.onupgradeneeded = () => {
      // fault point: store-half-made — the browser makes all stores in one transaction: the next opening
      // finds none, and makes them again.
      if (create) STORES.forEach((name) => opening.result.createObjectStore(name));
      else opening.transaction?.abort();
    };
    opening.onsuccess = () => {
      // signing out deletes the database; a connection left open would block that for ever
      opening.result.onversionchange = () => {
        opening.result.close();
        closed?.();
      };
      opening.result.onclose = () => closed?.();
      resolve(opening.result);
    };
    opening.onerror = () => {
      // only "there is none" is none: what cannot be opened may hold somebody's work
      if (!create && opening.error?.name === "AbortError") resolve(null);
      else reject(opening.error);
    };
  });
}

/**
 * @template T
 * @param {IDBRequest<T>} asked
 * @returns {Promise<T>}
 */
export function answer(asked) {
  const answered = new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return within(READING_MS, answered, "Reading from this device");
}

/**
 * Become the one that writes: whoever was it before is refused from now on.
 * @param {IDBDatabase} db
 * @returns {Promise<number>} to be handed to `write`
 */
export function takeOver(db) {
  const transaction = db.transaction("session", "readwrite", { durability: "strict" });
  const taken = new Promise((/** @type {(number: number) => void} */ resolve, reject) => {
    const place = transaction.objectStore("session");
    const asked = place.get(GENERATION);
    let mine = 1;
    asked.onsuccess = () => {
      mine = Number.isSafeInteger(asked.result) && asked.result > 0 ? asked.result + 1 : 1;
      // fault point: taken-over-unread — nobody works with the data: the next tab takes it over again.
      place.put(mine, GENERATION);
    };
    transaction.oncomplete = () => resolve(mine);
    transaction.onabort = () => reject(transaction.error);
  });
  return within(WRITING_MS, taken, "Taking over the data of this device");
}

/**
 * Read one value; undefined when there is none.
 * @param {IDBDatabase} db
 * @param {string} store
 * @param {IDBValidKey} key
 * @returns {Promise<any>}
 */
export async function read(db, store, key) {
  return unsealed(store, key, await answer(db.transaction(store).objectStore(store).get(key)));
}

/**
 * Read all pairs of a store in the order of their keys.
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<[IDBValidKey, any][]>}
 */
export async function readAll(db, store) {
  const kept = await labels(db, store);
  return Promise.all(kept.map(async ([key, value]) => [key, await unsealed(store, key, value)]));
}

/**
 * Read all pairs of a store as they are kept, sealed or not: for what is known without the key.
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<[IDBValidKey, any][]>}
 */
export async function labels(db, store) {
  const place = db.transaction(store).objectStore(store);
  const [names, values] = await Promise.all([answer(place.getAllKeys()), answer(place.getAll())]);
  return names.map((key, i) => [key, values[i]]);
}

/**
 * Do all operations in one transaction, or none.
 *
 * Resolves after the transaction is complete, with "strict" on the disk. Rejects with the
 * exception of what failed: `QuotaExceededError`, `MissingAttachment` (an adopted attachment is
 * nowhere), `TakenOver` (another tab works with the data since), `TimeoutError`, or the browser's
 * own name.
 * @param {IDBDatabase} db
 * @param {Operation[]} operations
 * @param {{durability?: "strict" | "relaxed", generation?: number}} [how] generation: of
 *   `takeOver`
 * @returns {Promise<void>}
 */
export async function write(db, operations, how) {
  if (operations.length === 0) return;
  // without a key at once: what is read next sees it
  const whole = isSealing() ? /** @type {Operation[]} */ (await allSealed(operations)) : operations;
  try {
    await transact(db, whole, how);
  } catch (error) {
    if (/** @type {any} */ (error)?.name !== "QuotaExceededError") throw error;
    // nothing of it is there: work goes before what is kept to be quick
    await transact(db, withoutPages(), how);
    await transact(db, whole, how);
  }
}

/**
 * @param {IDBDatabase} db
 * @param {Operation[]} operations
 * @param {{durability?: "strict" | "relaxed", generation?: number}} [how]
 * @returns {Promise<void>}
 */
function transact(db, operations, { durability = "strict", generation } = {}) {
  const stores = new Set(operations.flatMap(storesOf));
  if (generation !== undefined) stores.add("session");
  const transaction = db.transaction([...stores], "readwrite", { durability });
  return new Promise((resolve, reject) => {
    /** @type {unknown} */
    let cause = null;
    /** @param {unknown} error */
    const abort = (error) => {
      cause ??= error;
      try {
        transaction.abort();
      } catch {
        // it is being committed: whoever asked hears what became of it, or else that nobody knows
        setTimeout(() => reject(cause), OPENING_MS);
      }
    };
    const timer = setTimeout(() => abort(new DOMException("the device is too slow", "TimeoutError")), WRITING_MS);
    transaction.oncomplete = () => (clearTimeout(timer), resolve());
    transaction.onabort = () => (clearTimeout(timer), reject(cause ?? transaction.error));
    try {
      // fault point: store-transaction-open — until the transaction is complete a crash leaves nothing of it;
      // from then on all of it is there, with "strict" even after a power cut.
      if (generation !== undefined) fence(transaction, generation, abort);
      for (const operation of operations) apply(transaction, operation, abort);
    } catch (error) {
      abort(error);
    }
  });
}

/**
 * Refuse whoever has lost the data to another tab: nothing of an aborted transaction is kept.
 * @param {IDBTransaction} transaction
 * @param {number} generation
 * @param {(error: unknown) => void} abort
 */
function fence(transaction, generation, abort) {
  const asked = transaction.objectStore("session").get(GENERATION);
  asked.onsuccess = () => {
    if (asked.result !== generation) abort(new DOMException("another tab works with the data", "TakenOver"));
  };
}

/** @param {Operation} operation */
function storesOf(operation) {
  return operation[0] === "adopt" ? ["staged", "attachments"] : [operation[1]];
}

/**
 * @param {IDBTransaction} transaction
 * @param {Operation} operation
 * @param {(error: unknown) => void} abort
 */
function apply(transaction, operation, abort) {
  if (operation[0] === "adopt") {
    adopt(transaction, operation[1], abort);
    return;
  }
  const place = transaction.objectStore(operation[1]);
  if (operation[0] === "put") place.put(operation[3], operation[2]);
  else if (operation[0] === "add") place.add(operation[3], operation[2]);
  else if (operation[0] === "delete") place.delete(operation[2]);
  else place.clear();
}

/**
 * @param {IDBTransaction} transaction
 * @param {string} sha256
 * @param {(error: unknown) => void} abort
 */
function adopt(transaction, sha256, abort) {
  const [staged, attachments] = ["staged", "attachments"].map((n) => transaction.objectStore(n));
  const asked = attachments.get(sha256);
  asked.onsuccess = () => {
    // one whose bytes the browser has lost is replaced when it is chosen again; of one that is sealed nobody
    // can see it here
    if (isThere(asked.result) && !isSealed(asked.result)) {
      staged.delete(sha256);
      return;
    }
    const found = staged.get(sha256);
    found.onsuccess = () => {
      if (!isThere(found.result) && isSealed(asked.result)) return;
      const file = { ...found.result, state: "pending" };
      delete file.draft;
      if (!isThere(file)) {
        abort(new DOMException(`attachment ${sha256} is missing`, "MissingAttachment"));
        return;
      }
      // fault point: attachment-half-adopted — it is in one transaction with the envelope that refers to it:
      // it waits to be sent with that, or is still staged for the form.
      attachments.put(file, sha256);
      staged.delete(sha256);
    };
  };
}

/** @param {any} file */
const isThere = (file) => Boolean(file?.bytes ?? file?.blob) || isSealed(file);

/**
 * Read all keys of a store in order.
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<IDBValidKey[]>}
 */
export function keys(db, store) {
  return answer(db.transaction(store).objectStore(store).getAllKeys());
}
