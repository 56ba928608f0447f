// Links, the address bar, back and forward.

import { context } from "./context.js";
import { ask } from "./transport.js";
import { announce, heardWaiting, openForm } from "./elements.js";
import { explain, NO_PAGE, sayDone, wordsOf } from "./answer-words.js";
import { focusPage, onOwn, show } from "./document.js";
import { mayLeave, settled } from "./pending.js";

/**
 * @typedef {import("./transport.js").Page} Page
 * @typedef {{html: string, prepare: (page: Document) => void}} FirstPage what is shown before Python is there
 * @typedef {{find: (path: string) => Promise<FirstPage | null>, shown: () => void,
 *   takeOver: (page: Page) => Promise<{page: Page, fresh: boolean}>, follow: (path: string) => (page: Page) => void}} Keeper
 *   find: what is kept of an address, while Python starts; shown: it is on the screen; takeOver: what is to be shown
 *   in its place, by what Python answers; follow: gets the answer of an address that is about to be asked for
 * @typedef {{method?: string, body?: string | null, headers?: Record<string, string>,
 *   history?: "push" | "replace" | "none", scroll?: number, keepWords?: boolean}} How
 */

/** Called with (asked-for path, final path) when a page was reached through redirects.
 * @type {((from: string, to: string) => Promise<void> | void)[]} */
const movers = [];

/** What keeps pages, and shows them before Python is there. @type {Keeper | null} */
let keeper = null;
/** The newest visit. @type {Promise<unknown>} */
let arriving = Promise.resolve();

/** Number of the newest visit: an answer that comes late is not shown. */
let visits = 0;
/** Whether a page that was asked for is on its way. */
let isLeaving = false;
/** Whether it may have been made before what is new. */
let isStale = false;
/** Where the page that is shown came from. */
let current = location.pathname + location.search;

/** @param {(from: string, to: string) => Promise<void> | void} moved */
export function onMoved(moved) {
  movers.push(moved);
}

/** @param {Keeper} found */
export function keepPagesBy(found) {
  keeper = found;
}

/** Wait until the page that is on its way is there. @returns {Promise<unknown>} */
export function arrived() {
  return arriving;
}

/** @returns {boolean} whether a page is on its way */
export function isOnTheWay() {
  return isLeaving;
}

/**
 * Go on to another page, once this one may be left.
 * @param {string} path with its query
 * @param {How} [how]
 */
export async function goOn(path, how) {
  if (await mayLeave()) await visit(path, how);
}

/** @returns {string} the address of the page that is shown */
export function currentPath() {
  return current;
}

/** Nobody waits any more for what was asked for: the shell has the screen, or another tab goes on. */
export function giveUpVisits() {
  visits++;
  isLeaving = false;
  arrive();
}

/**
 * Show the page at an address.
 * @param {string} path with its query
 * @param {How} [how]
 * @returns {Promise<Page | null>} null when there was no page to show
 */
export async function visit(path, how = {}) {
  const number = visits + 1;
  [isLeaving, isStale] = [true, false];
  const going = go(path, how).finally(() => (isLeaving &&= number !== visits));
  arriving = going;
  const page = await going;
  // where it is no page the browser itself is on its way there, and what a form gave back stays
  const mayChange = page === null || (page.html !== null && page.status !== 422);
  if (number === visits && isStale && mayChange) void refresh();
  return page;
}

/**
 * @param {string} path
 * @param {How} how
 */
async function go(path, how) {
  const number = ++visits;
  await settled();
  document.documentElement.dataset.loading = "";
  try {
    return await ((how.method ?? "GET") === "GET" ? get(number, path, how) : send(number, path, how));
  } catch (error) {
    announce(explain(error), "problem");
    return null;
  } finally {
    if (number === visits) arrive();
  }
}

/**
 * @param {number} number of the visit
 * @param {string} path
 * @param {How} how
 */
async function get(number, path, { headers, history: entry = "push", scroll, keepWords = false }) {
  const isKept = await showKept(number, path, { entry, scroll });
  const started = context.device?.started;
  if (started) await (isKept ? started : heardWaiting(started));
  if (number !== visits) return null; // nobody waits for it any more
  const follow = keeper?.follow(path);
  const { page, said } = await asked({ method: "GET", path, headers });
  follow?.(page);
  if (isKept) await takeOver(number, path, page);
  else await answered(number, page, keepWords || said, { path, fresh: true, entry, scroll });
  return page;
}

/**
 * @param {number} number of the visit
 * @param {string} path
 * @param {How} how
 */
async function send(number, path, { method = "POST", headers, body, history: entry = "push", scroll, keepWords = false }) {
  const { page, said } = await asked({ method, path, body, headers });
  await answered(number, page, keepWords || said, { path, fresh: false, entry, scroll });
  return page;
}

/** @param {import("./transport.js").Asked} wanted @returns {Promise<{page: Page, said: boolean}>} said: what is done was announced */
async function asked(wanted) {
  let said = false;
  const page = await ask(wanted, (to) => (said = sayDone(to) || said));
  return { page, said };
}

