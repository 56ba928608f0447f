// How far it is: the first download, one line per step, and a sync on the sync page.

import { make } from "../page/elements.js";

/**
 * @typedef {{step: string, words: string, done?: number, total?: number, unit?: string,
 *   state?: "waiting" | "working" | "done" | "problem"}} Step
 *   unit: "bytes", or the word for what is counted
 */

/** @typedef {{words: string, done?: number, total?: number, canStop: boolean}} Running */

/** @type {Map<string, HTMLElement>} */
const lines = new Map();

/** @returns {HTMLElement | null} */
function list() {
  return document.getElementById("progress");
}

/**
 * Show how far a step is.
 * @param {Step} step
 */
export function showStep({ step, words, done, total, unit = "", state = "working" }) {
  const line = lineOf(step);
  const isAll = total !== undefined && done === total;
  const finished = state === "done" || (isAll && state !== "problem");
  line.dataset.state = finished ? "done" : state;
  /** @type {Record<string, string>} */
  const measure = total ? { max: String(total), value: String(done ?? 0) } : {};
  const bar = make("progress", { ...measure, "aria-label": words });
  const text = make("span", { class: "progress-words" }, words);
  const count = make("span", { class: "progress-count" }, amount(done, total, unit));
  line.replaceChildren(text, " ", count, ...(finished ? [] : [bar]));
}

/** @param {string} step */
function lineOf(step) {
  const line = lines.get(step) ?? make("li", { class: "progress-step" });
  lines.set(step, line);
  if (!line.isConnected) list()?.append(line);
  return line;
}

/** Say something below the title. @param {string} words */
export function sayPreparing(words) {
  const place = document.getElementById("preparing-words");
  if (place) place.textContent = words;
}

/**
 * @param {number | undefined} done
 * @param {number | undefined} total
 * @param {string} unit
 */
function amount(done, total, unit) {
  if (done === undefined) return "";
  const show = unit === "bytes" ? megabytes : (/** @type {number} */ n) => n.toLocaleString();
  const counted = total === undefined || total === done ? show(done) : `${show(done)} of ${show(total)}`;
  return unit === "bytes" ? `${counted} MB` : `${counted} ${unit}`.trim();
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toLocaleString(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

/**
 * Offer to try again; resolves when the person wants to, the connection returns, or time has passed.
 * @param {string} words
 * @param {number} waitMs
 * @returns {Promise<void>}
 */
export function offerRetry(words, waitMs) {
  return new Promise((resolve) => {
    const button = make("button", { type: "button", class: "button primary" }, "Try again");
    const note = make("div", { class: "notice", role: "status" }, make("p", {}, words), button);
    const timer = setTimeout(go, waitMs);
    function go() {
      clearTimeout(timer);
      window.removeEventListener("online", go);
      note.remove();
      resolve();
    }
    button.addEventListener("click", go);
    window.addEventListener("online", go);
    list()?.after(note);
  });
}

/**
 * Show how far a sync is, with a button that stops it, where the sync page is shown.
 * @param {Running | null} running null: nothing runs
 */
export function drawSyncPage(running) {
  const place = document.querySelector("[data-sync-progress]");
  const start = document.querySelector("[data-sync]");
  const stop = document.querySelector("[data-sync-stop]");
  if (!(place instanceof HTMLElement) || !(start instanceof HTMLElement) || !(stop instanceof HTMLElement)) return;
  const hadFocus = stop === document.activeElement;
  place.hidden = !running;
  stop.hidden = !running?.canStop;
  if (running) start.setAttribute("aria-disabled", "true");
  else start.removeAttribute("aria-disabled");
  if (hadFocus && stop.hidden) start.focus({ preventScroll: true });
  if (running) fill(place, running);
}

/** @param {HTMLElement} place @param {Running} running */
function fill(place, { words, done, total }) {
  const said = place.querySelector("[data-sync-words]");
  if (said && said.textContent !== words) said.textContent = words;
  const bar = place.querySelector("progress");
  if (!bar) return;
  if (!total) {
    bar.removeAttribute("value"); // nobody knows how far it is
    return;
  }
  bar.max = total;
  bar.value = done ?? 0;
}
