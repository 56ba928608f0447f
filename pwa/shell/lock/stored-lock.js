// What opens this device, as it is kept: the key in its wraps, and how often somebody was wrong.

import { database } from "../page/context.js";
import { within } from "../../limits.js";
import { isSealed, staysOpen } from "../../sealing.js";
import { digestOf } from "../../sha256.js";
import { answer, read, STORES } from "../../store.js";
import { newKey, unwrapped, wrapped } from "./key-wraps.js";
import { newCost, secretOf } from "./pin.js";

/**
 * @typedef {import("./pin.js").Cost} Cost
 * @typedef {import("./passkey.js").Passkey} Passkey
 * @typedef {{key: ArrayBuffer, sum: string}} Wrap sum: of all of its parts, since damage must not look like a wrong PIN
 * @typedef {Cost & {hasLetters: boolean} & Wrap} PinPart
 * @typedef {Passkey & Wrap} PasskeyPart
 * @typedef {{pin: PinPart | null, passkey: PasskeyPart | null, begun: number, wrong: number, isWhole: boolean}} Lock
 *   begun: tries since the last right one, whatever became of them; wrong: those that were looked at;
 *   isWhole: all that was kept before is sealed
 */

/** Where it is kept, twice: without it nothing opens. */
const NAMES = ["pin", "pin-again"];
const WRITING_MS = 20_000;
/** Where the count itself was damaged. */
const UNKNOWN = 3;

/**
 * Read what opens this device.
 * @returns {Promise<{lock: Lock | null, isDamaged: boolean}>} no lock: it is open; or nothing of it is whole
 */
export async function storedLock() {
  const db = await database();
  const found = await Promise.all(NAMES.map((name) => read(db, "session", name)));
  const locks = await Promise.all(found.map(mended));
  const lock = locks.find((each) => each?.pin) ?? locks.find(Boolean) ?? null;
  // a PIN that was chosen anew would open none of what is sealed already
  const isThere = found.some((each) => each !== undefined) || (!lock && (await isAnySealed(db)));
  return { lock, isDamaged: !lock && isThere };
}

/** @param {IDBDatabase} db */
async function isAnySealed(db) {
  // what is never sealed says nothing, and a memory snapshot takes long to read
  const firsts = STORES.filter((store) => !staysOpen(store, "")).map((store) => answer(db.transaction(store).objectStore(store).getAll(null, 1)));
  return (await Promise.all(firsts)).some(([value]) => isSealed(value));
}

/**
 * What of a stored lock can still be used.
 * @param {any} stored
 * @returns {Promise<Lock | null>}
 */
async function mended(stored) {
  const [pin, passkey] = await Promise.all([whole(stored?.pin), whole(stored?.passkey)]);
  if (!pin && !passkey) return null;
  const { begun, wrong } = stored;
  return { pin, passkey, begun: countOf(begun), wrong: countOf(wrong), isWhole: stored.isWhole === true };
}

/** @param {unknown} count */
function countOf(count) {
  return Number.isInteger(count) && Number(count) >= 0 ? Number(count) : UNKNOWN;
}

/** @param {any} part @returns {Promise<any>} null where it is not as it was made */
async function whole(part) {
  if (!(part?.key instanceof ArrayBuffer) || !(part.salt instanceof ArrayBuffer)) return null;
  return part.sum === (await sumOf(part)) ? part : null;
}

/** @template {object} T @param {T} part @returns {Promise<T & {sum: string}>} */
async function summed(part) {
  return { ...part, sum: await sumOf(part) };
}

/** @param {Record<string, any>} part */
function sumOf(part) {
  const names = Object.keys(part).filter((name) => name !== "sum").sort();
  const told = names.map((name) => [name, part[name] instanceof ArrayBuffer ? [...new Uint8Array(part[name])] : part[name]]);
  return digestOf(new TextEncoder().encode(JSON.stringify(told)));
}

/**
 * Change the lock, if it is still the one that was read: another tab may have gone on meanwhile.
 * @param {Lock | null} was null: there was none
 * @param {(now: {begun: number, wrong: number}) => Lock} how gets the counts as they are now
 * @returns {Promise<Lock>} as it is kept now
 */
