// A PIN: which ones are taken, and the secret that is made of one.

import { within } from "../../limits.js";

/**
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {{salt: ArrayBuffer, memory: number, passes: number, lanes: number}} Cost memory: in KiB
 */

const SALT = 16;
/** Argon2id as RFC 9106 recommends it where memory is scarce (section 4, second choice). */
const COST = { memory: 65_536, passes: 3, lanes: 4 };
/** A phone that is busy needs seconds. */
const PATIENCE_MS = 60_000;
const FEWEST_DIFFERENT = 3;

/** @returns {Cost} for a PIN that is chosen now */
export function newCost() {
  return { ...COST, salt: crypto.getRandomValues(new Uint8Array(SALT)).buffer };
}

/**
 * Make the secret of a PIN. It costs memory and time, beside the page, so that trying many does.
 * @param {string} pin
 * @param {Cost} cost
 * @returns {Promise<Bytes>} 32 bytes
 */
export async function secretOf(pin, cost) {
  const url = new URL("../../worker/pin-secret.js", import.meta.url);
  const worker = new Worker(url, { type: "module", name: "pin" });
  const answered = new Promise((/** @type {(secret: Bytes) => void} */ resolve, reject) => {
    worker.onmessage = ({ data }) => (data.secret ? resolve(data.secret) : reject(new Error(data.message)));
    worker.onerror = (event) => reject(new Error(event.message || "The PIN could not be looked at."));
    worker.postMessage({ pin: pin.normalize("NFKC"), cost });
  });
  try {
    return await within(PATIENCE_MS, answered, "Looking at the PIN");
  } finally {
    worker.terminate();
  }
}

/**
 * Why a PIN is not taken.
 * @param {string} pin
 * @param {number} least so many characters
 * @returns {string} empty where it is
 */
export function whyNot(pin, least) {
  return whyNotPlain(pin.normalize("NFKC"), least);
}

/** @param {string} pin @param {number} least */
function whyNotPlain(pin, least) {
  if ([...pin].length < least) return `Use at least ${least} digits or letters.`;
  if (new Set(pin).size < FEWEST_DIFFERENT) return "Use at least three different digits: this one is among the first that anybody tries.";
  if (isRow(pin) || isRepeated(pin)) return "Do not use digits in a row or one group twice: that is among the first that anybody tries.";
  return "";
}

/** Whether each character follows the one before it, once or doubled: 456789, 987654, 890123, 112233. @param {string} pin */
function isRow(pin) {
  const codes = [...pin.replace(/(.)\1/gu, "$1")].map((each) => each.codePointAt(0) ?? 0);
  const steps = codes.slice(1).map((code, i) => code - codes[i]);
  // after a nine comes a nought
  return [[1, -9], [-1, 9]].some((row) => steps.every((step) => row.includes(step)));
}

/** Whether it is one group again and again: 123123. @param {string} pin */
function isRepeated(pin) {
  return `${pin}${pin}`.indexOf(pin, 1) < pin.length;
}
