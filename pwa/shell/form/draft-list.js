// The sync page tells what was typed and not saved yet: it is work, too.

import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { momentWords } from "../page/moments.js";
import { refresh } from "../page/navigation.js";
import { addressOf, damagedDrafts, draftsOf, forgetDraft, throwAway } from "./draft-store.js";

/** @typedef {import("./draft-store.js").Draft} Draft */

const DAMAGED = "Part of what you typed was damaged on this device and is lost. Open it, look through it and go on.";

/** Fill the place for drafts of every page that has one. */
export function startDraftList() {
  onPage((main) => {
    const place = /** @type {HTMLElement | null} */ (main.querySelector("[data-draft-list]"));
    if (place) void fill(place).catch((error) => console.info(error));
  });
}

/** @param {HTMLElement} place */
async function fill(place) {
  const drafts = await draftsOf();
  const damaged = await damagedDrafts();
  const lost = [...damaged].filter((key) => !drafts.some(([other]) => other === key));
  place.hidden = drafts.length + lost.length === 0;
  const items = [...lost.map(lostItem), ...drafts.map((draft) => item(draft, damaged.has(draft[0])))];
  place.replaceChildren(make("h2", {}, "Not saved yet"), make("ul", { class: "entries" }, ...items));
}

/** What cannot be brought back is said until the worker has read it. @param {string} key */
function lostItem(key) {
  const forget = () => void forgetDraft(key).then(refresh);
  return make(
    "li",
    { class: "entry", "data-state": "attention" },
    make("span", { class: "entry-title" }, make("a", { href: addressOf(key) }, addressOf(key))),
    make("span", { class: "badge" }, "Lost"),
    make(
      "span",
      { class: "entry-words" },
      "What you had typed here was damaged on this device, and none of it can be brought back. Fill in the form again.",
    ),
    make(
      "div",
      { class: "actions" },
      make("a", { class: "button primary", href: addressOf(key) }, "Open the form"),
      make("button", { type: "button", class: "button", onclick: forget }, "I have read it"),
    ),
  );
}

/**
 * @param {[string, Draft]} draft
 * @param {boolean} isDamaged
 */
function item([key, { title, saved_at: saved }], isDamaged) {
  const name = title || addressOf(key);
  const putAside = () => void throwAway(key).then(refresh);
  return make(
    "li",
    { class: "entry", "data-state": "draft" },
    make("span", { class: "entry-title" }, make("a", { href: addressOf(key) }, name)),
    make("span", { class: "badge" }, "Draft"),
    make("span", { class: "entry-words" }, isDamaged ? DAMAGED : "Typed on this device and not saved. Open it to go on."),
    ...(saved ? [make("time", { datetime: saved }, momentWords(new Date(saved)))] : []),
    make(
      "div",
      { class: "actions" },
      make("a", { class: "button primary", href: addressOf(key), "aria-label": `Go on with ${name}` }, "Go on"),
      make("button", { type: "button", class: "button danger", onclick: putAside, "aria-label": `Throw away ${name}` }, "Throw away"),
    ),
  );
}
