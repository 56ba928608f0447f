// What a form sends: its values as text pairs, and a mark for what a control shows and cannot send.

import { onPage } from "../page/document.js";

/** Sent for half of a date and the like: Python reads it as none and says so at the field. */
const UNFINISHED = "(unfinished)";
/** Sent for half of a character: no text may hold it, and Python says where it stands. */
const HALF = "\uffff";

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Typed */

/** Let Python judge what is typed; without JavaScript the browser refuses what it cannot send. */
export function startFormValues() {
  onPage((main) => {
    for (const form of main.querySelectorAll("form")) {
      if (form.dataset.recordForm !== undefined) form.noValidate = true;
    }
  });
  document.addEventListener("input", (event) => settle(event.target));
  document.addEventListener("keydown", (event) => {
    // what could not be brought back is left empty on purpose
    if (event.key === "Backspace" || event.key === "Delete") settle(event.target);
  });
}

/** @param {EventTarget | null} control */
function settle(control) {
  if (control instanceof HTMLInputElement) delete control.dataset.unfinished;
}

/**
 * The values of a form as text pairs; files are referred to by their hidden fields.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} [submitter]
 * @returns {[string, string][]}
 */
export function pairsOf(form, submitter = null) {
  const instead = exceptions(form);
  /** @type {[string, string][]} */
  const pairs = [];
  for (const [name, value] of new FormData(form, submitter)) {
    if (typeof value === "string") pairs.push([name, instead.get(name) ?? value]);
  }
  return pairs;
}

/**
 * What is to be sent in the place of a control's value, by name.
 * @param {HTMLFormElement} form
 */
function exceptions(form) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const control of form.elements) {
    if (!isTyped(control) || !control.name) continue;
    if (isUnfinished(control)) found.set(control.name, UNFINISHED);
    // FormData would replace it without a word
    else if (/\p{Surrogate}/u.test(control.value)) {
      found.set(control.name, control.value.replace(/\p{Surrogate}/gu, HALF));
    }
  }
  return found;
}

/** @param {Element} control @returns {control is Typed} */
function isTyped(control) {
  return control instanceof HTMLTextAreaElement || (control instanceof HTMLInputElement && control.type !== "file");
}

/** @param {Typed} control */
function isUnfinished(control) {
  return control.validity.badInput || (control.dataset.unfinished !== undefined && !control.value);
}
