// A field for a PIN: digits first on a phone's keyboard, nothing kept by the browser.

import { make } from "../page/elements.js";

/**
 * @param {string} label
 * @param {string} name
 * @param {string} [hint]
 * @returns {{field: HTMLElement, input: HTMLInputElement}}
 */
export function pinField(label, name, hint = "") {
  const id = `${name}-field`;
  // browsers offer to keep passwords, but no codes
  const input = make("input", { id, type: "password", inputmode: "numeric", autocomplete: "one-time-code", autocapitalize: "none", maxlength: "64" });
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const words = hint ? [make("p", { class: "hint", id: `${id}-hint` }, hint)] : [];
  return { field: make("div", { class: "field" }, make("label", { for: id }, label), ...words, input), input };
}
