// What is shown before Python is there: the page of the address as it was made last, if it is kept.

import { context } from "../page/context.js";
import { announce, takeBack } from "../page/elements.js";
import { momentWords } from "../page/moments.js";
import { keepPagesBy, visit } from "../page/navigation.js";
import { pending } from "../page/pending.js";
import { keepDraft } from "../form/drafts.js";
import { draftsOf } from "../form/draft-store.js";
import { onPage } from "../page/document.js";
import { within } from "../../limits.js";
import { freshenSoon } from "./freshening.js";
import { isTouched, noteShown, renew, withTyped } from "./kept-form.js";
import { forgetPage, keep, keptPage, markOfNow, startKeeping } from "./kept-pages.js";

/**
 * @typedef {import("../page/navigation.js").FirstPage} FirstPage
 * @typedef {import("../page/transport.js").Page} Page
 * @typedef {import("./starting-device.js").StartingDevice} StartingDevice
 * @typedef {{owner: string, pending: number, stuck: number}} Here what waits on this device, as its store says
 */

/** Nobody waits longer for what is kept. */
const FINDING_MS = 2_000;
const FORM = /\/(?:new|edit)(?:\?|$)/;
/** How a device stands as long as its store does: no sync runs, and nobody knows of a connection. */
const LASTING = new Set(["clean", "waiting", "attention"]);
/** On the pages that Python makes here, and on none that came from the office. */
const FROM_HERE = '<body data-home="device"';

/** @type {Here} */
let here = { owner: "", pending: 0, stuck: 0 };
/** What is to be said of the page that comes. */
let note = "";
/** What is said of the page that is shown. */
let told = "";
/** What was there before a kept page. @type {ChildNode[]} */
let frame = [];

/**
 * Keep pages from now on.
 * @param {Here} found
 */
export function startKeptPages(found) {
  here = found;
  context.user ||= found.owner;
  startKeeping(context.manifest?.version ?? "", found.owner);
  keepPagesBy({ find, shown, takeOver, follow });
  onPage((_, { isKept }) => void (isKept || freshenSoon()));
}

/**
 * Show what is kept of an address, and have all that needs Python wait for it.
 * @param {string} path
 * @param {StartingDevice} device
 * @returns {Promise<{visit: Promise<unknown>} | null>} which ends when Python has answered; null: nothing is kept
 */
export async function showFirst(path, device) {
  context.device = device;
  const found = await find(path);
  if (!found || device.hasEnded) {
    if (context.device === device) context.device = null;
    return null;
  }
  frame = [...document.body.childNodes];
  document.documentElement.dataset.starting = "";
  return { visit: visit(path, { history: "replace" }) };
}

/** Take a kept page away again: the start needs the screen. What was typed is kept as a draft. */
export async function takeAway() {
  if (!frame.length || document.body.dataset.home === "shell") return;
  if (isTouched()) await keepDraft().catch((error) => console.info(error));
  const offered = document.getElementById("slow-start"); // to save the work as a file
  document.body.dataset.home = "shell";
  document.body.replaceChildren(...frame);
  if (offered) document.getElementById("main")?.append(offered);
  delete offered?.dataset.keep;
  delete document.documentElement.dataset.starting;
}

/**
 * @param {string} path
 * @returns {Promise<FirstPage | null>} null as well where Python is there, or is sooner, and where the store cannot say it
 */
async function find(path) {
  const started = context.device?.started;
  if (!started) return null;
  const none = () => null;
  const found = within(FINDING_MS, inStore(path), "Finding a kept page").catch((error) => (console.info(error), null));
  return await Promise.race([found, started.then(none, none)]);
}

/**
 * @param {string} path
 * @returns {Promise<FirstPage | null>}
 */
async function inStore(path) {
  const kept = await keptPage(path);
  if (!kept) return null;
  // what was typed into it before is brought back by Python
  if (FORM.test(path) && (await draftsOf(path.split("?")[0])).length) return null;
  const prepare = (/** @type {Document} */ page) => {
    renew(page);
    clearUntold(page, kept.isOld);
    note = kept.isOld ? `As of ${momentWords(new Date(kept.at))}` : "";
  };
  return { html: kept.html, prepare };
}

/**
 * Take away what a page says of waiting entries where it is not so any more, or was so only while it was made.
 * @param {Document} page
 * @param {boolean} isOld
 */
function clearUntold(page, isOld) {
  const button = page.getElementById("sync");
  if (!button || (isOld ? isTold(button) : LASTING.has(button.dataset.state ?? ""))) return;
  button.dataset.state = "starting";
  button.dataset.to = "";
  button.setAttribute("aria-label", "Sync");
  for (const each of button.querySelectorAll(".sync-count, .sync-words")) each.textContent = "";
  const card = page.querySelector('.menu.more .card[href="/sync"]');
  card?.classList.remove("clean", "waiting", "attention", "offline", "working");
  card?.querySelector(".card-note")?.replaceChildren("\u00a0");
}

/** @param {HTMLElement} button */
function isTold(button) {
  const [count, state] = here.stuck ? [here.stuck, "attention"] : [here.pending, here.pending ? "waiting" : "clean"];
  const said = button.querySelector(".sync-count")?.textContent?.trim();
  return button.dataset.state === state && said === String(count || "");
}

function shown() {
  noteShown();
  takeBack(told);
  told = note;
  if (note) announce(note, "standing");
}

/** @param {Page} page */
async function takeOver(page) {
  const found = await withTyped(page);
  // a form with what was typed, and else with values of then, says so as long as it is there
  if (!found.ofThen) takeBack(told);
  told = "";
  // a form that cannot be filled in any more: what was typed stays as a draft
  if (found.page.status !== 200 && isTouched()) await pending(keepDraft());
  return found;
}

/**
 * @param {string} path
 * @returns {(page: Page) => void}
 */
function follow(path) {
  const mark = markOfNow();
  mark.catch(() => {}); // heard of below
  return ({ status, html, path: found }) => {
    if (!context.device) return;
    if (status === 403 || status === 404) void forgetPage(path).catch((error) => console.info(error));
    if (status !== 200 || !html?.includes(FROM_HERE)) return;
    void mark.then((before) => keep(found, html, before)).catch((error) => console.info(error));
  };
}
