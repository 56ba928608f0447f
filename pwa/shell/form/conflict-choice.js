// Mine, theirs, before: a tap puts that version of a field into its control, whatever kind it is.
// What cannot be put here (a row that is not among the choices) is left to the form's own button.

import { hiddenOf, refer } from "./attachments.js";

const ATTACHMENTS = new Set(["signature", "photo", "photos", "file"]);

/** Take over the buttons of fields in question. */
export function startChoosing() {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button.version") : null;
    const field = fieldOf(button);
    if (field && button instanceof HTMLElement && put(field, button.dataset.text ?? "")) event.preventDefault();
  });
  for (const type of ["input", "change"]) {
    document.addEventListener(type, (event) => press(fieldOf(event.target)));
  }
}

/** @param {EventTarget | null} inside @returns {HTMLElement | null} the field, if it is in question */
function fieldOf(inside) {
  const field = inside instanceof Element ? inside.closest(".field.in-question") : null;
  return /** @type {HTMLElement | null} */ (field);
}

/**
 * Put a version into the field's control.
 * @param {HTMLElement} field
 * @param {string} text
 * @returns {boolean} whether the control can hold it
 */
function put(field, text) {
  const kind = field.dataset.kind ?? "";
  if (ATTACHMENTS.has(kind)) return putAttachments(field, text);
  if (kind === "links") return putLinks(field, text);
  const control = controlOf(field);
  if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = text === "true";
  else if (control && canHold(control, text)) control.value = text;
  else return false;
  tell(control);
  return true;
}

/** @param {HTMLElement} field @param {string} text */
function putAttachments(field, text) {
  const widget = /** @type {HTMLElement | null} */ (field.querySelector("[data-attachment]"));
  if (!widget) return false;
  // where nothing is signed there is a place to draw; it goes when there is a signature
  if (text) widget.querySelectorAll("canvas, canvas + button").forEach((each) => each.remove());
  refer(widget, listOf(text));
  return true;
}

/** @param {HTMLElement} field @param {string} text */
function putLinks(field, text) {
  const wanted = new Set(linksOf(text));
  const boxes = boxesOf(field);
  const offered = new Set(boxes.map(({ value }) => normal(value)));
  if (restOf(field).length || ![...wanted].every((each) => offered.has(each))) return false;
  for (const box of boxes) box.checked = wanted.has(normal(box.value));
  if (boxes[0]) tell(boxes[0]);
  return true;
}

/** Show which version the field holds now. @param {HTMLElement | null} field */
function press(field) {
  if (!field) return;
  const now = held(field);
  field.querySelectorAll("button.version").forEach((button) => {
    const text = /** @type {HTMLElement} */ (button).dataset.text ?? "";
    button.setAttribute("aria-pressed", String(comparable(field, text) === now));
  });
}

/** @param {HTMLElement} field */
function held(field) {
  const kind = field.dataset.kind ?? "";
  if (ATTACHMENTS.has(kind)) {
    const widget = /** @type {HTMLElement | null} */ (field.querySelector("[data-attachment]"));
    return widget ? comparable(field, hiddenOf(widget).value) : "";
  }
  if (kind === "links") {
    const ticked = boxesOf(field).filter(({ checked }) => checked);
    return [...ticked.map(({ value }) => normal(value)), ...restOf(field)].sort().join();
  }
  const control = controlOf(field);
  if (control instanceof HTMLInputElement && control.type === "checkbox") return String(control.checked);
  return comparable(field, control?.value ?? "");
}

/** @param {HTMLElement} field @param {string} text */
function comparable({ dataset }, text) {
  if (ATTACHMENTS.has(dataset.kind ?? "")) return JSON.stringify(listOf(text));
  if (dataset.kind === "links") return linksOf(text).sort().join();
  return text.replaceAll("\r\n", "\n");
}

/** @param {HTMLElement} field @returns {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement | null} */
function controlOf(field) {
  return field.querySelector("input:not([type=hidden], [type=search], [type=file]), select, textarea");
}

/** @param {HTMLElement} field @returns {HTMLInputElement[]} */
function boxesOf(field) {
  return [...field.querySelectorAll("input")].filter(({ type }) => type === "checkbox");
}

/**
 * Whether a control shows this text: one for dates empties itself for every other, and the hour
 * that clocks repeat needs a choice of its own.
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 * @param {string} text
 */
function canHold(control, text) {
  if (control instanceof HTMLSelectElement) return hasOption(control, text);
  const empty = /** @type {typeof control} */ (control.cloneNode());
  empty.value = text;
  return empty.value.replaceAll("\r\n", "\n") === text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
}

/** @param {HTMLElement} field @returns {string[]} the rows that are linked and have no box */
function restOf(field) {
  return linksOf(/** @type {HTMLInputElement | null} */ (field.querySelector("input[type=hidden]"))?.value ?? "");
}

/** @param {HTMLSelectElement} select @param {string} value */
function hasOption(select, value) {
  return [...select.options].some((option) => option.value === value);
}

/** @param {string} text @returns {any[]} */
function listOf(text) {
  const value = text ? JSON.parse(text) : [];
  return Array.isArray(value) ? value : [value];
}

/** @param {string} text @returns {string[]} */
function linksOf(text) {
  return listOf(text).map((key) => JSON.stringify(key));
}

/** @param {string} text the same JSON, however it is spaced */
function normal(text) {
  return JSON.stringify(JSON.parse(text));
}

/** Let drafts and the buttons know. @param {HTMLElement} control */
function tell(control) {
  control.dispatchEvent(new Event("input", { bubbles: true }));
}
