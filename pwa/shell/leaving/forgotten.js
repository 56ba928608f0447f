// A device that nobody can open any more: what is kept on it is removed, after a typed word or too many wrong PINs.

import { ask, make } from "../page/elements.js";
import { whatIsHere } from "../device/owner.js";
import { deviceHere, endSession, showResult } from "../device/sign-out.js";
import { removeDataOf } from "../device/wipe.js";
import { showOwn } from "../page/document.js";

const WORD = "delete";

/**
 * Offer to remove everything.
 * @param {string} why in words
 * @param {() => void} end ends Python, which starts meanwhile
 * @returns {Promise<void>} comes back where the person would rather not
 */
export async function forget(why, end) {
  const here = await whatIsHere();
  const count = here.pending + here.stuck + here.drafts.filter(([, draft]) => !here.owner || draft.user === here.owner).length;
  const isWanted = await ask("Remove everything from this device?", (/** @type {(value: boolean) => void} */ finish) => content(why, count, finish), false);
  if (isWanted) await wipeHere(end);
}

/**
 * @param {string} why
 * @param {number} count
 * @param {(value: boolean) => void} finish
 */
function content(why, count, finish) {
  const lost = count === 1 ? "One thing that is not at the office yet is lost with it." : `${count} things that are not at the office yet are lost with it.`;
  const typed = make("input", { id: "remove-word", autocomplete: "off", autocapitalize: "none" });
  const remove = make("button", { type: "button", class: "button danger", disabled: true, onclick: () => finish(true) }, "Remove everything");
  typed.addEventListener("input", () => (remove.disabled = typed.value.trim().toLowerCase() !== WORD));
  return [
    make("p", {}, why || "Nobody can look up a PIN, and nobody opens what is kept here without it."),
    make("p", {}, count ? lost : "Everything that was saved here is at the office: nothing is lost."),
    make("p", {}, "Afterwards you sign in, with a connection, and begin anew."),
    make("div", { class: "field" }, make("label", { for: "remove-word" }, `To remove everything, type “${WORD}”`), typed),
    make("div", { class: "form-actions" }, remove, make("button", { type: "button", class: "button", onclick: () => finish(false) }, "Go back")),
  ];
}

/**
 * Remove everything, at once.
 * @param {() => void} end ends Python, which starts meanwhile
 * @returns {Promise<void>} never: nothing is left to come back to
 */
export async function wipeHere(end) {
  end();
  const { owner, drafts } = await whatIsHere();
  const isAlone = !drafts.some(([, draft]) => draft.user && draft.user !== owner);
  const device = isAlone ? await deviceHere() : ""; // what others have typed here stays
  showOwn("Removing…", make("p", { role: "status" }, "All that is kept here is being removed from this device."));
  // fault point: unopened-unremoved — everything is there and sealed: the page asks for the PIN again, and
  // counts on from where it was.
  const left = await removeDataOf(owner, { owner: true }).catch((error) => [`data of this app (${String(error)})`]);
  await endSession(left.length ? "" : device);
  showResult(left);
  await new Promise(() => {}); // the page says what happened
}
