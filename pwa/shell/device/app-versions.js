// The app's files on this device: fetched once, replaced only when the person agrees.

import { context, database } from "../page/context.js";
import { announce, make, openForm } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { forgetHalfFiles } from "../../half-files.js";
import { forgetVersionsBut, keepFiles } from "../../kept-files.js";
import { pause, within } from "../../limits.js";
import { askFor } from "../../office.js";
import { read } from "../../store.js";
import { isFull } from "../../stored-files.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * @typedef {(done: number, total: number) => void} Report
 */

const MANIFEST = "/assets/manifest.json";
/** The service worker has that long for what it is told; its store may take most of it. */
const PATIENCE_MS = 30_000;
/** Longer than this an update does not wait for what runs: a sync is stopped, and goes on afterwards. */
const IDLE_MS = 10_000;
/** Longer than this an update does not wait for a service worker to take its turn. */
const TURN_MS = 5_000;
/** A page that is still here so long after it was to be loaded anew is not loaded anew. */
const LOADING_MS = 20_000;
const NOT_UPDATED = "The update did not work. Nothing is lost: the app goes on as it is. Try again later.";
const NOT_LOADED = "The new version is here, but this page was not loaded again. Close the app and open it again; nothing is lost.";

/**
 * Return the version that this device shows, or null.
 * @returns {Promise<{manifest: Manifest, complete: boolean} | null>} complete: all files are here
 */
export async function keptVersion() {
  const marker = await read(await database(), "session", "shell");
  if (!marker) return null;
  const asked = caches.match(MANIFEST, { cacheName: `fieldpost-${marker.version}` });
  const found = await within(PATIENCE_MS, asked, "The caches");
  const manifest = await found?.json().catch(() => null); // one that is damaged is fetched anew
  return manifest ? { manifest, complete: marker.complete } : null;
}

/** Return the manifest of the server's version. @returns {Promise<Manifest>} */
export async function servedManifest() {
  const answer = await askFor(MANIFEST, { cache: "no-store" }, { type: "application/json" });
  return answer.json();
}

/**
 * Register the service worker, at every start: a browser may have forgotten it.
 * @returns {Promise<ServiceWorker>} the service worker, running
 */
export async function serviceWorker() {
  const { serviceWorker: all } = navigator;
  const registered = all.register("/sw.js", { type: "module", updateViaCache: "none" }).then(() => all.ready);
  const { active } = await within(PATIENCE_MS, registered, "The service worker");
  return /** @type {ServiceWorker} */ (active);
}

/**
 * Give the service worker a task.
 * @param {object} task
 * @returns {Promise<void>}
 */
async function tell(task) {
  const worker = await serviceWorker();
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise((/** @type {(value?: void) => void} */ resolve, reject) => {
    port1.onmessage = ({ data }) => (data.ok ? resolve() : reject(new Error(data.message)));
    worker.postMessage(task, [port2]);
  });
  return within(PATIENCE_MS, answered, "The service worker");
}

/**
 * Bring all files of a version onto the device; goes on where it stopped.
 *
 * Not by the service worker: browsers end what that does after minutes, and a line may be slow.
 * @param {Manifest} manifest
 * @param {Report} report
 */
export function precache(manifest, report) {
  return keepFiles(manifest, report);
}

/**
 * Show this version from now on.
 * @param {Manifest} manifest
 * @param {boolean} complete whether all its files are here
 */
export function useVersion(manifest, complete) {
  // fault point: marker-unset — the service worker writes the marker in one transaction: until then the
  // former version is shown.
  return tell({ do: "use", marker: { version: manifest.version, complete } });
}

/**
 * Whether this page is of a version: it may have been loaded before an update, or past the service
 * worker.
 * @param {Manifest} manifest
 */
export function isThisPageOf({ shell }) {
  const here = new URL(import.meta.url).pathname;
  return shell.some(({ url }) => url === here);
}

/** Load the page of the version that this device shows. @returns {Promise<never>} fails where none comes */
export async function loadKeptPage() {
  await serviceWorker(); // without it the server's page would come again, and again
  location.reload();
  await pause(LOADING_MS);
  throw new Error("The page was not loaded again. Close the app and open it again.");
}

