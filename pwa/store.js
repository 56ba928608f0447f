// The one module that opens IndexedDB. Everything durable on a device is in here.

/**
 * @typedef {["put", string, IDBValidKey, unknown] | ["delete", string, IDBValidKey]
 *   | ["clear", string] | ["adopt", string]} Operation
 * put, delete, clear: of a store. adopt: make a staged attachment one that waits to be sent.
 * @typedef {{cursor: string, pieces: string[], size: number, app_version: string}} Replica
 * @typedef {{blob: Blob, type: string, size: number, name: string, state?: string,
 *   draft?: string}} Attachment
 */

export const DATABASE = "fieldpost";
const VERSION = 1;
const STORES = [
  "session",
  "outbox",
  "history",
  "attachments",
  "staged",
  "drafts",
  "replica",
  "pieces",
  "snapshots",
];

/**
 * Open the database.
 * @overload
 * @returns {Promise<IDBDatabase>} made when it was not there
 */
/**
 * @overload
 * @param {{create: false}} options
 * @returns {Promise<IDBDatabase | null>} null when there is none: none is made
 */
/**
 * @param {{create: boolean}} [options]
 * @returns {Promise<IDBDatabase | null>}
 */
export function open({ create } = { create: true }) {
  const opening = indexedDB.open(DATABASE, VERSION);
  return new Promise((resolve, reject) => {
    opening.onupgradeneeded = () => {
      // fault point: store-half-made — the browser makes all stores in one transaction: the next opening
      // finds none, and makes them again.
      if (create) STORES.forEach((name) => opening.result.createObjectStore(name));
      else opening.transaction?.abort();
    };
    opening.onsuccess = () => {
      // signing out deletes the database; a connection left open would block that for ever
      opening.result.onversionchange = () => opening.result.close();
      resolve(opening.result);
    };
    opening.onerror = () => (create ? reject(opening.error) : resolve(null));
  });
}

/**
 * @template T
 * @param {IDBRequest<T>} asked
 * @returns {Promise<T>}
 */
function answer(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

/**
 * Read one value; undefined when there is none.
 * @param {IDBDatabase} db
 * @param {string} store
 * @param {IDBValidKey} key
 * @returns {Promise<any>}
 */
export function read(db, store, key) {
  return answer(db.transaction(store).objectStore(store).get(key));
}

/**
 * Read all pairs of a store in the order of their keys.
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<[IDBValidKey, any][]>}
 */
export async function readAll(db, store) {
  const place = db.transaction(store).objectStore(store);
  const [names, values] = await Promise.all([answer(place.getAllKeys()), answer(place.getAll())]);
  return names.map((key, i) => [key, values[i]]);
}

/**
 * Read the pieces of an image and join them.
 * @param {IDBDatabase} db
 * @param {string[]} hashes
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function readImage(db, hashes) {
  const place = db.transaction("pieces").objectStore("pieces");
  const pieces = await Promise.all(hashes.map((hash) => answer(place.get(hash))));
  const missing = pieces.findIndex((piece) => piece === undefined);
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
 * Do all operations in one transaction, or none.
 *
 * Resolves after the transaction is complete, with "strict" on the disk. Rejects with the
 * DOMException of what failed: `QuotaExceededError`, `MissingAttachment` (an adopted attachment is
 * nowhere), or the browser's own name.
 * @param {IDBDatabase} db
 * @param {Operation[]} operations
 * @param {{durability?: "strict" | "relaxed"}} [options]
 * @returns {Promise<void>}
 */
export function write(db, operations, { durability = "strict" } = {}) {
  if (operations.length === 0) return Promise.resolve();
  const stores = new Set(operations.flatMap(storesOf));
  const transaction = db.transaction([...stores], "readwrite", { durability });
  return new Promise((resolve, reject) => {
    /** @type {DOMException | null} */
    let cause = null;
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(cause ?? transaction.error);
    /** @param {unknown} error */
    const abort = (error) => {
      cause ??= error instanceof DOMException ? error : new DOMException(String(error), "DataError");
      transaction.abort();
    };
    try {
      // fault point: store-transaction-open — until the transaction is complete a crash leaves nothing of it;
      // from then on all of it is there, with "strict" even after a power cut.
      for (const operation of operations) apply(transaction, operation, abort);
    } catch (error) {
      abort(error);
    }
  });
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
  const asked = attachments.getKey(sha256);
  asked.onsuccess = () => {
    if (asked.result !== undefined) {
      staged.delete(sha256);
      return;
    }
    const found = staged.get(sha256);
    found.onsuccess = () => {
      if (found.result === undefined) {
        abort(new DOMException(`attachment ${sha256} is missing`, "MissingAttachment"));
        return;
      }
      const { blob, type, size, name } = found.result;
      // fault point: attachment-half-adopted — it is in one transaction with the envelope that refers to it:
      // it waits to be sent with that, or is still staged for the form.
      attachments.put({ blob, type, size, name, state: "pending" }, sha256);
      staged.delete(sha256);
    };
  };
}

/**
 * Read all keys of a store in order.
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<IDBValidKey[]>}
 */
export function keys(db, store) {
  return answer(db.transaction(store).objectStore(store).getAllKeys());
}
