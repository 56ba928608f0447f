// Removes data from this device, and looks until it is gone.

import { pause, within } from "../../limits.js";
import { askFor } from "../../office.js";
import { DATABASE, open, read, readAll, STORES, write } from "../../store.js";
import { closeDatabase } from "../page/context.js";
import { isSealed, useKey } from "../../sealing.js";
import { withStore } from "./owner.js";

/** @typedef {import("../../store.js").Operation} Operation */

/** Firefox takes up to ten seconds to delete a database. */
const PATIENCE_MS = 15_000;
const LOOK_EVERY_MS = 250;
const STEP_MS = 5_000;
const MARK = "leaving";
/** A browser makes no more random bytes at once, and keeps larger values in files of their own. */
const NOISE_BYTES = 60_000;
/** So often two values for each store: together some 50 MB, at which Chromium packs its files anew. */
const ROUNDS = 48;

/**
 * Remove a user's data. The device goes with its owner; drafts of other people stay.
 * @param {string} user
 * @param {{owner: boolean}} how owner: she is the device's owner, or this is no device
 * @returns {Promise<string[]>} what could not be removed
 */
export async function removeDataOf(user, { owner }) {
  const others = await withStore((db) => othersDrafts(db, user));
  if (owner) useKey(null); // it goes: what others have typed must not be sealed with it
  if (!owner || others?.length) {
    // fault point: own-data-unremoved — what goes and what stays is one transaction: a crash leaves all of
    // it, and its user signs out again.
    await withStore(async (db) => write(db, owner ? await allBut(db, others ?? []) : await draftsAndFiles(db, user)));
    if (owner) await overwrite((db) => allBut(db, others ?? []));
    if (owner) await removeFiles();
    return owner ? whatIsLeft([DATABASE]) : [];
  }
  return removeEverything(user);
}

/**
 * Remove everything of this app from the browser, whosever it is.
 * @param {string} user who leaves
 * @returns {Promise<string[]>} what is left
 */
export async function removeEverything(user) {
  await withStore((db) => write(db, [["put", "session", MARK, user]]));
  // fault point: wipe-half-done — the mark says that its user has left: the next start, of whatever page,
  // goes on with the removal and shows nothing before.
  await within(STEP_MS, closeDatabase(), "Closing the data").catch((error) => console.info(error));
  // the office has the browser remove its files; without it they are written over here
  const isReached = await askFor("/health", { cache: "no-store", signal: AbortSignal.timeout(STEP_MS) }, {}).then(() => true, () => false);
  if (!isReached) await overwrite(allButOrders).catch((error) => console.info(error)); // no space: the office does it later
  await Promise.all((await databases()).map(deleteDatabase));
  await removeFiles();
  return whatIsLeft([]);
}

/** Go on with what a crash has cut off. @returns {Promise<string[] | null>} what is left; null: nothing was cut off */
export async function finishLeaving() {
  const said = await withStore(async (db) => ({
    user: await read(db, "session", MARK),
    hasMarker: Boolean(await read(db, "session", "shell")),
  }));
  if (typeof said?.user === "string") return removeDataOf(said.user, { owner: true });
  // the marker is set before a file is fetched: files without it are what a removal has left
  const left = said?.hasMarker ? [] : await cached().catch(() => []); // they only take space
  if (left.length) await removeFiles();
  return null;
}

/**
 * @param {IDBDatabase} db
 * @param {string} user
 * @returns {Promise<[IDBValidKey, any][]>}
 */
async function othersDrafts(db, user) {
  return (await readAll(db, "drafts")).filter(([, draft]) => draft?.user && draft.user !== user && !draft.thrown_at);
}

/**
 * @param {IDBDatabase} db
 * @param {string} user
 * @returns {Promise<Operation[]>} what removes what she has typed, with its pictures
 */
async function draftsAndFiles(db, user) {
  const all = await readAll(db, "drafts");
  const mine = new Set(all.filter(([, draft]) => draft?.user === user).map(([key]) => key));
  const used = JSON.stringify(all.filter(([key]) => !mine.has(key)));
  const isClear = !all.some(([key, draft]) => !mine.has(key) && isSealed(draft));
  const staged = (await readAll(db, "staged")).filter(
    ([sha256, value]) => isClear && mine.has(value?.draft) && !used.includes(String(sha256)),
  );
  return [
    ...[...mine].map((key) => /** @type {Operation} */ (["delete", "drafts", key])),
    ...staged.map(([sha256]) => /** @type {Operation} */ (["delete", "staged", sha256])),
  ];
}

/**
 * @param {IDBDatabase} db
 * @param {[IDBValidKey, any][]} kept drafts of other people
 * @returns {Promise<Operation[]>} what removes everything else
 */
