// Leaving: a user's data goes with her, after her word where the office does not have all of it.

import { within } from "../../limits.js";
import { context, forgetSignedIn, userName } from "../page/context.js";
import { announce, ask, make } from "../page/elements.js";
import { showOwn } from "../page/document.js";
import { askFor } from "../../office.js";
import { visit } from "../page/navigation.js";
import { settled } from "../page/pending.js";
import { read } from "../../store.js";
import { lock, whatIsHere, withStore } from "./owner.js";
import { stopKeeping } from "../kept/kept-pages.js";
import { canSeal } from "../work/sealed-file.js";
import { exportButton } from "./export.js";
import { saveSealed } from "./save-work.js";
import { sync } from "./sync-button.js";
import { removeDataOf } from "./wipe.js";

/**
 * @typedef {import("./owner.js").Here} Here
 * @typedef {"sync" | "look" | "save" | "throw" | "stay"} Choice
 * @typedef {{pending: number, stuck: number, drafts: number}} Unsent
 */

const PATIENCE_MS = 4_000;
const WORD = "delete";
const MARK = "fieldpost_signed_out";
const FOR_LONG = "; path=/; max-age=31536000; SameSite=Strict";

/** Sign out: with this user's data, and with nobody else's. */
export async function signOut() {
  await within(PATIENCE_MS, settled(), "Keeping the draft").catch((error) => console.info(error));
  const user = userName();
  /** @type {Here} */
  let here;
  try {
    here = await whatIsHere();
    if (isAnything(unsentOf(here, user)) && !(await decide(user, ""))) return;
  } catch (error) {
    // what cannot be read may be work: nothing of it is removed
    console.info(error);
    announce(`What is on this device could not be read (${String(error)}). Nothing was removed; load the page again.`, "problem");
    return;
  }
  showOwn("Signing out…", make("p", {}, "Your data is being removed from this device."));
  if (context.device) await endPython();
  // fault point: sign-out-begun — nothing is removed: the app opens as before, and the person signs out
  // again.
  const isOwner = !here.owner || here.owner === user;
  // what others have typed here stays: the office must not have the browser remove everything
  const isAlone = !here.drafts.some(([, draft]) => draft.user && draft.user !== user);
  const device = isOwner && isAlone ? await deviceHere() : "";
  const left = await removeDataOf(user, { owner: isOwner }).catch((error) => [`data of this app (${String(error)})`]);
  if (!isOwner) await lock(true).catch((error) => console.info(error)); // the next start sees to it
  // fault point: session-ended-data-left — the data is gone; the session ends by time, or when somebody
  // signs in here.
  await endSession(left.length ? "" : device);
  showResult(left, isOwner ? "" : here.owner);
}

/** End Python, which would hold the data that is to be removed. */
export async function endPython() {
  await stopKeeping();
  const ending = context.device?.call("sign_out") ?? Promise.resolve();
  await within(PATIENCE_MS, ending, "Ending the app").catch((error) => console.info(error));
  context.device?.end();
  context.device = null;
}

/** @returns {Promise<string>} id of this device; empty where it has none */
export async function deviceHere() {
  const found = await withStore((db) => read(db, "session", "device")).catch(() => "");
  return typeof found === "string" ? found : "";
}

/**
 * What of a user the office does not have.
 * @param {Here} here
 * @param {string} user
 * @returns {Unsent}
 */
function unsentOf({ owner, pending, stuck, drafts }, user) {
  const mine = drafts.filter(([, draft]) => draft.user === user).length;
  const isOwner = !owner || owner === user;
  return { pending: isOwner ? pending : 0, stuck: isOwner ? stuck : 0, drafts: mine };
}

/** @param {Unsent} unsent */
function isAnything({ pending, stuck, drafts }) {
  return pending + stuck + drafts > 0;
}

/**
 * Let the person decide what is to become of what the office does not have.
 * @param {string} user
 * @param {string} why what the last attempt came to
 * @returns {Promise<boolean>} whether to go on
 */
async function decide(user, why) {
  const unsent = unsentOf(await whatIsHere(), user);
  if (!isAnything(unsent)) return true;
  const stay = /** @type {Choice} */ ("stay");
  const choice = await ask("Not everything is at the office", (finish) => choices(unsent, why, finish), stay);
  if (choice === "look") look();
  if (choice === "save") return saved(user);
  if (choice !== "sync") return choice === "throw";
  await sync();
  return decide(user, document.getElementById("status")?.textContent?.trim() ?? "");
}

