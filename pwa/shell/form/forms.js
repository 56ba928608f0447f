// Forms: sent once, without leaving the page, with everything in them kept until that succeeded.

import { forgetDraft } from "./draft-store.js";
import { holdDrafts, keepDraft, putAside } from "./drafts.js";
import { pairsOf, startFormValues } from "./form-values.js";
import { announce, heardWaiting } from "../page/elements.js";
import { context } from "../page/context.js";
import { arrived, visit } from "../page/navigation.js";
import { holdPage, pending, settled } from "../page/pending.js";

const GONE = "That form is not there any more. What you typed is kept as a draft.";
/** Kinds of inputs that Enter presses. */
const BUTTONS = new Set(["submit", "button", "reset", "image", "file"]);

/**
 * Forms that are sent another way, by the path of their action.
 * @type {Map<string, (form: HTMLFormElement) => unknown>}
 */
const others = new Map();

/**
 * Take over the forms of all pages.
 * @param {Record<string, (form: HTMLFormElement) => unknown>} sentOtherwise by path
 */
export function startForms(sentOtherwise) {
  for (const [path, sendOther] of Object.entries(sentOtherwise)) others.set(path, sendOther);
  startFormValues();
  document.addEventListener("submit", onSubmit);
  // before the link is followed
  document.addEventListener("click", onCancel, { capture: true });
  document.addEventListener("keydown", onEnter);
}

/**
 * Enter in a field goes on to the next one, as a scanner and a phone's keyboard send it; in a search
 * it searches. It never saves.
 * @param {KeyboardEvent} event
 */
function onEnter(event) {
  const field = event.target;
  if (event.key !== "Enter" || event.isComposing || event.defaultPrevented) return;
  if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement)) return;
  const form = field.closest("form[data-record-form]");
  if (!form || BUTTONS.has(field.type)) return;
  event.preventDefault();
  const find = /** @type {HTMLElement | null} */ (field.closest(".find")?.querySelector("button") ?? null);
  if (find) find.click();
  else nextOf(form, field)?.focus();
}

/**
 * @param {Element} form
 * @param {Element} field
 * @returns {HTMLElement | undefined}
 */
function nextOf(form, field) {
  const controls = "input:not([type=hidden]), select, textarea, button:not(.visually-hidden)";
  const all = /** @type {HTMLElement[]} */ ([...form.querySelectorAll(controls)]);
  return all.slice(all.indexOf(/** @type {HTMLElement} */ (field)) + 1).find((each) => each.checkVisibility());
}

/** @param {SubmitEvent} event */
function onSubmit(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
  const url = new URL(form.action);
  const isNative = form.dataset.native !== undefined || url.pathname === "/sign-in";
  if (form.method === "dialog" || url.origin !== location.origin || isNative) return;
  event.preventDefault();
  const other = others.get(url.pathname);
  if (other) void other(form);
  else if (form.method === "get") void search(form, url);
  else void send(form, url, event.submitter);
}

/**
 * @param {HTMLFormElement} form
 * @param {URL} url
 */
function search(form, url) {
  const filled = pairsOf(form).filter(([, value]) => value !== "");
  const query = new URLSearchParams(filled).toString();
  return visit(url.pathname + (query && `?${query}`));
}

/**
 * @param {HTMLFormElement} form
 * @param {URL} url
 * @param {HTMLElement | null} submitter
 */
async function send(form, url, submitter) {
  if (form.dataset.busy !== undefined) return; // a second tap on Save
  form.dataset.busy = "";
  submitter?.setAttribute("aria-busy", "true");
  const sending = sendNow(form, url.pathname + url.search, pressedBy(submitter));
  // what was tapped before Python is there is done before one goes on
  if (context.device?.started) holdPage(sending);
  try {
    await sending;
  } catch (error) {
    console.info(error);
    announce("That could not be sent. Nothing you typed is lost; try again.", "problem");
  } finally {
    delete form.dataset.busy;
    submitter?.removeAttribute("aria-busy");
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} path
 * @param {[string, string][]} pressed
 * @returns {Promise<boolean>} whether it led to another page
 */
async function sendNow(form, path, pressed) {
  await settled();
  await pythonIsThere(form);
  if (!form.isConnected) {
    delete document.documentElement.dataset.loading;
    announce(GONE, "problem");
    return false;
  }
  const pairs = [...pairsOf(form), ...pressed];
  const { draft } = form.dataset; // of the form as Python shows it
  if (draft) return sendRecord(path, pairs, draft);
  return isDone(await visit(path, { method: "POST", body: new URLSearchParams(pairs).toString() }));
}

/** @param {import("../page/transport.js").Page | null} page */
function isDone(page) {
  return page !== null && page.status < 400;
}

/** What a button adds to its form. @param {HTMLElement | null} submitter @returns {[string, string][]} */
function pressedBy(submitter) {
  const button = submitter instanceof HTMLButtonElement ? submitter : null;
  return button?.name ? [[button.name, button.value]] : [];
}

/**
 * Wait for Python, while that starts, and for its form, with what was typed: what nobody typed is as it is now.
 * @param {HTMLFormElement} form
 */
async function pythonIsThere(form) {
  if (!context.device?.started) return;
  document.documentElement.dataset.loading = "";
  await heardWaiting(Promise.all([context.device.started, arrived()]));
  form.dataset.busy = ""; // its page has come anew
}

/**
 * @param {string} path
 * @param {[string, string][]} pairs
 * @param {string} draft
 * @returns {Promise<boolean>} whether it led to another page
 */
async function sendRecord(path, pairs, draft) {
  const action = pairs.findLast(([name]) => name === "_action")?.[1] ?? "save";
  const saves = action === "save";
  if (saves) holdDrafts();
  const page = await visit(path, {
    method: "POST",
    body: new URLSearchParams(pairs).toString(),
    headers: saves ? { "fieldpost-draft": draft } : {},
    // back leads to the list, not into the form that was just saved
    history: saves ? "replace" : "none",
  });
  // fault point: saved-draft-left — on a device the draft has ended with the save itself. Online it comes
  // back; it is the same envelope, so that saving it again leads to the record and makes no second one.
  if (saves && page?.redirected) await forgetDraft(draft);
  else await keepDraft();
  return Boolean(page?.redirected);
}

/** @param {MouseEvent} event */
function onCancel(event) {
  const link = event.target instanceof Element ? event.target.closest("a[data-cancel]") : null;
  const draft = link?.closest("form")?.dataset.draft;
  if (draft) void pending(putAside(draft));
}
