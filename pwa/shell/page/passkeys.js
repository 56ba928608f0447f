// Passkeys: what the browser is asked for, and its answer as text for a form.

import { askOffice } from "../../office.js";

const PATIENCE_MS = 30_000;

/**
 * Take over the buttons that ask for a passkey: the form is sent once the browser has answered.
 */
export function startPasskeys() {
  document.addEventListener("submit", (event) => void onSubmit(event), { capture: true });
}

/** @param {SubmitEvent} event */
async function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.dataset.passkey === undefined) return;
  const field = form.elements.namedItem(form.dataset.field ?? "credential");
  if (!(field instanceof HTMLInputElement)) return;
  if (form.dataset.answered !== undefined) {
    // an answer is for one sending: its challenge is over then
    delete form.dataset.answered;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const problem = form.querySelector(".problem");
  say(problem, "");
  try {
    field.value = await answerOf(form);
    form.dataset.answered = "";
    form.requestSubmit(event.submitter instanceof HTMLButtonElement ? event.submitter : null);
  } catch (error) {
    say(problem, wordsOf(error, form.dataset.origin ?? ""));
  }
}

/**
 * Ask for what a form needs.
 * @param {HTMLFormElement} form with `data-passkey` (create or get), `data-options` and `data-origin`
 * @returns {Promise<string>} the browser's answer, as JSON
 */
export async function answerOf(form) {
  const { passkey, options = "", origin = "" } = form.dataset;
  if (!("credentials" in navigator) || location.origin !== origin) throw new Elsewhere();
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const headers = { Accept: "application/json", "Fieldpost-Shell": "1" };
  const pairs = [...new FormData(form)].filter(([name]) => name === "next");
  const body = new URLSearchParams(/** @type {[string, string][]} */ (pairs));
  const response = await askOffice(options, { method: "POST", headers, body, signal });
  const data = await response.json();
  if (!response.ok) throw new Said(data.error?.message ?? "");
  const made =
    passkey === "create"
      ? await navigator.credentials.create({ publicKey: forCreating(data) })
      : await navigator.credentials.get({ publicKey: forGetting(data) });
  return JSON.stringify(asData(/** @type {PublicKeyCredential} */ (made)));
}

/** The address that is open is not the one that passkeys are for. */
class Elsewhere extends Error {}

/** Something that the office has said in words. */
class Said extends Error {}

/**
 * Say why there is no answer.
 * @param {unknown} error
 * @param {string} origin where passkeys work
 * @returns {string}
 */
export function wordsOf(error, origin) {
  if (error instanceof Said && error.message) return error.message;
  if (error instanceof Elsewhere) {
    return `Passkeys work at ${origin} only, because browsers take them at an address with https, or at localhost. Open that address, or choose another way.`;
  }
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") return "This device has a passkey for you already.";
  if (name === "NotAllowedError") return "No passkey was chosen. Try again, or choose another way.";
  return "The passkey could not be asked for. Try again, or choose another way.";
}

/**
 * @param {Element | null} problem
 * @param {string} words
 */
function say(problem, words) {
  if (!(problem instanceof HTMLElement)) return;
  problem.textContent = words;
  problem.hidden = !words;
}

/**
 * @param {any} data
 * @returns {PublicKeyCredentialCreationOptions}
 */
function forCreating(data) {
  const user = { ...data.user, id: toBytes(data.user.id) };
  const excludeCredentials = (data.excludeCredentials ?? []).map(descriptor);
  return { ...data, challenge: toBytes(data.challenge), user, excludeCredentials };
}

/**
 * @param {any} data
 * @returns {PublicKeyCredentialRequestOptions}
 */
function forGetting(data) {
  const allowCredentials = (data.allowCredentials ?? []).map(descriptor);
  return { ...data, challenge: toBytes(data.challenge), allowCredentials };
}

/** @param {{id: string}} each */
function descriptor(each) {
  return { ...each, id: toBytes(each.id) };
}

/** @param {PublicKeyCredential} made */
function asData({ id, rawId, type, response }) {
  const { clientDataJSON } = response;
  const common = { clientDataJSON: toText(clientDataJSON) };
  if (response instanceof AuthenticatorAttestationResponse) {
    const attestationObject = toText(response.attestationObject);
    return { id, rawId: toText(rawId), type, response: { ...common, attestationObject } };
  }
  const { authenticatorData, signature, userHandle } = /** @type {AuthenticatorAssertionResponse} */ (response);
  const signed = { authenticatorData: toText(authenticatorData), signature: toText(signature) };
  const handle = userHandle ? { userHandle: toText(userHandle) } : {};
  return { id, rawId: toText(rawId), type, response: { ...common, ...signed, ...handle } };
}

/** @param {string} text in base64url */
function toBytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

/** @param {ArrayBuffer} buffer */
function toText(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
