// Seals what was kept before the app asked for a PIN. What a crash leaves open is sealed at the next start: a
// value is read either way.

import { database, signedIn } from "../page/context.js";
import { isSealed, staysOpen } from "../../sealing.js";
import { answer, keys, labels, read, STORES, write } from "../../store.js";
import { noteWhole } from "./stored-lock.js";

/**
 * Seal all values of this device's user; those of others, who have typed here, stay as they are. Nobody else
 * writes meanwhile.
 * @param {(done: number, total: number) => void} report
 */
export async function sealInPlace(report) {
  const db = await database();
  const owner = (await read(db, "session", "user"))?.name || signedIn();
  const all = await allNames(db);
  const others = new Set();
  let isWhole = true;
  for (const [i, [store, name]] of all.entries()) {
    const value = await answer(db.transaction(store).objectStore(store).get(name));
    const isOthers = store === "drafts" ? isAnothers(value, owner) : others.has(value?.draft);
    if (store === "drafts" && isOthers) others.add(name);
    if (!isOthers && !(await isPut(db, store, name, value))) isWhole = false;
    report(i + 1, all.length);
  }
  if (isWhole) await noteWhole();
}

/** Seal what pages of the office have left open here: drafts of this user and their pictures. */
export async function sealLeftOpen() {
  const db = await database();
  const owner = (await read(db, "session", "user"))?.name;
  const drafts = (await labels(db, "drafts")).filter(([, draft]) => owner && draft?.user === owner);
  const mine = new Set(drafts.map(([key]) => key));
  const staged = (await labels(db, "staged")).filter(([, file]) => mine.has(file?.draft));
  for (const [key, value] of drafts) await isPut(db, "drafts", key, value);
  for (const [key, value] of staged) await isPut(db, "staged", key, value);
}

/**
 * @param {IDBDatabase} db
 * @param {string} store
 * @param {IDBValidKey} name
 * @param {any} value
 * @returns {Promise<boolean>} false: it stays open for now; a device that is full goes on, so that a sync makes room
 */
async function isPut(db, store, name, value) {
  if (value === undefined || isSealed(value)) return true;
  try {
    // fault point: value-unsealed — the value is there once, open or sealed: whoever has the key reads both,
    // and the next start goes on.
    await write(db, [["put", store, name, value]], { durability: "relaxed" });
    return true;
  } catch (error) {
    console.info(`What is kept as ${store} ${String(name)} stays open for now.`, error);
    return false;
  }
}

/** @param {IDBDatabase} db @returns {Promise<[string, IDBValidKey][]>} drafts first: they say whose a picture is */
async function allNames(db) {
  const stores = ["drafts", ...STORES.filter((each) => each !== "drafts")];
  return (await Promise.all(stores.map((store) => namesIn(db, store)))).flat();
}

/** @param {any} draft @param {unknown} owner */
function isAnothers(draft, owner) {
  return Boolean(draft?.user && draft.user !== owner);
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
