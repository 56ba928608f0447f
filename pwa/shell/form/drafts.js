// Drafts: what is typed into a record form is kept as it is typed, and comes back.

import { database, userName } from "../page/context.js";
import { announce, make, openForm } from "../page/elements.js";
import { onMoved, visit } from "../page/navigation.js";
import { onPage } from "../page/document.js";
import { pending } from "../page/pending.js";
import { pairsOf } from "./form-values.js";
import { read, readAll, write } from "../../store.js";

/**
 * @typedef {{fields: [string, string][], saved_at: string, user: string}} Draft
 * @typedef {import("../../store.js").Operation} Operation
 */

const WAIT_MS = 300;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** Path of the draft that was brought back last. */
let restored = "";

/** Keep drafts from now on. */
export function startDrafts() {
  for (const type of ["input", "change"]) document.addEventListener(type, onInput);
  document.addEventListener("visibilitychange", () => document.hidden && flush());
  window.addEventListener("pagehide", flush);
  onPage((_, { fresh }) => void bringBack(fresh).catch((error) => console.info(error)));
  onMoved(move);
}

/** @param {Event} event */
function onInput(event) {
  const form = event.target instanceof Element && event.target.closest("form[data-draft]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(flush, WAIT_MS);
}

function flush() {
  if (timer === undefined) return;
  void pending(keepDraft()).catch((error) => console.info(error));
}

/** Keep what the open form holds now. @returns {Promise<void>} */
export async function keepDraft() {
  clearTimeout(timer);
  timer = undefined;
  const form = openForm();
  const path = form?.dataset.draft;
  if (!form || !path) return;
  const fields = pairsOf(form).filter(([name]) => name !== "_action");
  const draft = { fields, saved_at: new Date().toISOString(), user: userName() };
  try {
    await write(await database(), [["put", "drafts", path, draft]], { durability: "relaxed" });
  } catch (error) {
    console.info(error);
    announce("What you type cannot be kept: this device has no space left. Save soon.", "problem");
  }
}

/** Stop the timer: the form is being saved, and a late draft would come back after it. */
export function holdDrafts() {
  clearTimeout(timer);
  timer = undefined;
}

/**
 * Forget a draft and the pictures that were chosen for it.
 * @param {string} path
 */
export async function forgetDraft(path) {
  clearTimeout(timer);
  timer = undefined;
  const db = await database();
  const others = (await readAll(db, "drafts")).filter(([key]) => key !== path);
  const used = JSON.stringify(others);
  const staged = (await readAll(db, "staged")).filter(
    ([sha256, value]) => value.draft === path && !used.includes(String(sha256)),
  );
  /** @type {Operation[]} */
  const operations = staged.map(([sha256]) => ["delete", "staged", sha256]);
  await write(db, [...operations, ["delete", "drafts", path]], { durability: "relaxed" });
}

/**
 * When a form is opened that was left unfinished, fill it again.
 * @param {boolean} fresh
 */
async function bringBack(fresh) {
  const path = openForm()?.dataset.draft ?? "";
  if (!fresh) {
    if (path && path === restored) showNote(path);
    return;
  }
  restored = "";
  if (!path) return;
  /** @type {Draft | undefined} */
  const draft = await read(await database(), "drafts", path);
  if (!draft || draft.user !== userName() || openForm()?.dataset.draft !== path) return;
  restored = path;
  // the page keeps what a focused field holds; here the draft's value is to come
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  const body = new URLSearchParams([...draft.fields, ["_action", "show"]]).toString();
  await visit(path, { method: "POST", body, history: "none" });
  announce("Your unsaved entries are back");
}

/** @param {string} path */
function showNote(path) {
  const form = openForm();
  if (!form || document.getElementById("draft-note")) return;
  const discard = async () => {
    await forgetDraft(path);
    restored = "";
    await visit(path, { history: "none" });
  };
  const button = make("button", { class: "button quiet", type: "button", onclick: () => void discard() }, "Discard");
  const words = make("span", {}, "Your unsaved entries are back");
  form.before(make("p", { id: "draft-note", class: "notice" }, words, " ", button));
}

/**
 * A record got its real key: its draft goes with it.
 * @param {string} from
 * @param {string} to
 */
async function move(from, to) {
  if (!from.endsWith("/edit") || !to.endsWith("/edit") || from === to) return;
  const db = await database();
  const draft = await read(db, "drafts", from);
  if (draft) await write(db, [["put", "drafts", to, draft], ["delete", "drafts", from]]);
}
