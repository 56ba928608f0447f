// At an address that is not secure browsers keep no app: all of it works, with a connection only.

import { make } from "../page/elements.js";
import { onPage, showOwn } from "../page/document.js";

const NEEDS = "Needs a connection at this address";
const CHOSEN = "fieldpost-online";

/** Let pages say what is true at this address. */
export function startInsecure() {
  if (isSecureContext) return;
  onPage((main) => main.querySelectorAll("[data-offline]").forEach((each) => (each.textContent = NEEDS)));
}

/**
 * Tell a field worker what this address can do and what not, once in each tab; then pages come from
 * the server.
 * @param {() => Promise<void>} leave signs out
 * @returns {boolean} false: the address is secure, or she knows
 */
export function showInsecure(leave) {
  if (isSecureContext || sessionStorage.getItem(CHOSEN)) return false;
  const button = (/** @type {string} */ words, /** @type {() => unknown} */ act, style = "") =>
    make("button", { type: "button", class: `button ${style}`, onclick: () => void act() }, words);
  showOwn(
    "Only with a connection",
    make("p", {}, "Here you can read, fill in and save everything as long as there is a connection to the office."),
    make("p", {}, "Without a connection nothing works here, and the app cannot be installed: this address begins with http://, and browsers keep apps only for addresses that begin with https://."),
    make("p", {}, "Ask your office for the address that begins with https://, and sign in there."),
    make("div", { class: "form-actions" }, button("Go on with a connection", goOn, "primary"), button("Sign out", leave)),
  );
  return true;
}

function goOn() {
  sessionStorage.setItem(CHOSEN, "yes");
  location.reload();
}
