// Saves all work that the office has not confirmed as one file, straight from the store: it needs
// neither Python nor a connection, and takes what it finds as it is, readable or not.

import { database, userName } from "../page/context.js";
import { announce, make } from "../page/elements.js";
import { bytesOf } from "../../file-bytes.js";
import { keys, readAll } from "../../store.js";
import { openedHere } from "../lock/opening.js";
import { whatIsHere } from "./owner.js";
import { zip } from "../work/zip.js";
import { dayOf, momentWords } from "../page/moments.js";

/**
 * @typedef {import("../work/zip.js").File} File
 * @typedef {[IDBValidKey, any][]} Pairs
 */

const README = `Work that was not at the office when this file was made.

envelopes/    each saved form, as it is sent
receipts/     what the office answered last
unreadable/   what this device could not make out
attachments/  pictures and files of these, by SHA-256
drafts.json   what was typed and not saved
device.json   whose device it is, and where it stands

`;
/** A start that takes longer than this may never end. */
const SLOW_MS = 15_000;
const SLOW = "This takes longer than usual. What you saved is safe on this device, and you can save it as a file.";
const STATES = new Map([
  ["pending", "waits to be sent"],
  ["attention", "needs attention"],
  ["confirmed", "applied at the office"],
]);

/** Let the buttons of all pages work. */
export function startExporting() {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-export]") : null;
    if (button) void exportWork();
  });
}

/** A button for pages that the shell makes itself. */
export function exportButton() {
  return make("button", { type: "button", class: "button", "data-export": true }, "Save my work as a file");
}

/**
 * Offer the file where the start takes too long: some starts neither end nor fail, and what was
 * saved must not be locked in behind them.
 * @returns {() => void} takes the offer back
 */
export function offerWorkIfSlow() {
  const timer = setTimeout(() => void offerWork().catch((error) => console.info(error)), SLOW_MS);
  return () => {
    clearTimeout(timer);
    document.getElementById("slow-start")?.remove();
  };
}

async function offerWork() {
  if (!(await keys(await database(), "outbox")).length) return;
  const words = make("p", {}, SLOW);
  const offer = make("div", { id: "slow-start", class: "notice", role: "status" }, words, exportButton());
  if (document.body.dataset.home === "shell") document.getElementById("main")?.append(offer);
  // a kept page may be long, and others follow: it stays in its place at the bottom of the screen
  else if (document.documentElement.dataset.starting !== undefined) {
    offer.dataset.keep = "";
    document.body.append(offer);
  }
}

/** @returns {Promise<{blob: Blob, name: string}>} all of it as one file, and what that is called */
export async function packedWork() {
  if (!(await openedHere("What is kept on this device is encrypted. Your PIN opens it for the file."))) throw new Error("it was not opened");
  const now = new Date();
  const blob = await zip(await filesOf(await database(), now), now);
  return { blob, name: `unsent-work-${userName() || "device"}-${dayOf(now)}.zip` };
}

/**
 * Have the browser save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function handOut(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Hand the file to the person. */
export async function exportWork() {
  try {
    const { blob, name } = await packedWork();
    handOut(blob, name);
    announce("The file is ready", "done");
  } catch (error) {
    console.info(error);
    announce(`The file could not be made: ${String(error)}`, "problem");
  }
}

/**
 * @param {IDBDatabase} db
 * @param {Date} now
 * @returns {Promise<File[]>}
 */
async function filesOf(db, now) {
  const [outbox, attachments, staged, drafts, session] = await Promise.all(
    ["outbox", "attachments", "staged", "drafts", "session"].map((name) => readAll(db, name)),
  );
  const user = userName();
  const isOthers = user !== "" && ![user, ""].includes((await whatIsHere()).owner);
  if (isOthers) return onlyDrafts(drafts, staged, user);
  const others = new Set(drafts.filter(([, draft]) => isOfAnother(draft, user)).map(([key]) => key));
  const entries = outbox.flatMap(([number, value]) => filesOfEntry(Number(number), value));
  const named = JSON.stringify(outbox);
  const wanted = attachments.filter(([sha256, file]) => file?.state === "pending" || named.includes(String(sha256)));
  const typed = staged.filter(([, value]) => !others.has(value?.draft));
  return [
    text("summary.txt", summary(outbox, wanted.length + typed.length, now)),
    ...entries,
    ...(await filesAsTheyAre([...wanted, ...typed])),
    text("drafts.json", JSON.stringify(drafts.filter(([key]) => !others.has(key)), null, 1)),
    text("device.json", JSON.stringify(aboutDevice(session), null, 1)),
  ];
}

