// The page that opens a device: its PIN, or a passkey. Nothing of what is kept is shown before.

import { showOwn } from "../page/document.js";
import { make } from "../page/elements.js";
import { pause } from "../../limits.js";
import { secretOfPasskey } from "./passkey.js";
import { pinField } from "./pin-field.js";
import { tryPasskey, tryPin } from "./stored-lock.js";

/**
 * @typedef {import("./stored-lock.js").Lock} Lock
 * @typedef {{wipeAfter: number | null, forget: () => Promise<void>, wipe: () => Promise<void>}} Ways
 *   wipeAfter: so many wrong PINs remove everything; forget: offers to remove everything; wipe: does so
 */

/** The first wrong ones are slips of a finger. */
export const FREE = 3;
const SHORTEST_S = 5;
const LONGEST_S = 300;
const WARN_AT = 3;
const WORDS = "What you work with is kept encrypted on this device. Your PIN opens it, with and without a connection.";

/**
 * How long to wait after so many wrong PINs before the next one. It is waited on the page, at each start anew: no
 * clock shortens it.
 * @param {number} wrong
 * @returns {number} seconds
 */
export function waitAfter(wrong) {
  return wrong < FREE ? 0 : Math.min(LONGEST_S, SHORTEST_S * 2 ** (wrong - FREE));
}

/** @param {Lock} lock @param {Ways} ways */
function isOver({ wrong }, { wipeAfter }) {
  return wipeAfter !== null && wrong >= wipeAfter;
}

/**
 * Ask until the device is open.
 * @param {Lock} lock
 * @param {Ways} ways
 * @returns {Promise<CryptoKey>} never where everything is removed instead
 */
export function unlock(lock, ways) {
  return new Promise((resolve) => show(lock, ways, resolve));
}

/** @param {HTMLElement} button @param {string} words why it does nothing just now */
function sayBusy(button, words) {
  button.textContent = words;
  button.setAttribute("aria-disabled", "true");
}

/** @param {string} words @param {() => void} act */
function action(words, act) {
  return make("button", { type: "button", class: "button", onclick: act }, words);
}

/**
 * @param {Lock} lock
 * @param {Ways} ways
 * @param {(key: CryptoKey) => void} finish
 */
function show(lock, ways, finish) {
  const { pin, passkey } = lock;
  const { field, input } = pinField("PIN", "pin", "", pin?.hasLetters ?? false);
  const problem = make("p", { class: "problem", role: "alert" });
  const open = make("button", { class: "button primary" }, "Open");
  const form = make("form", {}, problem, field, make("div", { class: "form-actions" }, open));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (open.getAttribute("aria-disabled") !== "true" && input.value) void attempt();
  });
  const other = passkey ? [action("Use fingerprint, face or key", () => void byPasskey(passkey))] : [];
  const forget = action("I do not know it any more", () => void ways.forget());
  showOwn("Enter your PIN", make("p", {}, WORDS), form, make("div", { class: "form-actions" }, ...other, forget));
  input.focus();
  if (isOver(lock, ways)) void ways.wipe();
  else if (lock.begun) void afterWrong(lock, false);

  async function attempt() {
    sayBusy(open, "Opening…");
    problem.textContent = "";
    try {
      const found = await tryPin(input.value);
      input.value = "";
      if (found.key) return finish(found.key);
      if (isOver(found.lock, ways)) return await ways.wipe();
      return await afterWrong(found.lock, true);
    } catch (error) {
      console.info(error);
      problem.textContent = "The PIN could not be looked at. Try again; if that goes on, close the app and open it again.";
      return ready();
    }
  }

  /** @param {import("./passkey.js").Passkey} used */
  async function byPasskey(used) {
    try {
      const key = await tryPasskey(await secretOfPasskey(used));
      if (key) return finish(key);
    } catch (error) {
      console.info(error);
    }
    problem.textContent = "That did not open it. Try again, or type your PIN.";
    return undefined;
  }

  /** @param {Lock} now @param {boolean} isNow */
  async function afterWrong({ begun, wrong }, isNow) {
    const left = ways.wipeAfter === null ? Infinity : ways.wipeAfter - wrong;
    const what = isNow ? "That is not the PIN." : "";
    const warning = left <= WARN_AT ? ` ${left === 1 ? "One try is" : `${left} tries are`} left; then everything that is kept here is removed, and what is not at the office is lost.` : "";
    problem.textContent = `${what}${warning}`.trim();
    for (let rest = waitAfter(begun); rest > 0; rest--) {
      sayBusy(open, `Wait ${rest} ${rest === 1 ? "second" : "seconds"}`);
      await pause(1000);
    }
    ready();
  }

  function ready() {
    open.textContent = "Open";
    open.removeAttribute("aria-disabled");
    if (input.isConnected && document.activeElement === document.body) input.focus();
  }
}