async function change(was, how) {
  const transaction = (await database()).transaction("session", "readwrite", { durability: "strict" });
  const place = transaction.objectStore("session");
  const done = new Promise((/** @type {(lock: Lock) => void} */ resolve, reject) => {
    /** @type {Lock} */
    let lock;
    const [first, second] = NAMES.map((name) => place.get(name));
    // what is asked last is answered last
    second.onsuccess = () => {
      const kept = [first.result, second.result];
      // one of the two may be damaged: it is put right
      const now = kept.find((each) => was && isSame(each, was));
      if (was ? !now : kept.some((each) => each !== undefined)) return transaction.abort();
      const known = now ?? { begun: 0, wrong: 0 };
      lock = how({ begun: countOf(known.begun), wrong: countOf(known.wrong) });
      // fault point: lock-unkept — the lock is as it was, whole: the former PIN opens it, and of a try that was
      // not counted nobody has seen whether it was right.
      for (const name of NAMES) place.put(lock, name);
      return undefined;
    };
    transaction.oncomplete = () => resolve(lock);
    transaction.onabort = () => reject(transaction.error ?? new DOMException("the lock was changed elsewhere", "TakenOver"));
  });
  return within(WRITING_MS, done, "Keeping the lock");
}

/** Whether what is stored is the lock that was read. @param {any} stored @param {Lock} lock */
function isSame(stored, { pin, passkey }) {
  return pin ? stored?.pin?.sum === pin.sum : stored?.passkey?.sum === passkey?.sum;
}

/**
 * Lock an open device: from now on a PIN opens it.
 * @param {string} pin
 * @returns {Promise<CryptoKey>}
 */
export async function newLock(pin) {
  const [key, cost] = [await newKey(), newCost()];
  const secret = await secretOf(pin, cost);
  const made = await wrapped(key, secret, "pin");
  const found = await unwrapped(made, secret, "pin");
  if (!found) throw new Error("this browser does not open what it has wrapped");
  const part = await summed({ ...cost, hasLetters: /\D/.test(pin), key: made });
  await change(null, () => ({ pin: part, passkey: null, begun: 0, wrong: 0, isWhole: false }));
  return found;
}

/**
 * Try a PIN. It is counted before it is looked at, and what came of it before anybody hears: whoever ends the app
 * meanwhile has had her try.
 * @param {string} pin
 * @param {{toBeWrapped?: boolean}} [how]
 * @returns {Promise<{key: CryptoKey | null, lock: Lock}>} no key: it was wrong; lock: as it is kept now
 */
export async function tryPin(pin, { toBeWrapped = false } = {}) {
  const { lock } = await storedLock();
  if (!lock?.pin) throw new Error("there is no PIN");
  // what fails here says nothing of the PIN, and does not count
  const secret = await secretOf(pin, lock.pin);
  await change(lock, (now) => ({ ...lock, begun: now.begun + 1, wrong: now.wrong }));
  const key = await unwrapped(lock.pin.key, secret, "pin", toBeWrapped);
  const kept = await change(lock, (now) => (key ? { ...lock, begun: 0, wrong: 0 } : { ...lock, begun: now.begun, wrong: now.wrong + 1 }));
  return { key, lock: kept };
}

/**
 * @param {import("./key-wraps.js").Bytes} secret what the passkey gave
 * @returns {Promise<CryptoKey | null>}
 */
export async function tryPasskey(secret) {
  const { lock } = await storedLock();
  const key = lock?.passkey ? await unwrapped(lock.passkey.key, secret, "passkey") : null;
  if (lock && key) await change(lock, () => ({ ...lock, begun: 0, wrong: 0 }));
  return key;
}

/**
 * Put another PIN in the place of the former one.
 * @param {CryptoKey} key of `tryPin`, to be wrapped
 * @param {string} pin
 */
export async function changePin(key, pin) {
  const { lock } = await storedLock();
  const cost = newCost();
  const made = await wrapped(key, await secretOf(pin, cost), "pin");
  const part = await summed({ ...cost, hasLetters: /\D/.test(pin), key: made });
  if (lock) await change(lock, () => ({ ...lock, pin: part, begun: 0, wrong: 0 }));
}

/**
 * Let a passkey open it, too; or no passkey any more.
 * @param {CryptoKey} key of `tryPin`, to be wrapped
 * @param {{passkey: Passkey, secret: import("./key-wraps.js").Bytes} | null} made
 */
export async function setPasskey(key, made) {
  const { lock } = await storedLock();
  const passkey = made && (await summed({ ...made.passkey, key: await wrapped(key, made.secret, "passkey") }));
  if (lock) await change(lock, (now) => ({ ...lock, ...now, passkey }));
}

/** All that was kept before is sealed by now. */
export async function noteWhole() {
  const { lock } = await storedLock();
  if (lock) await change(lock, (now) => ({ ...lock, ...now, isWhole: true }));
}
