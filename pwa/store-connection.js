// A connection to the store that outlives the browser's closing it.

import { open } from "./store.js";

/**
 * A connection that is opened again when the browser has closed it.
 * @returns {<T>(task: (db: IDBDatabase) => Promise<T>) => Promise<T>} rejects with `Gone` when the
 *   database was deleted meanwhile: an empty one in its place would look like a device without work
 */
export function connection() {
  /** @type {Promise<IDBDatabase> | null} */
  let current = null;
  return async (task) => {
    for (let attempt = 0; ; attempt++) {
      const mine = (current ??= reopened(() => (current = null)));
      try {
        return await task(await mine);
      } catch (error) {
        if (current === mine) current = null;
        // it was closed before a transaction began: nothing was done
        if (attempt || !(error instanceof DOMException) || error.name !== "InvalidStateError") throw error;
      }
    }
  };
}

/** @param {() => void} closed */
async function reopened(closed) {
  const db = await open({ create: false, closed });
  if (!db) throw new DOMException("the data of this device was removed", "Gone");
  return db;
}
