// Drafts: what is typed into a record form is kept as it is typed, and comes back.

import { within } from "../../limits.js";
import { userName } from "../page/context.js";
import { announce, make, openForm } from "../page/elements.js";
import { onMoved, visit } from "../page/navigation.js";
import { onPage } from "../page/document.js";
import { beforeSettled, pending } from "../page/pending.js";
import { addressOf, damagedDrafts, draftsOf, forgetOld, moveDrafts, putDraft, renewDraft, takeBack, throwAway } from "./draft-store.js";
import { pairsOf } from "./form-values.js";
import { isFull } from "../../stored-files.js";

/** While somebody types without a pause the draft is never older than this. */
const WAIT_MS = 300;
const HOLDING_MS = 2_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** Key of the draft that was brought back last. */
let restored = "";
/** Key of the draft that was thrown away last, while it is offered back. */
let thrown = "";
/** Ends this tab's hold of the form that is open. */
let release = () => {};
/** The key that this tab holds. */
let held = "";

/** Keep drafts from now on. */
export function startDrafts() {
  for (const type of ["input", "change"]) document.addEventListener(type, onInput);
  document.addEventListener("visibilitychange", () => document.hidden && flush());
  window.addEventListener("pagehide", flush);
  // a link that is tapped right after the last key must not be quicker than the draft
  beforeSettled(flush);
  onPage((_, { fresh, isKept }) => void (isKept ? holdOpen() : bringBack(fresh)).catch((error) => console.info(error)));
  onPage((main, { isKept }) => void (isKept || offerBack(main)));
  onMoved(move);
  void forgetOld().catch((error) => console.info(error));
}

/** @param {Event} event */
function onInput(event) {
  const field = event.target;
  const form = field instanceof Element && field.closest("form[data-draft]");
  if (!form) return;
  timer ??= setTimeout(flush, WAIT_MS);
  // a picture or a signature is worth more than a key
  if (field instanceof HTMLInputElement && field.type === "hidden") flush();
}

function flush() {
  if (timer === undefined) return;
  void pending(keepDraft()).catch((error) => console.info(error));
}

/** Keep what the open form holds now. @returns {Promise<void>} */
export async function keepDraft() {
  holdDrafts();
  const form = openForm();
  const key = form?.dataset.draft;
  if (!form || !key) return;
  const fields = pairsOf(form).filter(([name]) => name !== "_action");
  const title = document.querySelector("main h1")?.textContent?.trim() ?? "";
  try {
    // fault point: draft-unkept — the draft before it is there, whole: what was typed within the last moment
    // is lost, and nobody was told that it was kept.
    await putDraft(key, { fields, saved_at: new Date().toISOString(), user: userName(), title });
  } catch (error) {
    console.info(error);
    const why = isFull(error) ? "this device has no space left" : "this browser does not store it";
    announce(`What you type cannot be kept: ${why}. Save soon.`, "problem");
  }
}

/** Stop the timer: the form is being saved, and a late draft would come back after it. */
export function holdDrafts() {
  clearTimeout(timer);
  timer = undefined;
}

/** Another tab may have the form that this one held. */
export function releaseDraft() {
  release();
  release = () => {};
  held = "";
}

/**
 * Hold a form, so that no other tab fills it in, too.
 * @param {string} key
 * @returns {Promise<boolean>} false: another tab has it open
 */
function hold(key) {
  if (key === held) return Promise.resolve(true);
  // without a secure context there are no locks
  if (!navigator.locks) return Promise.resolve(true);
  const asked = new Promise((/** @type {(isMine: boolean) => void} */ resolve) => {
    const taken = (/** @type {Lock | null} */ lock) => {
      resolve(lock !== null);
      if (lock === null) return undefined;
      releaseDraft();
      held = key;
      return new Promise((/** @type {(value?: unknown) => void} */ end) => (release = () => end()));
    };
    // fault point: draft-held — a tab that dies lets go of its form: its draft is offered to the next one.
    navigator.locks.request(`draft ${key}`, { ifAvailable: true }, taken).catch(() => resolve(true));
  });
  return within(HOLDING_MS, asked, "Holding the form").catch(() => true);
}

