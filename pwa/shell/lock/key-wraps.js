// The key of what is kept, wrapped: only a secret opens it, and once opened it cannot be had as bytes.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes @typedef {"pin" | "passkey"} Way */

const NONCE = 12;
const CIPHER = "AES-GCM";

/**
 * Make a key for what is kept. It can be had as bytes, to be wrapped; `unwrapped` gives one that cannot.
 * @returns {Promise<CryptoKey>}
 */
export function newKey() {
  return crypto.subtle.generateKey({ name: CIPHER, length: 256 }, true, ["encrypt", "decrypt"]);
}

/**
 * Wrap a key.
 * @param {CryptoKey} key of `newKey`
 * @param {Bytes} secret 32 bytes that nobody can guess faster than by trying
 * @param {Way} way where the secret comes from: what is wrapped for one way opens by no other
 * @returns {Promise<ArrayBuffer>}
 */
export async function wrapped(key, secret, way) {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE));
  const made = await crypto.subtle.wrapKey("raw", key, await wrapping(secret), how(iv, way));
  const whole = new Uint8Array(NONCE + made.byteLength);
  whole.set(iv);
  whole.set(new Uint8Array(made), NONCE);
  return whole.buffer;
}

/**
 * Open what was wrapped.
 * @param {ArrayBuffer} whole
 * @param {Bytes} secret
 * @param {Way} way
 * @param {boolean} [toBeWrapped] whether the key may be had as bytes, once more
 * @returns {Promise<CryptoKey | null>} null: the secret is another
 */
export async function unwrapped(whole, secret, way, toBeWrapped = false) {
  const iv = new Uint8Array(whole, 0, NONCE);
  const rest = new Uint8Array(whole, NONCE);
  const kind = { name: CIPHER, length: 256 };
  try {
    return await crypto.subtle.unwrapKey("raw", rest, await wrapping(secret), how(iv, way), kind, toBeWrapped, ["encrypt", "decrypt"]);
  } catch (error) {
    // whatever else goes wrong says nothing of the secret
    if (error instanceof DOMException && error.name === "OperationError") return null;
    throw error;
  }
}

/** @param {Bytes} secret */
function wrapping(secret) {
  return crypto.subtle.importKey("raw", secret, CIPHER, false, ["wrapKey", "unwrapKey"]);
}

/** @param {Bytes} iv @param {Way} way */
function how(iv, way) {
  return { name: CIPHER, iv, additionalData: new TextEncoder().encode(`fieldpost key by ${way}`) };
}
