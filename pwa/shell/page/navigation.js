// Links, the address bar, back and forward.

import { ask } from "./transport.js";
import { NoAnswer } from "../../office.js";
import { announce, openForm } from "./elements.js";
import { focusPage, show } from "./document.js";
import { settled } from "./pending.js";

/**
 * @typedef {import("./transport.js").Asked} Asked
 * @typedef {{method?: string, body?: string | null, headers?: Record<string, string>,
 *   history?: "push" | "replace" | "none", scroll?: number, keepWords?: boolean}} How
 */

const DONE = new Map([
  ["saved", "Saved"],
  ["deleted", "Deleted"],
  ["unchanged", "Nothing had changed"],
  ["repaired", "Repaired"],
  ["discarded", "Discarded"],
  ["password", "Password changed"],
  ["ended", "Ended"],
  ["kept", "Nothing was left to change, so the entry is settled"],
]);

const NO_PAGE = "The office gave no page in answer. Nothing is lost; try again later.";

/** Called with (asked-for path, final path) when a page was reached through redirects.
 * @type {((from: string, to: string) => Promise<void> | void)[]} */
const movers = [];

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

/** @returns {string} the address of the page that is shown */
export function currentPath() {
  return current;
}

/**
 * Show the page at an address.
 * @param {string} path with its query
 * @param {How} [how]
 * @returns {Promise<import("./transport.js").Page | null>} null when there was no page to show
 */
export async function visit(path, how = {}) {
  const number = visits + 1;
  [isLeaving, isStale] = [true, false];
  const page = await go(path, how).finally(() => (isLeaving &&= number !== visits));
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
  const { method = "GET", body = null, headers, history: entry = "push", scroll, keepWords } = how;
  const number = ++visits;
  await settled();
  document.documentElement.dataset.loading = "";
  try {
    let said = keepWords ?? false;
    const page = await ask({ method, path, body, headers }, (to) => (said = sayDone(to) || said));
    if (number !== visits) return page;
    if (!said) announce("");
    await take(page, { path, fresh: method === "GET", entry, scroll });
    return page;
  } catch (error) {
    announce(explain(error), "problem");
    return null;
  } finally {
    if (number === visits) delete document.documentElement.dataset.loading;
  }
}

/**
 * Show what came, or leave everything as it is and say why.
 * @param {import("./transport.js").Page} page
 * @param {{path: string, fresh: boolean, entry: "push" | "replace" | "none", scroll?: number}} how
 */
async function take(page, how) {
  if (page.html === null && how.fresh && !openForm()) location.assign(page.path);
  else if (page.html === null) announce(NO_PAGE, "problem");
  else if (keepsForm(page)) announce(wordsOf(page.html), "problem");
  else await place(page, how);
}

/**
 * The server's own trouble must not take away a form that is filled in.
 * @param {import("./transport.js").Page} page
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
 * @param {import("./transport.js").Page} page
 * @param {{path: string, fresh: boolean, entry: "push" | "replace" | "none", scroll?: number}} how
 */
async function place(page, { path: asked, fresh, entry, scroll }) {
  const same = pathOf(page.path) === pathOf(current);
  if (page.redirected) for (const moved of movers) await moved(pathOf(asked), pathOf(page.path));
  history.replaceState({ scroll: window.scrollY }, "");
  current = page.path;
  remember(page.path, entry);
  show(/** @type {string} */ (page.html), { same, fresh: fresh || page.redirected });
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

/** Announce what a form's redirect says is done. @param {string} to */
function sayDone(to) {
  const words = DONE.get(new URL(to, location.origin).searchParams.get("done") ?? "");
  if (words) announce(words, "done");
  return Boolean(words);
}

/** @param {unknown} error */
function explain(error) {
  if (error instanceof NoAnswer && error.isForeign) {
    return `${error.message} Nothing is lost; sign in to the network, then try again.`;
  }
  if (error instanceof NoAnswer) {
    return "The office cannot be reached. Nothing is lost; try again with a connection.";
  }
  console.info(error);
  return "That did not work on this device. Nothing you typed is lost; try again.";
}

/** @param {string} html */
function wordsOf(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const words = page.querySelector("[role=alert]")?.textContent?.trim();
  return words || "The office has trouble of its own. Nothing is lost; try again later.";
}

/** @param {MouseEvent} event */
function onClick(event) {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement) || isForBrowser(event) || !isPage(link)) return;
  event.preventDefault();
  const { pathname, search } = new URL(link.href);
  void visit(pathname + search);
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
  window.addEventListener("popstate", ({ state }) => {
    const path = location.pathname + location.search;
    if (path !== current) void visit(path, { history: "none", scroll: state?.scroll ?? 0 });
  });
}
