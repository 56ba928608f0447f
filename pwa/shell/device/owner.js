// Whose data this browser keeps: it belongs to its user, whoever is signed in and whatever page is open.

import { within } from "../../limits.js";
import { isSealed } from "../../sealing.js";
import { open, read, readAll, write } from "../../store.js";

/**
 * @typedef {import("../form/draft-store.js").Draft} Draft
 * @typedef {{owner: string, isLocked: boolean, pending: number, stuck: number,
 *   drafts: [string, Draft][]}} Here
 *   owner: the device's user, empty where this is no device; isLocked: somebody else was signed in
 *   since, so that the owner signs in before it is shown; pending: entries that the next sync
 *   sends; stuck: those that need a decision, or cannot be read; drafts: of everybody
 */

const PATIENCE_MS = 10_000;
const LOCK = "locked";
/** The only states of an entry that the office has decided for good. */
const SETTLED = new Set(["confirmed", "settled"]);

/**
 * Do something with the store if there is one; none is made.
 * @template T
 * @param {(db: IDBDatabase) => Promise<T>} task
 * @returns {Promise<T | null>} null: there is none
 */
export async function withStore(task) {
  const db = await within(PATIENCE_MS, open({ create: false }), "Opening the data of this device");
  try {
    return db && (await within(PATIENCE_MS, task(db), "Reading the data of this device"));
  } finally {
    db?.close();
  }
}

/** Look what is here. @returns {Promise<Here>} */
export async function whatIsHere() {
  const found = await withStore(async (db) => {
    const [outbox, drafts] = await Promise.all([readAll(db, "outbox"), readAll(db, "drafts")]);
    const open_ = outbox.map(([, entry]) => entry?.state).filter((state) => !SETTLED.has(state));
    const pending = open_.filter((state) => state === "pending").length;
    return {
      owner: nameOf(await read(db, "session", "user")) || authorOf(outbox),
      isLocked: (await read(db, "session", LOCK)) === true,
      pending,
      stuck: open_.length - pending,
      drafts: drafts.filter(([, draft]) => (draft?.fields || isSealed(draft)) && !draft.thrown_at).map(([key, draft]) => [String(key), draft]),
    };
  });
  const nothing = { owner: "", isLocked: false, pending: 0, stuck: 0, drafts: [] };
  return /** @type {Here} */ (found ?? nothing);
}

/** @param {any} user */
function nameOf(user) {
  return typeof user?.name === "string" ? user.name : "";
}

/**
 * Where the device has lost who its user is, its entries still say it.
 * @param {[IDBValidKey, any][]} outbox
 */
function authorOf(outbox) {
  for (const [, entry] of outbox) {
    try {
      const { user } = JSON.parse(entry.envelope);
      if (typeof user === "string" && user) return user;
    } catch {
      continue; // this one cannot be read; another may
    }
  }
  return "";
}

/**
 * Somebody else is signed in: from now on the owner signs in before the device is shown.
 * @param {boolean} isLocked
 */
export async function lock(isLocked) {
  // fault point: owner-lock-unset — the device is as it was: whoever is signed in is looked at again at the
  // next start.
  await withStore((db) => write(db, [["put", "session", LOCK, isLocked]]));
}
