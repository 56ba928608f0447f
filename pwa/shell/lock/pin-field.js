// A field for a PIN: digits first on a phone's keyboard, letters by a tap, nothing kept by the browser.

import { make } from "../page/elements.js";

/**
 * @param {string} label
 * @param {string} name
 * @param {string} [hint]
 * @param {boolean} [hasLetters] whether the keyboard has letters at once
 * @returns {{field: HTMLElement, input: HTMLInputElement}}
 */
export function pinField(label, name, hint = "", hasLetters = false) {
  const id = `${name}-field`;
  // browsers offer to keep passwords, but no codes
  const input = make("input", { id, type: "password", inputmode: hasLetters ? "text" : "numeric", autocomplete: "one-time-code", autocapitalize: "none", maxlength: "64" });
  if (hint) input.setAttribute("aria-describedby", `${id}-hint`);
  const words = hint ? [make("p", { class: "hint", id: `${id}-hint` }, hint)] : [];
  const letters = make("button", { type: "button", class: "button quiet", "aria-label": `Letters for ${label}` }, "abc");
  letters.addEventListener("click", () => {
    input.inputMode = input.inputMode === "numeric" ? "text" : "numeric";
    letters.textContent = input.inputMode === "numeric" ? "abc" : "123";
    input.focus();
  });
  const row = make("div", { class: "with-button" }, input, ...(matchMedia("(pointer: coarse)").matches ? [letters] : []));
  return { field: make("div", { class: "field" }, make("label", { for: id }, label), ...words, row), input };
}
