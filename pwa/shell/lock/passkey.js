// A passkey of this device in the place of the PIN: the browser asks for a finger, a face or a key, and gives a
// secret that is always the same for it (WebAuthn level 3, extension `prf`). The office has no part in it.

import { within } from "../../limits.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes @typedef {{id: ArrayBuffer, salt: ArrayBuffer}} Passkey */

const [ID, SALT] = [32, 32];
const ASKING_MS = 2_000;
/** ES256, and RS256 for Windows. */
const KINDS = [-7, -257];

/** Whether this browser can have one here: passkeys are for names, not for numbers. @returns {Promise<boolean>} */
export function canHave() {
  if (!("PublicKeyCredential" in window) || /^[\d.]+$|:/.test(location.hostname)) return Promise.resolve(false);
  const asked = PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable();
  return within(ASKING_MS, asked, "Asking for passkeys").catch(() => false);
}

/**
 * Make one, and its secret.
 * @param {string} user whose device it is
 * @returns {Promise<{passkey: Passkey, secret: Bytes}>} rejects where there is none in the end
 */
export async function newPasskey(user) {
  const [id, salt] = [ID, SALT].map(random);
  const made = /** @type {PublicKeyCredential} */ (
    await navigator.credentials.create({
      publicKey: {
        rp: { id: location.hostname, name: document.title || "Fieldpost" },
        user: { id, name: `${user} (this device)`, displayName: `${user}, to open this device` },
        challenge: random(ID),
        pubKeyCredParams: KINDS.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
        extensions: { prf: { eval: { first: salt } } },
      },
    })
  );
  const passkey = { id: made.rawId, salt: salt.buffer };
  const { prf } = /** @type {any} */ (made.getClientExtensionResults());
  if (prf?.enabled === false || !prf) throw new Error("This kind of passkey keeps no secrets.");
  return { passkey, secret: await asKey(prf.results?.first ?? (await secretBytes(passkey))) };
}

/**
 * Ask for the secret of one.
 * @param {Passkey} passkey
 * @returns {Promise<Bytes>} rejects where the person did not show herself
 */
export async function secretOfPasskey(passkey) {
  return asKey(await secretBytes(passkey));
}

/** @param {Passkey} passkey @returns {Promise<ArrayBuffer>} */
async function secretBytes({ id, salt }) {
  const found = /** @type {PublicKeyCredential} */ (
    await navigator.credentials.get({
      publicKey: {
        rpId: location.hostname,
        challenge: random(ID),
        allowCredentials: [{ type: "public-key", id }],
        userVerification: "required",
        extensions: { prf: { eval: { first: salt } } },
      },
    })
  );
  const first = /** @type {any} */ (found.getClientExtensionResults()).prf?.results?.first;
  if (!first) throw new Error("This passkey gave no secret.");
  return first;
}

/** Use what the passkey gives for this only. @param {ArrayBuffer} given @returns {Promise<Bytes>} */
async function asKey(given) {
  const base = await crypto.subtle.importKey("raw", given, "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode("fieldpost: what is kept on this device");
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info }, base, 256));
}

/** @param {number} size */
function random(size) {
  return crypto.getRandomValues(new Uint8Array(size));
}
