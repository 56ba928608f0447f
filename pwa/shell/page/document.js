// Puts a page that came as HTML into the document.

import { isSealing } from "../../sealing.js";
import { Idiomorph } from "../../vendor/idiomorph.js";
import { make, openForm } from "./elements.js";

/**
 * @typedef {{fresh: boolean, same: boolean, isKept?: boolean}} Shown
 * @typedef {(main: HTMLElement, how: Shown) => void} Enhancer
 */

/** @type {Enhancer[]} */
const enhancers = [];

/**
 * Hear of each page that is shown.
 * @param {Enhancer} enhancer gets the page's main element; fresh: the page was asked for, and is
 *   not what a form gave back; same: it is the page that was shown before; isKept: it was kept, and Python
 *   is still to say what it is now
 */
export function onPage(enhancer) {
  enhancers.push(enhancer);
}

/** Let everybody see the page that the document shows now. @param {Shown} how */
export function enhance(how) {
  const main = document.getElementById("main");
  if (main) enhancers.forEach((each) => each(main, how));
}

/**
 * Show a page.
 * @param {string} html
 * @param {{same: boolean, fresh: boolean, isKept?: boolean, prepare?: (page: Document) => void, isTakingOver?: boolean}} how
 *   same: it is the same page again, so focus and scroll stay; fresh, isKept: as for `onPage`; prepare: changes the
 *   page before; isTakingOver: it takes the place of the same page as it was kept, so that what a person has typed
 *   since stays, and what she has not typed is as it is now
 */
export function show(html, { same, fresh, isKept = false, prepare, isTakingOver = false }) {
  const next = new DOMParser().parseFromString(html, "text/html");
  prepare?.(next);
  document.title = titleOf(next);
  document.documentElement.lang = next.documentElement.lang || "en";
  document.documentElement.dir = next.documentElement.dir || "ltr";
  const other = next.getElementById("main");
  const main = document.getElementById("main");
  // another page gets an element of its own: nothing of the old one's state may shine through
  if (!same && other && main) main.replaceWith(document.importNode(other, true));
  Idiomorph.morph(document.body, next.body, {
    morphStyle: "outerHTML",
    ignoreActiveValue: same && !isTakingOver,
    callbacks: {
      beforeNodeMorphed: mayChange,
      beforeNodeRemoved: mayGo,
      beforeAttributeUpdated: (name, node, how) =>
        // what a person has opened stays open, whatever is new on the page
        !(same && name === "open" && how === "remove" && node instanceof HTMLDetailsElement) &&
        !(isTakingOver && name === "value" && isTyped(node)),
    },
  });
  document.querySelectorAll("form[data-busy]").forEach((form) => form.removeAttribute("data-busy"));
  enhance({ fresh, same, isKept });
}

/** Whether a person has typed into a control. @param {Element} node */
function isTyped(node) {
  return (node instanceof HTMLInputElement || node instanceof HTMLTextAreaElement) && node.value !== node.defaultValue;
}

/** Browsers keep the titles of pages: where what is kept is sealed they say nothing. @param {Document} next */
function titleOf(next) {
  const name = isSealing() ? next.querySelector(".brand")?.textContent : "";
  return name || next.title;
}

/** @param {Node} node */
function mayChange(node) {
  if (!(node instanceof Element)) return true;
  return node.id !== "status" && !(node instanceof HTMLDialogElement);
}

/** @param {Node} node */
function mayGo(node) {
  return !(node instanceof HTMLElement && (node.dataset.keep !== undefined || node.id === "status"));
}

/** Move the focus to where a new page begins, or to what is wrong in its form. */
export function focusPage() {
  const form = openForm();
  const wanted = form?.dataset.focus && document.getElementById(form.dataset.focus);
  const control = "input:not([type=hidden], [type=checkbox]), select, textarea";
  const place =
    document.querySelector("main [aria-invalid='true']") ??
    (wanted && (wanted.matches(`${control}, [type=checkbox]`) ? wanted : wanted.querySelector(control))) ??
    document.querySelector("main .problem-summary, main h1");
  if (!(place instanceof HTMLElement)) return;
  const isField = place.matches("input, select, textarea");
  if (!isField) place.tabIndex = -1;
  place.focus({ preventScroll: !isField });
}

/** Called when the shell takes the screen. @type {(() => void)[]} */
const yielders = [];

/** Hear when the shell shows a page of its own. @param {() => void} yielder */
export function onOwn(yielder) {
  yielders.push(yielder);
}

/** Show a page of the shell's own. @param {string} title @param {...(Node | string)} content */
export function showOwn(title, ...content) {
  yielders.forEach((each) => each());
  document.title = title;
  const main = make("main", { id: "main", class: "shell-page" }, make("h1", { tabindex: "-1" }, title), ...content);
  const status = make("div", { id: "status", role: "status", "aria-live": "polite" });
  document.body.replaceChildren(status, main);
  document.body.dataset.home = "shell";
  main.querySelector("h1")?.focus();
}
