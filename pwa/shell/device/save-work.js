// Saves all work that the office does not have as an encrypted file, when its user leaves.

import { ask, make } from "../page/elements.js";
import { LEAST_CHARACTERS, seal, unseal } from "../work/sealed-file.js";
import { handOut, packedWork } from "./export.js";

/** @typedef {{passphrase: string} | null} Chosen */

/**
 * Ask for a passphrase, make the file, and hand it to the person.
 * @returns {Promise<boolean | null>} whether she says that she has it; null: she goes back
 */
export async function saveSealed() {
  const chosen = await ask("Save as an encrypted file", choosing, /** @type {Chosen} */ (null));
  if (!chosen) return null;
  const { blob, name } = await packedWork();
  const sealed = await seal(blob, chosen.passphrase);
  // what cannot be opened again would be lost: it is opened once before anything is removed
  const again = await unseal(sealed, chosen.passphrase);
  if (again.size !== blob.size) throw new Error("the file could not be read back");
  const called = name.replace(/\.zip$/, ".fieldpost");
  handOut(sealed, called);
  return ask("Is the file there?", (finish) => looking(called, sealed, finish), false);
}

/** @param {(value: Chosen) => void} finish */
function choosing(finish) {
  const typed = make("input", { id: "passphrase", type: "password", autocomplete: "new-password", required: true, minlength: String(LEAST_CHARACTERS) });
  const again = make("input", { id: "passphrase-again", type: "password", autocomplete: "new-password", required: true });
  const problem = make("p", { class: "problem", role: "alert" });
  const form = make(
    "form",
    { method: "dialog" },
    make("p", {}, "Your work goes into a file that opens with a passphrase only. Choose one that nobody guesses, such as four words that do not belong together. Whoever forgets it cannot open the file, and nobody can help."),
    problem,
    make("div", { class: "field" }, make("label", { for: "passphrase" }, `Passphrase, at least ${LEAST_CHARACTERS} characters`), typed),
    make("div", { class: "field" }, make("label", { for: "passphrase-again" }, "The same again"), again),
    make(
      "div",
      { class: "form-actions" },
      make("button", { class: "button primary" }, "Make the file"),
      make("button", { class: "button", type: "button", onclick: () => finish(null) }, "Back"),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const isLong = [...typed.value].length >= LEAST_CHARACTERS;
    if (isLong && typed.value === again.value) return finish({ passphrase: typed.value });
    problem.textContent = isLong ? "The two are not the same." : `The passphrase needs at least ${LEAST_CHARACTERS} characters.`;
    (isLong ? again : typed).focus();
  });
  return [form];
}

/**
 * @param {string} name
 * @param {Blob} sealed
 * @param {(value: boolean) => void} finish
 */
function looking(name, sealed, finish) {
  const button = (/** @type {string} */ words, /** @type {() => void} */ act, style = "") =>
    make("button", { type: "button", class: `button ${style}`, onclick: act }, words);
  return [
    make("p", {}, "The browser has saved it as ", make("strong", {}, name), ". Look into its downloads before you go on: what is on this device is removed then."),
    make("p", {}, "To bring the work to the office, open “Hand in a file” with a connection: in the account menu, on any device of yours, or at the desk of a supervisor. It asks for the passphrase. Doing that twice does no harm."),
    make(
      "div",
      { class: "form-actions" },
      button("It is there: sign out", () => finish(true), "primary"),
      button("Save it once more", () => handOut(sealed, name)),
      button("Stay signed in", () => finish(false)),
    ),
  ];
}