/**
 * Show an answer, unless one has gone on.
 * @param {number} number of the visit
 * @param {Page} page
 * @param {boolean} said
 * @param {Placing} how
 */
async function answered(number, page, said, how) {
  if (number !== visits) return;
  if (!said) announce("");
  await take(page, how);
}

function arrive() {
  delete document.documentElement.dataset.loading;
  delete document.documentElement.dataset.starting;
}

/**
 * Show what is kept of an address, while Python starts.
 * @param {number} number of the visit
 * @param {string} path
 * @param {{entry: "push" | "replace" | "none", scroll?: number}} how
 * @returns {Promise<boolean>} whether there is something
 */
async function showKept(number, path, how) {
  const found = await keeper?.find(path);
  if (!found || number !== visits) return false;
  const page = { status: 200, path, html: found.html, redirected: false };
  await place(page, { path, fresh: true, ...how, prepare: found.prepare, isKept: true });
  delete document.documentElement.dataset.loading; // nobody waits for what is there
  keeper?.shown();
  return true;
}

/**
 * Show what Python says in the place of what was kept, unless one has gone on.
 * @param {number} number of the visit
 * @param {string} path
 * @param {Page} answer
 */
async function takeOver(number, path, answer) {
  if (!keeper || number !== visits) return;
  const { page, fresh } = await keeper.takeOver(answer);
  if (number === visits) await take(page, { path, fresh, entry: "none", isTakingOver: true });
}

/**
 * @typedef {{path: string, fresh: boolean, entry: "push" | "replace" | "none", scroll?: number, isKept?: boolean,
 *   prepare?: (page: Document) => void, isTakingOver?: boolean}} Placing the last three as for `show`
 */

/**
 * Show what came, or leave everything as it is and say why.
 * @param {Page} page
 * @param {Placing} how
 */
async function take(page, how) {
  if (page.html === null && how.fresh && !openForm()) location.assign(page.path);
  else if (page.html === null) announce(NO_PAGE, "problem");
  else if (keepsForm(page)) announce(wordsOf(page.html), "problem");
  else await place(page, how);
}

/**
 * The server's own trouble must not take away a form that is filled in.
 * @param {Page} page
 */
function keepsForm({ status, html }) {
  return status >= 500 && openForm() !== null && !html?.includes("data-record-form");
}

/**
 * Show the same page again, with what is new: not while a form is open. Nobody has asked for it, so
 * it never takes the place of a page that is on its way, and comes after it.
 */
export async function refresh() {
  isStale = isLeaving;
  if (isLeaving || openForm()) return;
  await go(current, { history: "none", keepWords: true, scroll: window.scrollY });
}

/**
 * @param {Page} page
 * @param {Placing} how
 */
async function place(page, { path: from, fresh, entry, scroll, ...how }) {
  const same = pathOf(page.path) === pathOf(current);
  if (page.redirected) for (const moved of movers) await moved(pathOf(from), pathOf(page.path));
  history.replaceState({ scroll: window.scrollY }, "");
  current = page.path;
  remember(page.path, entry);
  show(/** @type {string} */ (page.html), { same, fresh: fresh || page.redirected, ...how });
  if (!same || page.status === 422 || openForm()?.dataset.focus) focusPage();
  if (scroll !== undefined) window.scrollTo(0, scroll);
  else if (!same) window.scrollTo(0, 0);
}

/**
 * @param {string} path
 * @param {"push" | "replace" | "none"} entry
 */
function remember(path, entry) {
  const isHere = path === location.pathname + location.search;
  if (entry === "push" && !isHere) history.pushState({ scroll: 0 }, "", path);
  else if (!isHere) history.replaceState({ scroll: 0 }, "", path);
}

/** @param {string} path */
function pathOf(path) {
  return path.split("?")[0];
}

/** @param {MouseEvent} event */
function onClick(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || isForBrowser(event) || !isPage(link)) return;
  event.preventDefault();
  const { pathname, search } = new URL(link.href);
  link.setAttribute("aria-busy", "true");
  void goOn(pathname + search).finally(() => link.removeAttribute("aria-busy"));
}

/** @param {MouseEvent} event */
function isForBrowser(event) {
  const isNewTab = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  return event.defaultPrevented || event.button !== 0 || isNewTab;
}

/** @param {HTMLAnchorElement} link */
function isPage(link) {
  const url = new URL(link.href);
  const isMarked = link.target || link.hasAttribute("download") || link.dataset.native !== undefined;
  const isWithin = link.getAttribute("href")?.startsWith("#");
  const isOurs = url.pathname !== "/sign-in" && !url.pathname.startsWith("/attachments/");
  return url.origin === location.origin && isOurs && !isMarked && !isWithin;
}

/** Take over links and the browser's buttons. */
export function startNavigation() {
  history.scrollRestoration = "manual";
  document.addEventListener("click", onClick);
  onOwn(giveUpVisits);
  window.addEventListener("popstate", ({ state }) => {
    const path = location.pathname + location.search;
    if (path !== current) void goOn(path, { history: "none", scroll: state?.scroll ?? 0 });
  });
}
