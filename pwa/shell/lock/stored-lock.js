// What opens this device, as it is kept: the key in its wraps, and how often somebody was wrong.

import { database } from "../page/context.js";
import { isSealed } from "../../sealing.js";
import { answer, read, STORES, write } from "../../store.js";
import { newKey, unwrapped, wrapped } from "./key-wraps.js";
import { newCost, secretOf } from "./pin.js";

/**
 * @typedef {import("./pin.js").Cost} Cost
 * @typedef {import("./passkey.js").Passkey} Passkey
 * @typedef {{pin: Cost & {key: ArrayBuffer}, passkey?: Passkey & {key: ArrayBuffer}, begun: number,
 *   wrong: number, isWhole: boolean}} Lock
 *   begun: tries since the last right one, whatever became of them; wrong: those that were looked at;
 *   isWhole: all that was kept before is sealed
 */

const NAME = "pin";

/**
 * Read what opens this device.
 * @returns {Promise<{lock: Lock | null, isDamaged: boolean}>} no lock: it is open; or it is damaged
 */
export async function storedLock() {
  const db = await database();
  const stored = await read(db, "session", NAME);
  // a PIN that was chosen anew would open none of what is sealed already
  if (stored === undefined) return { lock: null, isDamaged: await isAnySealed(db) };
  return isSound(stored) ? { lock: stored, isDamaged: false } : { lock: null, isDamaged: true };
}

/** @param {IDBDatabase} db */
async function isAnySealed(db) {
  const firsts = STORES.map((store) => answer(db.transaction(store).objectStore(store).getAll(null, 1)));
  return (await Promise.all(firsts)).some(([value]) => isSealed(value));
}

/** @param {any} stored @returns {stored is Lock} */
function isSound(stored) {
  const { salt, memory, passes, lanes, key } = stored?.pin ?? {};
  const isCost = [memory, passes, lanes].every((each) => Number.isInteger(each) && each > 0);
  const isCount = [stored?.begun, stored?.wrong].every((each) => Number.isInteger(each) && each >= 0);
  return isCost && isCount && [salt, key].every((each) => each instanceof ArrayBuffer);
}

/** @param {Lock} lock */
async function keep(lock) {
  // fault point: lock-unkept — the lock is as it was, whole: the former PIN opens it, and of a try that was not
  // counted nobody has seen whether it was right.
  await write(await database(), [["put", "session", NAME, lock]]);
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
  await keep({ pin: { ...cost, key: made }, begun: 0, wrong: 0, isWhole: false });
  return /** @type {CryptoKey} */ (await unwrapped(made, secret, "pin"));
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
  if (!lock) throw new Error("there is no lock");
  const begun = { ...lock, begun: lock.begun + 1 };
  await keep(begun);
  const key = await unwrapped(lock.pin.key, await secretOf(pin, lock.pin), "pin", toBeWrapped);
  const now = key ? { ...lock, begun: 0, wrong: 0 } : { ...begun, wrong: lock.wrong + 1 };
  await keep(now);
  return { key, lock: now };
}

/**
 * @param {import("./key-wraps.js").Bytes} secret what the passkey gave
 * @returns {Promise<CryptoKey | null>}
 */
export async function tryPasskey(secret) {
  const { lock } = await storedLock();
  const key = lock?.passkey ? await unwrapped(lock.passkey.key, secret, "passkey") : null;
  if (lock && key) await keep({ ...lock, begun: 0, wrong: 0 });
  return key;
}

/**
 * Put another PIN in the place of the former one.
 * @param {CryptoKey} key of `tryPin`, to be wrapped
 * @param {string} pin
 */
export async function changePin(key, pin) {
  const { lock } = await storedLock();
  if (!lock) return;
  const cost = newCost();
  await keep({ ...lock, pin: { ...cost, key: await wrapped(key, await secretOf(pin, cost), "pin") } });
}

/**
 * Let a passkey open it, too; or no passkey any more.
 * @param {CryptoKey} key of `tryPin`, to be wrapped
 * @param {{passkey: Passkey, secret: import("./key-wraps.js").Bytes} | null} made
 */
export async function setPasskey(key, made) {
  const { lock } = await storedLock();
  if (!lock) return;
  const passkey = made ? { ...made.passkey, key: await wrapped(key, made.secret, "passkey") } : undefined;
  await keep({ ...lock, passkey });
}

/** All that was kept before is sealed by now. */
export async function noteWhole() {
  const { lock } = await storedLock();
  if (lock) await keep({ ...lock, isWhole: true });
}
