// SHA-256, also where the browser keeps its own from us: at addresses that are not secure.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const BLOCK = 64;
const ROUNDS = 64;

/** The first 32 bits of what follows the point of a number. @param {number} x */
const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const PRIMES = Array.from({ length: 312 }, (_, i) => i).filter((n) => n > 1 && !Array.from({ length: n }, (_, i) => i).some((d) => d > 1 && n % d === 0));
const CONSTANTS = Int32Array.from(PRIMES.slice(0, ROUNDS), (prime) => fraction(Math.cbrt(prime)));
const BEGIN = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/** @param {Bytes} bytes @returns {Promise<string>} in hexadecimal digits */
export async function digestOf(bytes) {
  const subtle = globalThis.crypto?.subtle;
  const digest = subtle ? new Uint8Array(await subtle.digest("SHA-256", bytes)) : ownDigest(bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FIPS 180-4. @param {Bytes} bytes @returns {Uint8Array} */
function ownDigest(bytes) {
  const state = Int32Array.from(BEGIN);
  const whole = bytes.byteLength - (bytes.byteLength % BLOCK);
  for (let at = 0; at < whole; at += BLOCK) mix(state, new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK));
  const rest = bytes.subarray(whole);
  const last = new Uint8Array(rest.byteLength < BLOCK - 8 ? BLOCK : 2 * BLOCK);
  last.set(rest);
  last[rest.byteLength] = 0x80;
  new DataView(last.buffer).setBigUint64(last.byteLength - 8, BigInt(bytes.byteLength) * 8n);
  for (let at = 0; at < last.byteLength; at += BLOCK) mix(state, new DataView(last.buffer, at, BLOCK));
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setInt32(i * 4, word));
  return new Uint8Array(digest.buffer);
}

/** @param {number} word @param {number} by */
const turned = (word, by) => (word >>> by) | (word << (32 - by));
const words = new Int32Array(ROUNDS);

/** @param {Int32Array} state @param {DataView} block */
function mix(state, block) {
  for (let i = 0; i < 16; i++) words[i] = block.getInt32(i * 4);
  for (let i = 16; i < ROUNDS; i++) {
    const [early, late] = [words[i - 15], words[i - 2]];
    const low = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const high = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    words[i] = words[i - 16] + low + words[i - 7] + high;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < ROUNDS; i++) {
    const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + CONSTANTS[i] + words[i]) | 0;
    const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}
