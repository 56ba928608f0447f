// Leaving: removes everything from this device, and looks whether anything is left.

import { closeDatabase, context, database } from "../page/context.js";
import { ask, make } from "../page/elements.js";
import { showOwn } from "../page/document.js";
import { askFor } from "../../office.js";
import { readAll } from "../../store.js";
import { sync } from "./sync-button.js";

/** @typedef {"sync" | "throw" | "stay"} Choice */

const PATIENCE_MS = 4_000;
const WORD = "delete";
/** Tells the server at the next contact that the session has ended. */
const COOKIE = "fieldpost_signed_out=1; path=/; max-age=31536000; SameSite=Strict";

/**
 * Sign out.
 * @param {HTMLFormElement} form the menu's form, for where there is no device
 */
export async function signOut(form) {
  if (!context.device) {
    await removeAll();
    form.submit();
    return;
  }
  const waiting = await countWaiting();
  if (waiting > 0 && !(await decide(waiting))) return;
  showOwn("Signing out…", make("p", {}, "Everything is being removed from this device."));
  await context.device.call("sign_out").catch((error) => console.info(error));
  context.device.end();
  context.device = null;
  // fault point: sign-out-begun — nothing is removed: the app opens as before, and the person signs out
  // again.
  await endSession();
  // fault point: session-ended-data-left — the server knows, or the cookie tells it; the data is still here
  // under its user's name, who signs out again.
  showResult(await removeAll());
}

/** @returns {Promise<number>} envelopes that the office does not have */
async function countWaiting() {
  return (await readAll(await database(), "outbox")).filter(([, entry]) => entry.state !== "confirmed").length;
}

/**
 * @param {number} waiting
 * @returns {Promise<boolean>} whether to go on
 */
async function decide(waiting) {
  const stay = /** @type {Choice} */ ("stay");
  const choice = await ask("Not everything has been sent", (finish) => choices(waiting, finish), stay);
  if (choice !== "sync") return choice === "throw";
  await sync();
  const left = await countWaiting();
  return left === 0 || decide(left);
}

/**
 * @param {number} waiting
 * @param {(value: Choice) => void} finish
 */
function choices(waiting, finish) {
  const what = waiting === 1 ? "1 entry has" : `${waiting} entries have`;
  const typed = make("input", { id: "throw-word", autocomplete: "off", autocapitalize: "none" });
  const remove = make("button", { type: "button", class: "button danger", disabled: true, onclick: () => finish("throw") }, "Throw away and sign out");
  typed.addEventListener("input", () => (remove.disabled = typed.value.trim().toLowerCase() !== WORD));
  return [
    make("p", {}, `${what} not been sent to the office. Signing out removes everything from this device.`),
    make(
      "div",
      { class: "form-actions" },
      make("button", { type: "button", class: "button primary", onclick: () => finish("sync") }, "Sync first"),
      make("button", { type: "button", class: "button", onclick: () => finish("stay") }, "Stay signed in"),
    ),
    make("div", { class: "field" }, make("label", { for: "throw-word" }, `To throw this work away, type “${WORD}”`), typed),
    make("div", { class: "form-actions" }, remove),
  ];
}

/** End the session on the server, now or at the next contact. */
async function endSession() {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const headers = { "Fieldpost-Shell": "1" };
  try {
    await askFor("/sign-out", { method: "POST", headers, signal }, { status: 204 });
  } catch {
    // fault point: left-mark-unset — the server does not know that anybody has left: the session ends by
    // time, or when its user signs out again.
    document.cookie = COOKIE;
  }
}

/** Remove everything. @returns {Promise<string[]>} what is left */
async function removeAll() {
  await closeDatabase();
  const registrations = (await navigator.serviceWorker?.getRegistrations()) ?? [];
  await Promise.all(registrations.map((each) => each.unregister()));
  const names = await caches.keys();
  await Promise.all(names.map((name) => caches.delete(name)));
  // fault point: wipe-half-done — the app's files are gone, the data is not, nor does it say 'Signed out':
  // the next start fetches the files, shows whose data it is, and offers to sign out.
  const databases = await indexedDB.databases();
  await Promise.all(databases.map(({ name }) => deleteDatabase(name ?? "")));
  localStorage.clear();
  sessionStorage.clear();
  return whatIsLeft();
}

/** @param {string} name */
function deleteDatabase(name) {
  // fault point: database-undeleted — the browser deletes all of a database or nothing: after a crash it is
  // whole, and is deleted at the next sign-out.
  const deleting = indexedDB.deleteDatabase(name);
  return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const done = () => resolve();
    deleting.onsuccess = done;
    deleting.onerror = done;
    setTimeout(done, PATIENCE_MS); // another tab holds it; said below
  });
}

/** @returns {Promise<string[]>} */
async function whatIsLeft() {
  const databases = (await indexedDB.databases()).map(({ name }) => `database ${name}`);
  const kept = (await caches.keys()).map((name) => `cache ${name}`);
  const workers = (await navigator.serviceWorker?.getRegistrations()) ?? [];
  const stored = localStorage.length + sessionStorage.length ? ["browser storage"] : [];
  return [...databases, ...kept, ...workers.map(() => "service worker"), ...stored];
}

/** @param {string[]} left */
function showResult(left) {
  history.replaceState(null, "", "/");
  const again = make("p", {}, make("a", { class: "button", href: "/sign-in", "data-native": true }, "Sign in"));
  if (left.length === 0) {
    showOwn("Signed out", make("p", { role: "status" }, "Signed out. Nothing is left on this device."), again);
    return;
  }
  const words = `You are signed out, but this could not be removed: ${left.join(", ")}. Close all other tabs of this app, then clear the site's data in the browser's settings.`;
  showOwn("Signed out", make("p", { class: "problem", role: "alert" }, words), again);
}
