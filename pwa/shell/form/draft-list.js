// The sync page tells what was typed and not saved yet: it is work, too.

import { make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { momentWords } from "../page/moments.js";
import { refresh } from "../page/navigation.js";
import { addressOf, draftsOf, throwAway } from "./draft-store.js";

/** @typedef {import("./draft-store.js").Draft} Draft */

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
  place.hidden = drafts.length === 0;
  place.replaceChildren(make("h2", {}, "Not saved yet"), make("ul", { class: "entries" }, ...drafts.map(item)));
}

/** @param {[string, Draft]} draft */
function item([key, { title, saved_at: saved }]) {
  const name = title || addressOf(key);
  const putAside = () => void throwAway(key).then(refresh);
  return make(
    "li",
    { class: "entry", "data-state": "draft" },
    make("span", { class: "entry-title" }, make("a", { href: addressOf(key) }, name)),
    make("span", { class: "badge" }, "Draft"),
    make("span", { class: "entry-words" }, "Typed on this device and not saved. Open it to go on."),
    make("time", { datetime: saved }, momentWords(new Date(saved))),
    make(
      "div",
      { class: "actions" },
      make("a", { class: "button primary", href: addressOf(key), "aria-label": `Go on with ${name}` }, "Go on"),
      make("button", { type: "button", class: "button danger", onclick: putAside, "aria-label": `Throw away ${name}` }, "Throw away"),
    ),
  );
}