/** @type {Promise<void> | null} */
let offering = null;

/** Look for a new version, bring it onto the device, and offer it. */
export function offerUpdate() {
  offering ??= offer().finally(() => (offering = null));
  return offering;
}

async function offer() {
  if (!context.device || !context.manifest || document.getElementById("update")) return;
  const served = await servedManifest();
  if (!(await bring(served, context.manifest.version))) return;
  const button = make("button", { type: "button", class: "button primary" }, "Update");
  button.addEventListener("click", () => void update(served, button));
  const words = make("span", {}, "A new version is ready.");
  const note = make("div", { id: "update", class: "notice update", "data-keep": true }, words, " ", button);
  const hideInForm = () => (note.hidden = openForm() !== null);
  onPage(hideInForm);
  hideInForm();
  document.getElementById("main")?.before(note);
}

/**
 * Bring a version onto the device, in the place of others that were offered and not taken.
 * @param {Manifest} served
 * @param {string} current the version that is shown
 * @returns {Promise<boolean>} whether it is another one
 */
async function bring(served, current) {
  const isNew = served.version !== current;
  try {
    if (isNew) await precache(served, () => {});
    else await forgetHalfFiles();
  } catch (error) {
    // what a worker saves goes before an update: none of it stays where there is no space for all of it
    if (isFull(error)) await Promise.all([forgetHalfFiles(), forgetVersionsBut([current])]);
    throw error;
  }
  await forgetVersionsBut([current, served.version]);
  return isNew;
}

/**
 * Show a new version; each wait in it ends, and what is next is said.
 * @param {Manifest} manifest
 * @param {HTMLButtonElement} button shows that it was heard: a sync that runs ends first
 */
async function update(manifest, button) {
  if (openForm()) return;
  const words = button.textContent;
  button.disabled = true;
  button.textContent = "Updating…";
  const problem = await start(manifest).catch((error) => (console.info(error), NOT_UPDATED));
  button.disabled = false;
  button.textContent = words;
  if (problem) announce(problem, "problem");
}

/**
 * @param {Manifest} manifest
 * @returns {Promise<string>} what went wrong; nothing where she has begun with something else meanwhile
 */
async function start(manifest) {
  await comeToRest();
  if (openForm() || !context.device) return "";
  await useVersion(manifest, true).catch((error) => unlessShown(manifest, error));
  // fault point: version-chosen — all files of the new version are here and the marker names it: this page
  // goes on with the old one, and the next start is the new one's.
  const asked = within(PATIENCE_MS, navigator.serviceWorker.getRegistration(), "The service worker");
  const registration = await asked.catch(() => null); // a new one takes its turn by itself
  await takeTurn(registration?.waiting ?? null).catch((error) => console.info(error)); // then it does so later
  if (openForm()) return "";
  location.reload();
  await pause(LOADING_MS);
  return NOT_LOADED;
}

/**
 * Let a service worker take the place of the former one, and wait for it: Chromium may lose, without an
 * answer or an error, what a page asks for while that happens.
 * @param {ServiceWorker | null} waiting
 */
async function takeTurn(waiting) {
  if (!waiting) return;
  const isDone = new Promise((/** @type {(value?: unknown) => void} */ done) => {
    waiting.addEventListener("statechange", () => ["activated", "redundant"].includes(waiting.state) && done());
  });
  waiting.postMessage({ do: "skip" });
  await within(TURN_MS, isDone, "The service worker");
}

/** What is asked of Python ends; a sync that takes longer than anybody waits is stopped. */
async function comeToRest() {
  const { device } = context;
  if (!device || (await device.idle(IDLE_MS))) return;
  const stopped = within(IDLE_MS, device.call("cancel"), "Stopping the sync");
  await stopped.catch((error) => console.info(error)); // it may have died: what is saved is kept
  await device.idle(IDLE_MS);
}

/**
 * It may have been done although nobody heard so in time.
 * @param {Manifest} manifest
 * @param {unknown} error
 */
async function unlessShown({ version }, error) {
  if ((await keptVersion())?.manifest.version !== version) throw error;
}
