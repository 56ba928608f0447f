// Opens a device before anything of it is read: with its PIN, or by choosing one.

import { context } from "../page/context.js";
import { ask, make } from "../page/elements.js";
import { showOwn } from "../page/document.js";
import { isSealing, useKey } from "../../sealing.js";
import { choosePin } from "./choosing.js";
import { sealInPlace, sealLeftOpen } from "./seal-in-place.js";
import { pinField } from "./pin-field.js";
import { storedLock, tryPin } from "./stored-lock.js";
import { FREE, unlock } from "./unlock.js";

/**
 * @typedef {{forget: (why: string) => Promise<void>, wipe: () => Promise<void>,
 *   report: (done: number, total: number) => void}} Helpers
 *   forget: offers to remove everything, and comes back where nobody did; report: how much is sealed
 */

/**
 * Whether this device needs a key, and does not have it yet.
 * @returns {Promise<boolean>}
 */
export async function isClosed() {
  const { lock, isDamaged } = await storedLock();
  return Boolean(lock || isDamaged || context.manifest?.pin);
}

/**
 * Open it.
 * @param {Helpers} helpers
 * @returns {Promise<CryptoKey>} never where everything is removed instead
 */
export async function opening({ forget, wipe, report }) {
  const before = [...document.body.childNodes];
  const { lock, isDamaged } = await storedLock();
  if (isDamaged) await damaged(forget);
  const rule = context.manifest?.pin;
  const ways = { wipeAfter: rule?.wipe_after ?? null, forget: () => forget(""), wipe };
  const key = lock ? await unlock(lock, ways) : await choosePin(rule?.least ?? 6);
  useKey(key);
  document.body.replaceChildren(...before);
  if (lock?.isWhole) await sealLeftOpen();
  else await sealInPlace(report);
  return key;
}

/**
 * What says how it is opened is damaged: there is no way in any more.
 * @param {(why: string) => Promise<void>} forget
 */
async function damaged(forget) {
  for (;;) {
    await new Promise((resolve) => {
      showOwn(
        "This device cannot be opened",
        make("p", { role: "alert" }, "What its PIN is looked at with was damaged. Nothing that is kept here can be read any more."),
        make("div", { class: "form-actions" }, make("button", { type: "button", class: "button primary", onclick: resolve }, "Remove it and begin anew")),
      );
    });
    await forget("What its PIN is looked at with was damaged.");
  }
}

/**
 * Open what is kept for a page that has not: one that came from the office, or one that says that nothing started.
 * @param {string} why in words
 * @returns {Promise<boolean>} whether it is open; it is where nothing is sealed
 */
export async function openedHere(why) {
  const { lock, isDamaged } = await storedLock();
  if (isSealing() || (!lock && !isDamaged)) return true;
  if (!lock) return false;
  return ask("Enter your PIN", (/** @type {(isOpen: boolean) => void} */ finish) => [dialogForm(why, finish)], false);
}

/**
 * @param {string} why
 * @param {(isOpen: boolean) => void} finish
 */
function dialogForm(why, finish) {
  const { field, input } = pinField("PIN", "pin", "", true);
  const problem = make("p", { class: "problem", role: "alert" });
  const button = make("button", { class: "button primary" }, "Open");
  const cancel = make("button", { type: "button", class: "button", onclick: () => finish(false) }, "Cancel");
  const form = make("form", { method: "dialog" }, make("p", {}, why), problem, field, make("div", { class: "form-actions" }, button, cancel));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const { key, lock } = await tryPin(input.value);
    button.disabled = false;
    if (!key && lock.begun >= FREE) location.assign("/"); // there it is waited for
    useKey(key);
    if (key) finish(true);
    else problem.textContent = "That is not the PIN.";
  });
  return form;
}
