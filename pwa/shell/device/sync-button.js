// The Sync button: its states, its progress, what a tap does. It syncs, or leads to what needs a person.

import { context } from "../page/context.js";
import { announce, ask, make } from "../page/elements.js";
import { onPage } from "../page/document.js";
import { currentPath, goOn, refresh } from "../page/navigation.js";
import { signIn } from "../page/sign-in.js";
import { isSignedOut } from "../../office.js";
import { offerUpdate } from "./app-versions.js";
import { drawSyncPage } from "./progress.js";

/**
 * @typedef {{state: string, waiting: number, attention: number, words: string, to?: string}} Status
 *   to: where what needs attention is to be seen; empty where a sync is the next step
 */

const LONG_PRESS_MS = 600;
/** A tap so soon after the first is the second half of a double tap, and stops nothing. */
const STOPS_AFTER_MS = 2_000;

/** What the steps of a sync are called. */
export const STEP_WORDS = new Map([
  ["busy", "The office is busy: waiting"],
  ["rows", "Your data"],
  ["push", "Sending entries"],
  ["upload", "Sending pictures"],
  ["attachments", "Getting pictures"],
]);

/** @type {Status | null} */
let status = null;
/** What is going on, in words; empty when nothing is. */
let working = "";
/** How much of it is done. @type {{done?: number, total?: number}} */
let measured = {};
/** @type {Promise<void> | null} */
let running = null;
let begun = 0;
let isStopping = false;

/** @typedef {{outcome?: string, revoked?: object | null}} Answer what Python says that the office said */

/** @type {((answer: Answer) => void)[]} */
const listeners = [];

/** @param {(answer: Answer) => void} listener hears what the office has answered this device */
export function onAnswer(listener) {
  listeners.push(listener);
}

/**
 * Let everybody hear what the office has answered.
 * @param {Answer} answer
 * @returns {boolean} whether it has ordered this device to wipe itself
 */
export function heardOf(answer) {
  for (const listener of listeners) listener(answer);
  return Boolean(answer.revoked);
}

/** Make the button work on this device. */
export function startSyncButton() {
  document.addEventListener("click", onClick, { capture: true });
  document.addEventListener("pointerdown", onPress);
  document.addEventListener("keydown", (event) => {
    const isButton = event.target instanceof HTMLElement && event.target.id === "sync";
    if (isButton && event.key === " ") {
      event.preventDefault(); // it is a link that acts as a button
      void press();
    }
  });
  onPage(draw);
}

/** @param {{event: string, [key: string]: any}} event */
export function onSyncEvent(event) {
  if (event.event === "status") status = /** @type {Status} */ (/** @type {unknown} */ (event));
  else if (event.event === "progress" && running) {
    const { done, total } = event;
    [working, measured] = [wordsOf(event), { done, total }];
  }
  draw();
}

/** Send what waits and get what is new; a second tap while it runs changes nothing. */
export function sync() {
  if (running) return running;
  begun = Date.now();
  const offering = setTimeout(draw, STOPS_AFTER_MS); // the sync page offers to stop it by then
  running = run().finally(() => {
    clearTimeout(offering);
    running = null;
    isStopping = false;
    [working, measured] = ["", {}];
    draw();
  });
  return running;
}

async function run() {
  if (!context.device) return;
  const before = shown();
  working = "Synchronising…";
  draw();
  try {
    let outcome = await context.device.call("sync");
    status = outcome.status;
    working = "";
    if (heardOf(outcome)) return;
    if (needsSignIn(outcome) && (await askToSignIn(outcome))) {
      // at once, not when Python says so: nobody is to take the pause for the end
      working = "Synchronising…";
      draw();
      outcome = await context.device.call("sync", { signed_in: true });
      status = outcome.status;
      working = "";
      if (heardOf(outcome)) return;
    }
    const isDone = outcome.outcome === "done";
    const isWell = isDone && outcome.problems.length === 0;
    announce(outcome.problems[0]?.message ?? outcome.status.words, isWell ? "done" : "problem");
    // also where it was refused: an update may be what is missing
    void offerUpdate().catch(sayIfSignedOut);
  } catch (error) {
    endBadly(error, before);
  }
  await refresh();
}

/**
 * @param {unknown} error
 * @param {{state: string, words: string}} before
 */
function endBadly(error, before) {
  console.info(error);
  const { message } = /** @type {Error} */ (error);
  announce(`The sync did not end well: ${message} Nothing is lost; try again.`, "problem");
  // a Python that has died does not say that it has ended what it began
  if (status?.state === "working") status = { ...status, ...before };
}

/** What the button says. @returns {{state: string, words: string}} */
function shown() {
  const button = document.getElementById("sync");
  const { state = "", words = "" } = status ?? {};
  return { state: state || button?.dataset.state || "", words: words || button?.querySelector(".sync-words")?.textContent || "" };
}

