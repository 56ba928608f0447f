// A kept form that is filled in before Python is there: it is a form of its own, and nothing of what was typed is
// lost when Python's takes its place.

import { openForm } from "../page/elements.js";
import { isSettled, settled } from "../page/pending.js";
import { ask } from "../page/transport.js";
import { hasComplaints } from "../form/complaints.js";
import { pairsOf } from "../form/form-values.js";
import { IDENTITY, isSame, OPENED, overlaid } from "./overlay.js";

/**
 * @typedef {import("../page/transport.js").Page} Page
 * @typedef {import("./overlay.js").Pairs} Pairs
 */

/** The kept form that is shown, and what it held before anybody typed. @type {{form: HTMLFormElement, pairs: Pairs} | null} */
let shown = null;

/**
 * Give a form the id of an envelope of its own: kept as it is, it would be shown again at each start, and two records
 * would be one.
 * @param {Document} page
 */
export function renew(page) {
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (page.querySelectorAll("form[data-draft]"))) {
    const field = form.querySelector(`input[name="${IDENTITY}"]`);
    const [address, former] = (form.dataset.draft ?? "").split("#");
    if (!field || !former) continue; // a repair goes on with its own
    const identity = crypto.randomUUID();
    field.setAttribute("value", identity);
    form.dataset.draft = `${address}#${identity}`;
  }
}

/** A kept page is on the screen: remember what its form holds. */
export function noteShown() {
  const form = openForm();
  shown = form && { form, pairs: pairsOf(form) };
}

/** Whether somebody has typed into the kept form that is shown, or chosen what could not be taken. */
export function isTouched() {
  return shown !== null && openForm() === shown.form && (hasComplaints() || !isSame(pairsOf(shown.form), shown.pairs));
}

/**
 * Return what is to be shown in the place of a kept page: Python's page, or its form with what was typed meanwhile.
 * @param {Page} page what Python answers
 * @returns {Promise<{page: Page, fresh: boolean, ofThen?: boolean}>} fresh: nothing was typed; ofThen: its other values
 *   are those of before
 */
export async function withTyped(page) {
  for (;;) {
    await undisturbed();
    // what cannot be filled in any more is kept as a draft
    if (!shown || page.status !== 200 || !isTouched()) return { page, fresh: true };
    const typed = pairsOf(shown.form);
    const { pairs, ofThen } = merged(typed, shown.pairs, page);
    const body = new URLSearchParams([...pairs, ["_action", "show"]]).toString();
    const answer = await ask({ method: "POST", path: page.path, body }, () => {});
    // else she has gone on meanwhile
    if (isSame(pairsOf(shown.form), typed) && isSettled() && !openDialog()) return { page: { ...answer, redirected: page.redirected }, fresh: false, ofThen };
  }
}

/** Wait for what is going on in the form: a signature on its sheet, a picture that is made ready. */
async function undisturbed() {
  for (let dialog = openDialog(); dialog; dialog = openDialog()) {
    const open = dialog;
    await new Promise((resolve) => open.addEventListener("close", resolve, { once: true }));
  }
  await settled();
}

function openDialog() {
  return shown && document.querySelector("dialog[open]");
}

/**
 * What a form is to hold. Of a new record: what Python's holds by now (its day is today's), with what was typed on top.
 * Of a record that is there: all that is on the screen, with what it was opened on; saving compares these with the
 * record as it is then, as for a draft of yesterday.
 * @param {Pairs} typed
 * @param {Pairs} before
 * @param {Page} page
 * @returns {{pairs: Pairs, ofThen: boolean}} ofThen: the record has changed since
 */
function merged(typed, before, { html }) {
  const form = new DOMParser().parseFromString(html ?? "", "text/html").querySelector("form[data-record-form]");
  if (!(form instanceof HTMLFormElement)) return { pairs: typed, ofThen: false };
  const [now, opened] = [pairsOf(form), openedOn(typed)];
  if (!opened) return { pairs: overlaid(now, typed, before), ofThen: false };
  return { pairs: typed, ofThen: openedOn(now) !== opened };
}

/** What a form was opened on; empty for a new record. @param {Pairs} pairs */
function openedOn(pairs) {
  return pairs.find(([name]) => name === OPENED)?.[1] ?? "";
}
