// Which way is quicker for this device's first start: the memory image or the packages.
//
// The image has more bytes; the packages have to be unpacked, imported and run once, which takes a
// phone longer than many megabytes. Seconds are those of the machine of `docs/performance.md`.

/**
 * @typedef {object} Seen
 * @property {number} image bytes on the wire of the image
 * @property {number} packages bytes on the wire of the packages
 * @property {number | null} rate bytes a second of this line; null where nobody knows
 * @property {number} speed of the processor; 1 is the machine whose seconds are below
 * @property {boolean} savesData the person wants few bytes
 */

/** Unpacking, importing and running the packages, and making a snapshot of one's own afterwards. */
const PACKAGES_S = 8;
/** Joining the image, keeping it and starting from it. */
const IMAGE_S = 1;
/** Of a line that nobody knows: 9 Mbit/s, a phone's in the country. */
const USUAL_RATE = 9e6 / 8;
const BITS = 1e6 / 8;
const ROUNDS = 2_000_000;
/** What the rounds take on that machine. */
const ROUNDS_MS = 4.5;

/** @param {Seen} seen */
export function isImageQuicker({ image, packages, rate, speed, savesData }) {
  if (savesData) return image <= packages;
  const line = rate || USUAL_RATE;
  return image / line + IMAGE_S / speed < packages / line + PACKAGES_S / speed;
}

/**
 * How many bytes a second this line brings: as was seen when a file came, else as the browser believes.
 * @param {string} url the address of a large file
 * @param {number} size its bytes on the wire; a browser does not say them of what a service worker passes on
 * @returns {number | null}
 */
export function lineRate(url, size) {
  const [came] = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName(new URL(url, location.href).href));
  const ms = came ? came.responseEnd - came.responseStart : 0;
  if (ms > 0) return (size / ms) * 1000;
  return (connection()?.downlink ?? 0) * BITS || null;
}

/** Whether the person has told the browser to save data. */
export function isSavingData() {
  return connection()?.saveData === true;
}

/** Some browsers say what they know of the line. @returns {{downlink?: number, saveData?: boolean} | undefined} */
function connection() {
  return /** @type {any} */ (navigator).connection;
}

/** How quick this processor is just now, measured in a moment. */
export function processorSpeed() {
  const begin = performance.now();
  let sum = 1;
  for (let i = 0; i < ROUNDS; i++) sum = Math.imul(sum ^ i, 0x01000193);
  const ms = performance.now() - begin;
  // the sum is looked at, or it would not be made; clocks of some browsers stand still for a while
  return sum === 0.5 || ms <= 0 ? 1 : ROUNDS_MS / ms;
}