/**
 * Whether a draft is of somebody else, who has used this browser.
 * @param {any} draft
 * @param {string} user
 */
function isOfAnother(draft, user) {
  return user !== "" && typeof draft?.user === "string" && ![user, ""].includes(draft.user);
}

/**
 * On a device of somebody else there are only drafts of one's own.
 * @param {Pairs} drafts
 * @param {Pairs} staged
 * @param {string} user
 * @returns {Promise<File[]>}
 */
async function onlyDrafts(drafts, staged, user) {
  const mine = drafts.filter(([, draft]) => draft?.user === user);
  const keysOfMine = new Set(mine.map(([key]) => key));
  const files = staged.filter(([, value]) => keysOfMine.has(value?.draft));
  return [
    ...(await filesAsTheyAre(files)),
    text("drafts.json", JSON.stringify(mine, null, 1)),
  ];
}

/**
 * @param {number} number
 * @param {any} value
 * @returns {File[]}
 */
function filesOfEntry(number, value) {
  const name = `${String(number).padStart(6, "0")}.json`;
  if (typeof value?.envelope !== "string") {
    return [text(`unreadable/${name}`, JSON.stringify(value) ?? String(value))];
  }
  const receipt = value.receipt ? [text(`receipts/${name}`, JSON.stringify(value.receipt))] : [];
  return [text(`envelopes/${name}`, value.envelope), ...receipt];
}

/**
 * Pictures and files; of one whose bytes are gone the name, so that all the rest is had.
 * @param {Pairs} pairs
 * @returns {Promise<File[]>}
 */
function filesAsTheyAre(pairs) {
  return Promise.all(pairs.map(async ([sha256, value]) => fileOf(String(sha256), value, await bytesOf(value))));
}

/**
 * @param {string} sha256
 * @param {any} value
 * @param {ArrayBuffer | null} bytes
 * @returns {File}
 */
function fileOf(sha256, value, bytes) {
  const [name, type] = [value?.name, value?.type].map((each) => (typeof each === "string" ? each : ""));
  if (!bytes) return text(`attachments/${sha256}.missing.txt`, `The browser has lost the bytes of ${name || sha256}.`);
  const ending = /\.\w{1,8}$/.exec(name)?.[0] ?? `.${(type.split("/")[1] ?? "bin").replace(/\W.*/, "")}`;
  return { name: `attachments/${sha256}${ending}`, data: new Blob([bytes]) };
}

/** @param {string} name @param {string} content @returns {File} */
function text(name, content) {
  return { name, data: new Blob([content]) };
}

/**
 * What is in the file, for people.
 * @param {Pairs} outbox
 * @param {number} files
 * @param {Date} now
 */
function summary(outbox, files, now) {
  const lines = outbox.map(([number, value]) => lineOf(Number(number), value));
  const counted = `${outbox.length} saved forms, ${files} pictures or files, made ${momentWords(now)}`;
  return [README, counted, "", ...lines, ""].join("\n");
}

/** @param {number} number @param {any} value */
function lineOf(number, value) {
  const { page = "", title = "", saved_at: saved = "", state = "", receipt = null } = value ?? {};
  const messages = (receipt?.problems ?? []).map((/** @type {any} */ each) => `\n    ${each.message}`);
  return `${number}  ${saved}  ${page}: ${title}, ${STATES.get(state) ?? state}${messages.join("")}`;
}

/** @param {Pairs} session nothing that opens anything: only whose device it is */
function aboutDevice(session) {
  const told = new Set(["device", "user", "next_number", "last_digest", "last_sync", "shell", "keys"]);
  return Object.fromEntries(session.filter(([name]) => told.has(String(name))));
}