/** The next sync asks for the password and offers the update; all else has a next time, too. @param {unknown} error */
function sayIfSignedOut(error) {
  console.info(error);
  if (isSignedOut(error)) announce("There is a new version. Sync and sign in again to get it. Nothing is lost.", "problem");
}

/**
 * Nothing is being done while the dialog waits, and the button says so.
 * @param {{outcome: string, problems: {message: string}[]}} outcome
 */
function askToSignIn({ outcome, problems }) {
  draw();
  return signIn(outcome === "signed_out" ? undefined : problems[0]?.message);
}

/** @param {{outcome?: string}} outcome */
function needsSignIn({ outcome }) {
  return outcome === "signed_out" || outcome === "identity_changed";
}

/** @param {Record<string, any>} event */
function wordsOf({ step, done, total, unit }) {
  const counted = total && unit !== "bytes" ? `, ${done ?? 0} of ${total}` : "";
  return `${STEP_WORDS.get(step) ?? "Synchronising"}${counted}`;
}

function draw() {
  const canStop = mayStop() && !isStopping;
  const words = isStopping ? "Stopping…" : working;
  if (context.device) drawSyncPage(working ? { words, canStop, ...measured } : null);
  drawButton();
}

/** Whether it has run so long that a tap means to stop it. */
function mayStop() {
  return running !== null && Date.now() - begun >= STOPS_AFTER_MS;
}

function drawButton() {
  const button = document.getElementById("sync");
  if (!button || !context.device) return;
  const place = button.querySelector(".sync-words");
  const words = (working || status?.words) ?? place?.textContent ?? "";
  if (working) button.dataset.state = "working";
  else if (status) button.dataset.state = status.state;
  button.setAttribute("aria-label", heard(words));
  button.setAttribute("aria-busy", String(Boolean(working)));
  setText(place, words);
  if (!status) return;
  setText(button.querySelector(".sync-count"), countOf(status));
  button.dataset.to = status.to ?? "";
}

/** The name of the button. @param {string} words empty: not known yet */
function heard(words) {
  return words ? `Sync: ${words.charAt(0).toLowerCase()}${words.slice(1)}${alsoHeard()}` : "Sync";
}

/** The number that is seen while something else is said. */
function alsoHeard() {
  const count = working && status ? countOf(status) : "";
  return count && `, ${count} ${status?.attention ? "to be seen to" : "waiting"}`;
}

/** @param {Status} status */
function countOf({ attention, waiting }) {
  return String(attention || waiting || "");
}

/**
 * @param {Element | null} element
 * @param {string} text
 */
function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

let pressed = false;

/** @param {MouseEvent} event */
function onClick(event) {
  const button = event.target instanceof Element ? event.target.closest("#sync, [data-sync], [data-sync-stop]") : null;
  if (!(button instanceof HTMLElement) || !context.device || event.ctrlKey || event.metaKey) return;
  if (pressed && button.id === "sync") {
    pressed = false; // a long press opens the page of the link
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  if (button.id !== "sync") void (button.dataset.sync === undefined ? stop() : sync());
  else void (mayStop() ? offerToStop() : press());
}

/** Ask whether a sync that takes long is to be stopped; it ends the question, too. */
async function offerToStop() {
  const wanted = await ask("Synchronising", (/** @type {(value: boolean) => void} */ finish) => {
    void running?.then(() => finish(false));
    return [
      make("p", {}, "You can go on working meanwhile. What has arrived stays, whenever you stop it."),
      make(
        "div",
        { class: "form-actions" },
        make("button", { type: "button", class: "button primary", onclick: () => finish(false) }, "Go on"),
        make("button", { type: "button", class: "button", onclick: () => finish(true) }, "Stop this sync"),
      ),
    ];
  }, false);
  if (wanted) await stop();
}

async function stop() {
  isStopping = true;
  draw();
  await context.device?.call("cancel").catch((error) => console.info(error)); // it has ended
}

/** Do the next step: what needs a person is shown to her; on that page, and else, it is a sync. */
async function press() {
  const to = document.getElementById("sync")?.dataset.to;
  if (!to || running || currentPath().split("?")[0] === to) return sync();
  await goOn(to);
  const first = document.querySelector(".entry[data-state='attention'] .actions a");
  if (!(first instanceof HTMLElement)) return;
  first.focus({ preventScroll: true });
  first.closest(".entry")?.scrollIntoView({ block: "start" });
}

/** @param {PointerEvent} event */
function onPress(event) {
  if (!(event.target instanceof Element) || !event.target.closest("#sync")) return;
  pressed = false;
  const timer = setTimeout(() => (pressed = true), LONG_PRESS_MS);
  document.addEventListener("pointerup", () => clearTimeout(timer), { once: true });
}
