// Seals what was kept before the app asked for a PIN. What a crash leaves open is sealed at the next start: a
// value is read either way.

import { database } from "../page/context.js";
import { isSealed, staysOpen } from "../../sealing.js";
import { answer, keys, read, STORES, write } from "../../store.js";
import { noteWhole } from "./stored-lock.js";

/**
 * Seal all values of this device's user; those of others, who have typed here, stay as they are. Nobody else
 * writes meanwhile.
 * @param {(done: number, total: number) => void} report
 */
export async function sealInPlace(report) {
  const db = await database();
  const owner = (await read(db, "session", "user"))?.name;
  const names = await Promise.all(["drafts", ...STORES.filter((each) => each !== "drafts")].map((store) => namesIn(db, store)));
  const all = names.flat();
  const others = new Set();
  for (const [i, [store, name]] of all.entries()) {
    const value = await answer(db.transaction(store).objectStore(store).get(name));
    const isOthers = store === "drafts" ? isAnothers(value, owner) : others.has(value?.draft);
    if (store === "drafts" && isOthers) others.add(name);
    // fault point: value-unsealed — the value is there once, open or sealed: whoever has the key reads both,
    // and the next start goes on.
    if (value !== undefined && !isOthers && !isSealed(value)) await write(db, [["put", store, name, value]]);
    report(i + 1, all.length);
  }
  await noteWhole();
}

/** @param {any} draft @param {unknown} owner */
function isAnothers(draft, owner) {
  return Boolean(owner && draft?.user && draft.user !== owner);
}

/**
 * @param {IDBDatabase} db
 * @param {string} store
 * @returns {Promise<[string, IDBValidKey][]>} of what is to be sealed
 */
async function namesIn(db, store) {
  const found = await keys(db, store);
  return found.filter((name) => !staysOpen(store, name)).map((name) => [store, name]);
}
