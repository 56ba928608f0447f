// Choices that many rows of a form share: they come once, and each select gets them here.

import { onPage } from "../page/document.js";

/** Selects that are filled at once; the others when somebody goes to them. */
const AT_ONCE = 20;
const SHARED = "select[data-options]";

/** Fill the selects of all forms. */
export function startChoices() {
  onPage((main) => [...main.querySelectorAll(SHARED)].slice(0, AT_ONCE).forEach(fill));
  for (const type of ["pointerdown", "focusin"]) {
    document.addEventListener(type, ({ target }) => {
      if (target instanceof Element && target.matches(SHARED)) fill(target);
    });
  }
}

/** Give a select all its choices; the one that it holds stays. @param {Element} select */
function fill(select) {
  if (!(select instanceof HTMLSelectElement)) return;
  const list = document.getElementById(select.dataset.options ?? "");
  if (!(list instanceof HTMLTemplateElement) || select.options.length > list.content.childElementCount) return;
  const { value } = select;
  const offered = new Set([...list.content.querySelectorAll("option")].map((each) => each.value));
  // nothing, and a row that is no choice any more
  const own = [...select.options].filter((each) => !offered.has(each.value));
  select.replaceChildren(...own, list.content.cloneNode(true));
  select.value = value;
}