/**
 * Save it as a file; whoever has that may go.
 * @param {string} user
 */
async function saved(user) {
  try {
    return (await saveSealed()) ?? decide(user, "");
  } catch (error) {
    console.info(error);
    return decide(user, `The file could not be made: ${String(error)}`);
  }
}

/** Show the page on which all that is not at the office can be sent, repaired or gone on with. */
function look() {
  if (context.device || document.body.dataset.fieldWorker !== "true") void visit("/sync");
  else location.assign("/sync"); // the app on this device opens there
}

/**
 * @param {Unsent} unsent
 * @param {string} why
 * @param {(value: Choice) => void} finish
 */
function choices(unsent, why, finish) {
  const typed = make("input", { id: "throw-word", autocomplete: "off", autocapitalize: "none" });
  const remove = make("button", { type: "button", class: "button danger", disabled: true, onclick: () => finish("throw") }, "Throw away and sign out");
  typed.addEventListener("input", () => (remove.disabled = typed.value.trim().toLowerCase() !== WORD));
  const button = (/** @type {Choice} */ choice, /** @type {string} */ words, style = "") =>
    make("button", { type: "button", class: `button ${style}`, onclick: () => finish(choice) }, words);
  const canSync = context.device && unsent.pending > 0;
  return [
    ...(why ? [make("p", { role: "status" }, why)] : []),
    make("ul", {}, ...wordsOf(unsent).map((words) => make("li", {}, words))),
    make("p", {}, "Signing out removes all of this from this device."),
    make(
      "div",
      { class: "form-actions" },
      ...(canSync ? [button("sync", "Sync first", "primary")] : []),
      button("look", unsent.stuck ? "Repair or look at it" : "Look at it", canSync ? "" : "primary"),
      canSeal() ? button("save", "Save as an encrypted file") : exportButton(),
      button("stay", "Stay signed in"),
    ),
    make("div", { class: "field" }, make("label", { for: "throw-word" }, `To throw this work away, type “${WORD}”`), typed),
    make("div", { class: "form-actions" }, remove),
  ];
}

/** @param {Unsent} unsent */
function wordsOf({ pending, stuck, drafts }) {
  return [
    ...(pending ? [`${pending === 1 ? "1 entry has" : `${pending} entries have`} not been sent to the office.`] : []),
    ...(stuck ? [`${stuck === 1 ? "1 entry needs" : `${stuck} entries need`} attention: a sync alone does not settle it.`] : []),
    ...(drafts ? [`${drafts === 1 ? "1 form is" : `${drafts} forms are`} filled in and not saved.`] : []),
  ];
}

/**
 * End the session on the server, now or at the next contact.
 * @param {string} [emptied] id of this device, where nothing is left on it, of anybody
 */
export async function endSession(emptied = "") {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const headers = { "Fieldpost-Shell": "1" };
  forgetSignedIn();
  // fault point: left-mark-unset — the server does not know that anybody has left: the session ends by
  // time, or when its user signs out again.
  document.cookie = leftCookie(emptied || "1");
  // the mark itself ends the session, with this request or with any later one
  const asked = askFor("/sign-out", { method: "POST", headers, signal }, { status: 204 });
  await within(PATIENCE_MS, asked, "Signing out").catch((error) => console.info(error));
}

/**
 * The mark that tells the server at the next contact that the session has ended.
 * @param {string} value
 */
function leftCookie(value) {
  const mark = `${MARK}=${value}${FOR_LONG}`;
  return location.protocol === "https:" ? `__Host-${mark}; Secure` : mark;
}

/**
 * Say truly what is left.
 * @param {string[]} left
 * @param {string} [owner] somebody else, whose data stays
 */
export function showResult(left, owner = "") {
  history.replaceState(null, "", "/");
  const again = make("p", {}, make("a", { class: "button", href: "/sign-in", "data-native": true }, "Sign in"));
  const words = owner
    ? `Signed out. Nothing of yours is left on this device. It keeps the data of ${owner}, who finds it after signing in.`
    : "Signed out. Nothing is left on this device.";
  if (left.length === 0) {
    showOwn("Signed out", make("p", { role: "status" }, words), again);
    return;
  }
  const trouble = `You are signed out, but this could not be removed: ${left.join(", ")}. Close all other tabs of this app, then clear the site's data in the browser's settings.`;
  showOwn("Signed out", make("p", { class: "problem", role: "alert" }, trouble), again);
}
