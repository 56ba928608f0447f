// The account menu closes as every menu does: by Escape, by a tap beside it, and when one goes on.

import { onPage } from "./document.js";

/** Let the menu close. */
export function startAccountMenu() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !close()) return;
    /** @type {HTMLElement | null} */ (document.querySelector("#account > summary"))?.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Element && !target.closest("#account")) close();
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element && !target.closest("#account, main")) close();
  });
  onPage((_, { same }) => void (same || close()));
}

/** @returns {boolean} whether it was open */
function close() {
  const menu = document.querySelector("details#account[open]");
  menu?.removeAttribute("open");
  return menu !== null;
}
