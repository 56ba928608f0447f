// A device that its office has revoked: it shows nothing any more, hands over its work where it was told
// to, and removes all that it keeps. Python has proven the order before it is in the store.

import { pause } from "../../limits.js";
import { read } from "../../store.js";
import { endPython, endSession } from "../device/sign-out.js";
import { onAnswer } from "../device/sync-button.js";
import { whatIsHere, withStore } from "../device/owner.js";
import { startDevice } from "../device/setup.js";
import { removeEverything } from "../device/wipe.js";
import { context } from "../page/context.js";
import { showOwn } from "../page/document.js";
import { make } from "../page/elements.js";
import { momentWords } from "../page/moments.js";
import { forget, wipeHere } from "./forgotten.js";
import { signIn } from "../page/sign-in.js";

/**
 * @typedef {{hand_over: boolean, revoked_at: string, is_done: boolean, handed: number, left: number}} Order
 * @typedef {{outcome: string, order: Order | null, activity: string, problems: {message: string}[]}} Handed
 */

const NAME = "revoked";
const RETRY_MS = 20_000;
const TITLE = "This device was revoked";
const WHAT = "Your office has revoked this device. It shows nothing any more.";

let isRunning = false;

/**
 * Do what the office orders while the app is open.
 * @param {() => Promise<void>} beTheOne makes this tab the one that works with the data
 */
export function startObeying(beTheOne) {
  onAnswer(({ revoked }) => {
    if (revoked) void obey(beTheOne);
  });
}

/**
 * Go on where an order is in the store.
 * @param {(() => Promise<void>) | null} beTheOne as above; null on a page that never starts Python, which hands over
 * @returns {Promise<boolean>} false: there is none, or it is for a page that may start Python
 */
export async function goOnObeying(beTheOne) {
  const order = await stored();
  if (!order || (needsOffice(order) && !beTheOne)) return false;
  await obey(beTheOne ?? (async () => {}));
  return true;
}

/**
 * Hand over and remove; each step may be cut off and is done again at the next start.
 * @param {() => Promise<void>} beTheOne
 */
async function obey(beTheOne) {
  if (isRunning) return;
  isRunning = true;
  const order = await handedOver(beTheOne);
  if (!order) {
    isRunning = false;
    return;
  }
  const device = await withStore((db) => read(db, "session", "device"));
  showOwn(TITLE, make("p", { role: "status" }, `${WHAT} All that it keeps is being removed.`));
  await endPython();
  // fault point: revoked-unremoved — all that the office takes is there, and that is in the store: the next
  // start removes what is here.
  const left = await removeEverything(await ownerOf()).catch((error) => [`data of this app (${String(error)})`]);
  // fault point: revoked-removed-untold — nothing is left, and the office does not know it: the mark in the
  // cookie tells it at the next contact, and ends the session.
  await endSession(left.length ? "" : String(device ?? ""));
  showEnd(order, left);
}

async function ownerOf() {
  return (await whatIsHere().catch(() => null))?.owner ?? "";
}

/**
 * @param {() => Promise<void>} beTheOne
 * @returns {Promise<Order | null>} what is to be removed now; null: there is no order after all
 */
async function handedOver(beTheOne) {
  for (;;) {
    const order = await stored();
    if (!order || !needsOffice(order)) return order;
    showOwn(TITLE, ...handingOver());
    const answer = await tryToHandOver(beTheOne);
    if (answer.order && !needsOffice(answer.order)) return answer.order;
    if (answer.activity === "signed_out" && (await signIn("Sign in, so that your work can be handed over to the office."))) continue;
    await waited(answer);
  }
}

/**
 * @param {() => Promise<void>} beTheOne
 * @returns {Promise<Handed>}
 */
async function tryToHandOver(beTheOne) {
  try {
    if (!context.device) {
      await beTheOne();
      await startDevice({ forget, wipe: wipeHere }, { isRevoked: true });
    }
    const { drafts } = await whatIsHere();
    const answer = /** @type {Handed | undefined} */ (await context.device?.call("hand_over", { drafts: drafts.length }));
    if (answer) return answer;
  } catch (error) {
    console.info(error);
  }
  return { outcome: "later", order: null, activity: "", problems: [{ message: "The app could not start." }] };
}

function handingOver() {
  return [
    make("p", {}, WHAT),
    make("p", { role: "status" }, "What you saved and the office does not have is being handed over. Then all that this device keeps is removed from it."),
    make("ol", { id: "progress", class: "progress-steps" }),
  ];
}

/**
 * Say why it is not done, and wait until it is tried again.
 * @param {Handed} answer
 */
async function waited({ problems }) {
  const why = problems[0]?.message ?? "The office could not be reached.";
  let isWanted = false;
  const again = () => (isWanted = true);
  showOwn(
    TITLE,
    make("p", {}, WHAT),
    make("p", {}, "What you saved and the office does not have waits to be handed over. Then all that this device keeps is removed from it."),
    make("p", { class: "problem", role: "alert" }, why),
    make("p", {}, "It goes on by itself."),
    make("div", { class: "form-actions" }, make("button", { type: "button", class: "button primary", onclick: again }, "Try again now")),
  );
  addEventListener("online", again, { once: true });
  for (const end = Date.now() + RETRY_MS; !isWanted && Date.now() < end; ) await pause(200);
  removeEventListener("online", again);
}

/**
 * Say what has happened.
 * @param {Order} order
 * @param {string[]} left
 */
function showEnd(order, left) {
  history.replaceState(null, "", "/");
  const again = make("p", {}, make("a", { class: "button", href: "/sign-in", "data-native": true }, "Sign in"));
  const since = momentWords(new Date(order.revoked_at));
  const what = `Your office revoked this device on ${since}. All that the app kept was removed from it.`;
  if (left.length) {
    const trouble = `Your office revoked this device on ${since}, but this could not be removed: ${left.join(", ")}. Close all other tabs of this app; then load this page again.`;
    showOwn(TITLE, make("p", { class: "problem", role: "alert" }, trouble), again);
    return;
  }
  showOwn(
    TITLE,
    make("p", { role: "status" }, what),
    ...workWords(order).map((words) => make("p", {}, words)),
    make("p", {}, "If that is not what you expect, ask your office. You can sign in again: this browser is then a new device."),
    again,
  );
}

/** @param {Order} order */
function workWords({ hand_over: handsOver, handed, left }) {
  const gone = left === 1 ? "One thing that the office did not have is gone." : `${left} things that the office did not have are gone.`;
  if (!handsOver) return ["Nothing was handed over: the office did not want it.", ...(left ? [gone] : [])];
  const arrived = handed === 1 ? "One entry was handed over to the office." : `${handed} entries were handed over to the office.`;
  return [handed ? arrived : "There was nothing to hand over.", ...(left ? [gone] : [])];
}

/** @param {Order} order */
function needsOffice({ hand_over: handsOver, is_done: isDone }) {
  return handsOver && !isDone;
}

/** @returns {Promise<Order | null>} */
async function stored() {
  const found = await withStore((db) => read(db, "session", NAME));
  return typeof found?.revoked_at === "string" ? found : null;
}