async function allBut(db, kept) {
  const used = JSON.stringify(kept);
  const staged = (await readAll(db, "staged")).filter(([sha256]) => used.includes(String(sha256)));
  return [
    ...STORES.map((name) => /** @type {Operation} */ (["clear", name])),
    ...kept.map(([key, draft]) => /** @type {Operation} */ (["put", "drafts", key, draft])),
    ...staged.map(([key, file]) => /** @type {Operation} */ (["put", "staged", key, file])),
  ];
}

/**
 * @param {IDBDatabase} db
 * @returns {Promise<Operation[]>} what removes everything but how far a removal is
 */
async function allButOrders(db) {
  const kept = (await readAll(db, "session")).filter(([name]) => [MARK, "revoked", "device"].includes(String(name)));
  return [
    ...STORES.map((name) => /** @type {Operation} */ (["clear", name])),
    ...kept.map(([name, value]) => /** @type {Operation} */ (["put", "session", name, value])),
  ];
}

/**
 * Remove all but some, and write over it: Chromium's database only notes that something is removed, and keeps
 * it in its files until so much was written in its place that it packs them anew.
 * @param {(db: IDBDatabase) => Promise<Operation[]>} removal what removes it, also a second time
 */
async function overwrite(removal) {
  if (!("userAgentData" in navigator)) return; // the others remove what they delete
  const db = await within(STEP_MS, open({ create: false }), "Opening the data of this device");
  if (!db) return;
  try {
    const removing = await removal(db);
    // fault point: removed-values-written-over — what is to stay is in each of these transactions, and nothing else is data: the
    // next start finds the mark, and removes all of it.
    await write(db, removing);
    for (let i = 0; i < ROUNDS; i++) await write(db, STORES.flatMap((name, n) => noise(name, i, n)), { durability: "relaxed" });
    await write(db, removing);
  } finally {
    db.close();
  }
}

/**
 * @param {string} store
 * @param {number} round
 * @param {number} place
 * @returns {Operation[]} two values, at both ends of a store's keys
 */
function noise(store, round, place) {
  const keys = [-1_000 + round + place / 10, `zzz${round}-${place}`];
  return keys.map((key) => /** @type {Operation} */ (["put", store, key, crypto.getRandomValues(new Uint8Array(NOISE_BYTES))]));
}

/** @param {string} name */
function deleteDatabase(name) {
  // fault point: database-undeleted — the browser deletes all of a database or nothing: after a crash it is
  // whole, its mark included, and the next start deletes it.
  const deleting = indexedDB.deleteDatabase(name);
  return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const done = () => resolve();
    deleting.onsuccess = done;
    deleting.onerror = done;
    setTimeout(done, STEP_MS); // another tab holds it, or the browser is slow: it is looked for below
  });
}

async function removeFiles() {
  const [registrations, names] = await Promise.all([serviceWorkers(), cached()]);
  // fault point: files-unremoved — the data is gone; what is left are files of the app without a marker,
  // which the next start removes.
  const going = [...registrations.map((each) => each.unregister()), ...names.map((name) => caches.delete(name))];
  await within(STEP_MS, Promise.allSettled(going), "Removing the app's files").catch((error) => console.info(error));
  localStorage.clear();
  sessionStorage.clear();
}

/**
 * Look until nothing is left, or patience ends: some browsers say that it is done before it is.
 * @param {string[]} staying names of databases that stay
 * @returns {Promise<string[]>}
 */
async function whatIsLeft(staying) {
  for (const end = Date.now() + PATIENCE_MS; ; await pause(LOOK_EVERY_MS)) {
    const left = await look(staying).catch((error) => [`what this browser does not tell (${String(error)})`]);
    if (!left.length || Date.now() > end) return left;
  }
}

/** @param {string[]} staying */
async function look(staying) {
  const [found, kept, workers] = await Promise.all([databases(), cached(), serviceWorkers()]);
  const stored = localStorage.length + sessionStorage.length ? ["browser storage"] : [];
  return [
    ...found.filter((name) => !staying.includes(name)).map((name) => `database ${name}`),
    ...kept.map((name) => `cache ${name}`),
    ...workers.map(() => "service worker"),
    ...stored,
  ];
}

/** @returns {Promise<string[]>} names of all databases */
async function databases() {
  if (!indexedDB.databases) return [DATABASE]; // a browser that does not tell
  const found = await within(STEP_MS, indexedDB.databases(), "Looking for data");
  return found.map(({ name }) => name ?? "");
}

/** @returns {Promise<string[]>} names of all caches */
function cached() {
  if (!globalThis.caches) return Promise.resolve([]); // the address is not secure: there is no device
  return within(STEP_MS, caches.keys(), "Looking for files");
}

/** @returns {Promise<readonly ServiceWorkerRegistration[]>} */
function serviceWorkers() {
  return within(STEP_MS, navigator.serviceWorker?.getRegistrations() ?? Promise.resolve([]), "Looking for the service worker");
}
