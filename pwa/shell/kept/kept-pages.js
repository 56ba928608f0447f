// The pages that were seen last, kept with the device's data: a start shows them before Python is there. They are
// a copy of what Python has made and can make again: whatever becomes of them, nothing is lost.

import { context, database } from "../page/context.js";
import { nameOf, PLACES, SHELF } from "../../page-places.js";
import { within } from "../../limits.js";
import { read, write } from "../../store.js";
import { mayBeKept, MOST_OF_ONE, placed, shelfOf, withoutOthers } from "./shelf.js";

/**
 * @typedef {import("./shelf.js").Kept} Kept
 * @typedef {import("./shelf.js").Shelf} Shelf
 * @typedef {import("../../store.js").Operation} Operation
 * @typedef {{from: string, after: string}} Mark what a page shows: these rows, and the outbox as it was after this
 * @typedef {{html: string, at: number, isOld: boolean}} KeptPage isOld: an entry was saved, or its end was heard of, since
 */

const STORE = "replica";
/** Of the session: which rows are here; then what changes with each write of the outbox, and with each sync. */
const MARKS = ["shown_from", "next_number", "last_digest", "shown_after", "last_sync"];
const IDLE_MS = 2_000;
const RESTING_MS = 3_000;

/** Whose pages, of which version; null: none are kept. @type {{version: string, user: string} | null} */
let owner = null;
/** What is being written. @type {Promise<void>} */
let writing = Promise.resolve();

/**
 * Keep and show pages from now on.
 * @param {string} version of app and shell
 * @param {string} user whose device it is
 */
export function startKeeping(version, user) {
  owner = user ? { version, user } : null;
}

/** Keep no more, and show none; what is being written ends. @returns {Promise<void>} */
export async function stopKeeping() {
  owner = null;
  await within(RESTING_MS, writing, "Keeping a page").catch((error) => console.info(error));
}

/**
 * What a page that is made now shows.
 * @returns {Promise<Mark>}
 */
export async function markOfNow() {
  const db = await database();
  const [from, ...after] = await Promise.all(MARKS.map((name) => read(db, "session", name)));
  return { from: String(from ?? ""), after: after.map((each) => String(each ?? "")).join(" ") };
}

/** @returns {Promise<Shelf>} */
async function shelf() {
  const mine = /** @type {{version: string, user: string}} */ (owner);
  return shelfOf(await read(await database(), STORE, SHELF), mine);
}

/**
 * The kept page of an address.
 * @param {string} path with its query
 * @returns {Promise<KeptPage | null>} null: there is none that may be shown
 */
export async function keptPage(path) {
  if (!owner || !mayBeKept(path)) return null;
  const [{ pages, version, user }, mark] = await Promise.all([shelf(), markOfNow()]);
  const kept = pages.find((each) => each.path === path);
  // other rows came: she may not see any more what is on it
  if (!kept || kept.from !== mark.from) return null;
  const found = await read(await database(), STORE, nameOf(kept.place));
  const isIt = found?.path === path && found.version === version && found.user === user && found.at === kept.at;
  if (!isIt || typeof found.html !== "string") return null;
  return { html: found.html, at: kept.at, isOld: kept.after !== mark.after };
}

/**
 * The addresses of pages that are not kept as they are by now; the one that was seen last comes first.
 * @param {string} path of the page that is shown
 * @returns {Promise<string[]>}
 */
export async function oldPages(path) {
  if (!owner) return [];
  const [{ pages }, now] = await Promise.all([shelf(), markOfNow()]);
  const old = pages.filter((each) => !isSame(each, now)).map((each) => each.path);
  return pages.some((each) => each.path === path) || !mayBeKept(path) ? old : [path, ...old];
}

/**
 * Keep a page, when there is nothing else to do.
 * @param {string} path with its query
 * @param {string} html
 * @param {Mark} mark of before it was asked for
 */
export async function keep(path, html, mark) {
  await idle();
  if (!mayBeKept(path)) return;
  writing = writing.then(() => put(path, html, mark)).catch((error) => console.info(error)); // a start does without
  await writing;
}

/**
 * Forget the page of an address: there is none by now.
 * @param {string} path
 */
export async function forgetPage(path) {
  writing = writing.then(() => put(path, null, { from: "", after: "" })).catch((error) => console.info(error));
  await writing;
}

/**
 * @param {string} path
 * @param {string | null} html null: there is none
 * @param {Mark} mark
 */
async function put(path, html, mark) {
  if (!mayWrite()) return;
  const [former, now] = await Promise.all([shelf(), markOfNow()]);
  // other rows came, or an entry was saved, while it was made
  if (html !== null && !isSame(mark, now)) return;
  const text = html !== null && html.length <= MOST_OF_ONE ? html : null;
  const operations = changed(former, { path, size: text?.length ?? 0, at: Date.now(), ...now }, text);
  const db = await database();
  if (!mayWrite()) return; // signing out has begun
  // fault point: page-unkept — the pages that were kept are there as before, or none: a start shows what its own
  // version, user and rows have made, and Python makes it again.
  await write(db, operations, { durability: "relaxed" });
}

function mayWrite() {
  return owner !== null && context.device !== null;
}

/** @param {Mark} some @param {Mark} other */
function isSame(some, other) {
  return some.from === other.from && some.after === other.after;
}

/**
 * @param {Shelf} former
 * @param {Omit<Kept, "place">} page
 * @param {string | null} html null: it is not kept any more
 * @returns {Operation[]}
 */
function changed({ version, user, pages: all }, page, html) {
  const sound = withoutOthers(all, page.from);
  const pages = html === null ? sound.filter(({ path }) => path !== page.path) : placed(sound, page);
  const taken = new Set(pages.filter(({ size }) => size).map(({ place }) => place));
  // where nothing is known of what is here, all of it goes
  const before = all.length ? all.map(({ place }) => place) : [...Array(PLACES).keys()];
  const left = before.filter((place) => !taken.has(place));
  return [
    ...left.map((place) => /** @type {Operation} */ (["delete", STORE, nameOf(place)])),
    ...(html === null ? [] : [/** @type {Operation} */ (["put", STORE, nameOf(pages[0].place), { version, user, path: page.path, html, at: page.at }])]),
    ["put", STORE, SHELF, { version, user, pages }],
  ];
}

/** @returns {Promise<void>} when the browser has nothing to do, or some time has passed */
function idle() {
  return new Promise((resolve) => {
    const go = () => resolve();
    if ("requestIdleCallback" in globalThis) requestIdleCallback(go, { timeout: IDLE_MS });
    else setTimeout(go, IDLE_MS / 4);
  });
}
