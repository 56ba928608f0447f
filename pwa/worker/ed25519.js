// Ed25519: the browser's own where it has it, else a small library that is loaded only then.

/** @type {{bytes: string, key: Promise<CryptoKey>} | null} */
let last = null;

/**
 * Say whether a signature is a key's over a message; never throws for what is not one.
 * @param {Uint8Array<ArrayBuffer>} publicKey 32 bytes
 * @param {Uint8Array<ArrayBuffer>} message
 * @param {Uint8Array<ArrayBuffer>} signature 64 bytes
 * @param {Pick<SubtleCrypto, "importKey" | "verify">} [subtle] another than the browser's, for tests
 * @returns {Promise<boolean>}
 */
export async function verify(publicKey, message, signature, subtle = crypto.subtle) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  let key;
  try {
    key = await imported(publicKey, subtle);
  } catch (error) {
    if (!isUnknownAlgorithm(error)) return false;
    const { verifyAsync } = await import("../vendor/ed25519.js");
    return verifyAsync(signature, message, publicKey).catch(() => false);
  }
  return subtle.verify("Ed25519", key, signature, message);
}

/**
 * A push has many receipts and one key.
 * @param {Uint8Array<ArrayBuffer>} publicKey
 * @param {Pick<SubtleCrypto, "importKey">} subtle
 * @returns {Promise<CryptoKey>}
 */
function imported(publicKey, subtle) {
  if (subtle !== crypto.subtle) return subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  const bytes = publicKey.join();
  if (last?.bytes !== bytes) {
    last = { bytes, key: subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]) };
  }
  return last.key;
}

/** @param {unknown} error */
function isUnknownAlgorithm(error) {
  return error instanceof DOMException && error.name === "NotSupportedError";
}
