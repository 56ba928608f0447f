// A device that had no contact with its office for too long shows nothing until its user has signed in, with a
// connection. The app says how long that is; most say nothing, and are never locked.

import { read, write } from "../../store.js";
import { withStore } from "../device/owner.js";
import { onAnswer } from "../device/sync-button.js";
import { context } from "../page/context.js";
import { showOwn } from "../page/document.js";
import { make } from "../page/elements.js";
import { signIn } from "../page/sign-in.js";

/**
 * @typedef {{at: number, seen: number, isLocked: boolean}} Contact
 * at: the device's clock at the last contact; seen: the latest that it has shown since. Both in milliseconds.
 */

const NAME = "contact";
const LOOK_EVERY_MS = 60_000;
/** Clocks are put right by seconds. One that goes back by more may have been put back. */
const BACK_MS = 3_600_000;

/**
 * Say whether a device is locked by now.
 * @param {Contact} contact
 * @param {number} now
 * @param {number} longestMs
 * @returns {boolean} also where its clock has gone back: how long it was without contact nobody knows then
 */
export function isOver({ at, seen, isLocked }, now, longestMs) {
  return isLocked || now < Math.max(at, seen) - BACK_MS || Math.max(now, seen) - at > longestMs;
}

/**
 * Show nothing where it is locked; else look again now and then.
 * @param {() => Promise<void>} letGo keeps what is typed, and ends this tab's work
 * @returns {Promise<boolean>} whether it is locked
 */
export async function startLocking(letGo) {
  onAnswer(({ outcome }) => {
    if (outcome === "done") void noteContact().catch((error) => console.info(error)); // the next one counts
  });
  if (await look()) {
    show();
    return true;
  }
  const look_ = async () => {
    if (!context.device || !(await look())) return;
    clearInterval(timer);
    await letGo();
    show();
  };
  const timer = setInterval(() => void look_().catch((error) => console.info(error)), LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", () => void look_().catch((error) => console.info(error)));
  return false;
}

/** @returns {Promise<boolean>} whether it is locked; kept, so that no clock opens it again */
async function look() {
  const locked = await withStore(async (db) => {
    const longest = (await read(db, "session", "settings"))?.lock_after_s;
    if (typeof longest !== "number") return false;
    const now = Date.now();
    const known = contactOf(await read(db, "session", NAME), now);
    const isLocked = isOver(known, now, longest * 1000);
    // fault point: clock-unseen — how late it is by now is not kept: the next look keeps it.
    await write(db, [["put", "session", NAME, { ...known, seen: Math.max(now, known.seen), isLocked }]]);
    return isLocked;
  });
  return locked === true;
}

/**
 * @param {any} stored
 * @param {number} now
 * @returns {Contact} where nothing is known the time begins now: the app has begun to ask for it
 */
function contactOf(stored, now) {
  const { at, seen, isLocked } = stored ?? {};
  const isSound = [at, seen].every((each) => typeof each === "number" && Number.isFinite(each));
  return isSound ? { at, seen, isLocked: isLocked === true } : { at: now, seen: now, isLocked: stored !== undefined };
}

/** The office has answered: the time begins anew, unless it was over. */
async function noteContact() {
  await withStore(async (db) => {
    const known = contactOf(await read(db, "session", NAME), Date.now());
    // fault point: contact-unkept — the time goes on from the contact before.
    if (!known.isLocked) await begin(db);
  });
}

/** @param {IDBDatabase} db */
function begin(db) {
  const now = Date.now();
  // fault point: lock-unopened — it stays locked, or its time goes on: signing in once more opens it.
  return write(db, [["put", "session", NAME, { at: now, seen: now, isLocked: false }]]);
}

function show() {
  const open = async () => {
    const user = await withStore((db) => read(db, "session", "user"));
    context.user = typeof user?.name === "string" ? user.name : "";
    if (!(await signIn("Sign in to open this device. Nothing is lost."))) return;
    await withStore(begin);
    location.reload();
  };
  showOwn(
    "This device is locked",
    make("p", {}, "It had no contact with the office for longer than your office allows, or its clock was put back. What you saved is still on it."),
    make("p", {}, "It opens when you sign in, which needs a connection."),
    make("div", { class: "form-actions" }, make("button", { type: "button", class: "button primary", onclick: () => void open() }, "Sign in")),
  );
}
