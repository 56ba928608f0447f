// Choosing a PIN: before anything is kept on a device whose app asks for one.

import { userName } from "../page/context.js";
import { showOwn } from "../page/document.js";
import { make } from "../page/elements.js";
import { canHave, newPasskey } from "./passkey.js";
import { whyNot } from "./pin.js";
import { pinField } from "./pin-field.js";
import { newLock, setPasskey, tryPin } from "./stored-lock.js";

/**
 * Have the person choose a PIN, and offer her a passkey.
 * @param {number} least characters
 * @returns {Promise<CryptoKey>}
 */
export function choosePin(least) {
  return new Promise((resolve) => {
    const { field, input } = pinField("New PIN", "new-pin", `At least ${least} digits; letters make it stronger.`);
    const again = pinField("The same PIN again", "pin-again");
    const problem = make("p", { class: "problem", role: "alert" });
    const button = make("button", { class: "button primary" }, "Go on");
    const form = make("form", {}, problem, field, again.field, make("div", { class: "form-actions" }, button));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = whyNot(input.value, least) || (input.value === again.input.value ? "" : "The two are not the same. Type your PIN twice.");
      if (problem.textContent) {
        input.focus();
        return;
      }
      button.disabled = true;
      try {
        const pin = input.value;
        const key = await newLock(pin);
        await offerPasskey(pin).catch((error) => console.info(error)); // the PIN opens it
        resolve(key);
      } catch (error) {
        console.info(error);
        problem.textContent = "The PIN could not be kept on this device. Try again.";
        button.disabled = false;
      }
    });
    showOwn(
      "Choose a PIN",
      make("p", {}, "What you work with is kept encrypted on this device. You type this PIN when you open the app, with and without a connection."),
      make("p", {}, "Nobody can look it up. Without it, what is not at the office yet is lost: choose one that you will know."),
      form,
    );
    input.focus();
  });
}

/** @param {string} pin that was just chosen */
async function offerPasskey(pin) {
  if (!(await canHave())) return;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const problem = make("p", { class: "problem", role: "alert" });
    const take = async () => {
      try {
        const made = await newPasskey(userName());
        const { key } = await tryPin(pin, { toBeWrapped: true });
        if (key) await setPasskey(key, made);
        resolve();
      } catch (error) {
        console.info(error);
        problem.textContent = "That did not work here. You can try again, or go on with the PIN alone.";
      }
    };
    showOwn(
      "Open it without typing?",
      make("p", {}, "A fingerprint, your face or a security key can open the app, too. Your PIN works as well, always."),
      problem,
      make(
        "div",
        { class: "form-actions" },
        make("button", { type: "button", class: "button primary", onclick: () => void take() }, "Use it"),
        make("button", { type: "button", class: "button", onclick: resolve }, "Go on with the PIN alone"),
      ),
    );
  });
}