/** A form that was kept empty: Python brings back what else there is. */
async function holdOpen() {
  restored = "";
  const key = openForm()?.dataset.draft;
  if (key) await hold(key);
  else releaseDraft();
}

/**
 * When a form is opened that was left unfinished, fill it again.
 * @param {boolean} fresh
 */
async function bringBack(fresh) {
  const key = openForm()?.dataset.draft ?? "";
  if (!fresh) {
    if (key && key === restored) showNote(key);
    return;
  }
  restored = "";
  if (!key) {
    releaseDraft();
    return;
  }
  const found = await freeDraft(addressOf(key));
  if (openForm()?.dataset.draft !== key) return;
  if (found) await fillAgain(found, key);
  else await hold(key);
  await tellDamage(addressOf(key), found);
}

/**
 * @param {[string, import("./draft-store.js").Draft]} found
 * @param {string} key of the form that is open
 */
async function fillAgain(found, key) {
  // one that a former version kept has no id of its own yet
  const isFormer = key.includes("#") && !found[0].includes("#");
  const [mine, draft] = isFormer ? await renewDraft(found, key) : found;
  restored = mine;
  // the page keeps what a focused field holds; here the draft's value is to come
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  const body = new URLSearchParams([...draft.fields, ["_action", "show"]]).toString();
  await visit(addressOf(key), { method: "POST", body, history: "none" });
  announce("Your unsaved entries are back");
}

/**
 * Say that what was typed into this form before is damaged; the sync page says so until it is read.
 * @param {string} address
 * @param {[string, import("./draft-store.js").Draft] | null} found what was brought back
 */
async function tellDamage(address, found) {
  const damaged = [...(await damagedDrafts())].filter((key) => addressOf(key) === address);
  if (!damaged.length) return;
  const isPart = found !== null && damaged.includes(found[0]);
  const words = isPart ? "Part of what you had typed here" : "What you had typed here before";
  announce(`${words} was damaged on this device and is lost. Look through the form.`, "problem");
}

/**
 * The newest draft of a form that no other tab has open; it is held from now on.
 * @param {string} address
 */
async function freeDraft(address) {
  for (const found of await draftsOf(address)) {
    if (await hold(found[0])) return found;
  }
  return null;
}

/** @param {string} key */
function showNote(key) {
  const form = openForm();
  if (!form || document.getElementById("draft-note")) return;
  const discard = async () => {
    await putAside(key);
    restored = "";
    await visit(addressOf(key), { history: "none" });
  };
  const button = make("button", { class: "button quiet", type: "button", onclick: () => void discard() }, "Start afresh");
  const words = make("span", {}, "Your unsaved entries are back");
  form.before(make("p", { id: "draft-note", class: "notice" }, words, " ", button));
}

/**
 * Throw a draft away, with a way back on the next page.
 * @param {string} key
 */
export async function putAside(key) {
  if (timer !== undefined) await keepDraft();
  if (await throwAway(key)) thrown = key;
  releaseDraft();
}

/** Offer the draft back that was thrown away last. @param {HTMLElement} main */
function offerBack(main) {
  const key = thrown;
  if (!key || document.getElementById("draft-undo")) return;
  thrown = "";
  const undo = async () => {
    await takeBack(key);
    await visit(addressOf(key));
  };
  const button = make("button", { class: "button", type: "button", onclick: () => void undo() }, "Bring back");
  const words = make("span", {}, "What you had typed was put aside.");
  main.prepend(make("p", { id: "draft-undo", class: "notice", role: "status" }, words, " ", button));
}

/**
 * @param {string} from
 * @param {string} to
 */
async function move(from, to) {
  if (from.endsWith("/edit") && to.endsWith("/edit") && from !== to) await moveDrafts(from, to);
}
