// The dialog for one's own PIN: another one, and whether a passkey opens the device, too.

import { announce, ask, make } from "../page/elements.js";
import { context, userName } from "../page/context.js";
import { canHave, newPasskey } from "./passkey.js";
import { whyNot } from "./pin.js";
import { pinField } from "./pin-field.js";
import { FREE } from "./unlock.js";
import { changePin, setPasskey, storedLock, tryPin } from "./stored-lock.js";


/** Let the button of all pages open it. */
export function startOwnPin() {
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("[data-own-pin]")) void show().catch((error) => announce(String(error), "problem"));
  });
}

async function show() {
  const { lock } = await storedLock();
  if (!lock) return;
  const hasPasskey = Boolean(lock.passkey);
  const offersPasskey = hasPasskey || (await canHave());
  const done = await ask("Your PIN", (/** @type {(words: string) => void} */ finish) => [form(hasPasskey, offersPasskey, finish)], "");
  if (done) announce(done, "done");
}

/**
 * @param {boolean} hasPasskey
 * @param {boolean} offersPasskey
 * @param {(words: string) => void} finish
 */
function form(hasPasskey, offersPasskey, finish) {
  const least = context.manifest?.pin?.least ?? 6;
  const former = pinField("Your PIN", "former-pin");
  const next = pinField("New PIN", "new-pin", `Leave it empty to keep yours. At least ${least} digits; letters make it stronger.`);
  const again = pinField("The new PIN again", "pin-again");
  const byPasskey = make("input", { type: "checkbox", id: "by-passkey", checked: hasPasskey });
  const choice = make("label", { class: "check", for: "by-passkey" }, byPasskey, " Fingerprint, face or security key opens it, too");
  const problem = make("p", { class: "problem", role: "alert" });
  const button = make("button", { class: "button primary" }, "Save");
  const made = make(
    "form",
    { method: "dialog" },
    problem,
    former.field,
    next.field,
    again.field,
    ...(offersPasskey ? [make("div", { class: "field" }, choice)] : []),
    make("div", { class: "form-actions" }, button, make("button", { type: "button", class: "button", onclick: () => finish("") }, "Cancel")),
  );
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const wanted = { former: former.input.value, next: next.input.value, again: again.input.value, byPasskey: byPasskey.checked };
    const words = await save(wanted, hasPasskey, least).catch((error) => (console.info(error), "That did not work on this device. Lock the app and see which PIN opens it."));
    button.disabled = false;
    problem.textContent = words;
    if (!words) finish("Saved");
  });
  return made;
}

/**
 * @param {{former: string, next: string, again: string, byPasskey: boolean}} wanted
 * @param {boolean} hadPasskey
 * @param {number} least
 * @returns {Promise<string>} what is wrong, or nothing
 */
async function save({ former, next, again, byPasskey }, hadPasskey, least) {
  const words = next && whyNot(next, least);
  if (words) return words;
  if (next !== again) return "The two new ones are not the same.";
  const { key, lock } = await tryPin(former, { toBeWrapped: true });
  if (!key && lock.begun >= FREE) location.reload(); // there it is waited for
  if (!key) return "That is not your PIN.";
  if (next) await changePin(key, next);
  return byPasskey === hadPasskey ? "" : changePasskey(key, byPasskey, next ? "Your new PIN is kept. " : "");
}

/** @param {CryptoKey} key @param {boolean} isWanted @param {string} before what is done already */
async function changePasskey(key, isWanted, before) {
  try {
    await setPasskey(key, isWanted ? await newPasskey(userName()) : null);
    return "";
  } catch (error) {
    console.info(error);
    return `${before}No passkey was made. Your PIN opens the app, as before.`;
  }
}
