// Hands in a file of saved work: it is opened in this browser, and what is in it goes to the office as its
// device would have sent it. Its passphrase goes nowhere.

import { askOffice, NoAnswer } from "../../office.js";
import { write } from "../../store.js";
import { withStore, whatIsHere } from "../device/owner.js";
import { openedHere } from "../lock/opening.js";
import { batches } from "../work/batches.js";
import { unseal } from "../work/sealed-file.js";
import { unzip } from "../work/unzip.js";
import { onPage } from "../page/document.js";
import { ask, make } from "../page/elements.js";
import { userName } from "../page/context.js";

/**
 * @typedef {{envelope: string | null, user: string, number: number, outcome: string, message: string}} Told
 * @typedef {{envelopes: Blob[], files: Map<string, Blob>, drafts: [string, any][]}} Work
 * files: by SHA-256
 */

const COUNTED = new Map([[0, "No entry was in the file"], [1, "One entry was in the file"]]);
const PATIENCE_MS = 300_000;
/** What the office has by now, once and for all. */
const ARRIVED = new Set(["accepted", "merged", "duplicate"]);
const AT_THE_OFFICE = new Set(["waiting", "conflict", "invalid", "forbidden"]);

/** Let the page's form work: without this script nothing opens the file. */
export function startHandingIn() {
  onPage((main) => main.querySelector("#hand-in button")?.removeAttribute("disabled"));
}

/** @param {HTMLFormElement} form */
export async function handIn(form) {
  const [file, passphrase] = form.querySelectorAll("input");
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button");
  const place = document.getElementById("handed-in");
  if (!problem || !button || !place || !file.files?.length) return;
  problem.textContent = "";
  place.replaceChildren(make("p", { role: "status" }, "The file is being opened…"));
  button.disabled = true;
  try {
    const work = await workIn(await unseal(file.files[0], passphrase.value));
    if (!(await isMeant(work))) {
      place.replaceChildren(make("p", { role: "status" }, "Nothing was handed in."));
      return;
    }
    place.replaceChildren(make("p", { role: "status" }, "It is being handed in…"));
    await sendFiles(work);
    const told = await sendEnvelopes(work.envelopes);
    const drafts = await takeDrafts(work);
    place.replaceChildren(...result(work, told, drafts));
    passphrase.value = "";
  } catch (error) {
    console.info(error);
    place.replaceChildren();
    problem.textContent = wordsOf(error);
  } finally {
    button.disabled = false;
  }
}

/**
 * Have a person say that it is whose she thinks it is: a file may hold what somebody else has made up.
 * @param {Work} work
 * @returns {Promise<boolean>}
 */
async function isMeant({ envelopes }) {
  const all = await Promise.all(envelopes.map((each) => json(each, {})));
  const users = [...new Set(all.map(({ user }) => String(user)))];
  if (users.length > 1) throw new Error("The file holds work of several people: no device makes such a file. Nothing of it was used.");
  if (!users.length || users[0] === userName()) return true;
  const entries = all.length === 1 ? "1 entry" : `${all.length} entries`;
  return ask("Whose work is it?", (/** @type {(value: boolean) => void} */ finish) => [
    make("p", {}, "The file says that it holds ", make("strong", {}, `${entries} of ${users[0]}`), ". They count as hers, and it is kept that you have handed them in. Go on only if you have the file from her."),
    make(
      "div",
      { class: "form-actions" },
      make("button", { type: "button", class: "button primary", onclick: () => finish(true) }, "Hand it in for her"),
      make("button", { type: "button", class: "button", onclick: () => finish(false) }, "Do not"),
    ),
  ], false);
}

/** @param {unknown} error */
function wordsOf(error) {
  if (error instanceof RangeError) return "The file is damaged. Nothing of it was used.";
  if (error instanceof NoAnswer) return "The office cannot be reached. What has arrived stays; hand the file in again with a connection.";
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {Blob} packed
 * @returns {Promise<Work>}
 */
async function workIn(packed) {
  const found = await unzip(packed);
  const names = [...found.keys()].sort();
  const of = (/** @type {string} */ folder) => names.filter((name) => name.startsWith(folder));
  const drafts = await json(found.get("drafts.json"), []);
  return {
    envelopes: of("envelopes/").map((name) => /** @type {Blob} */ (found.get(name))),
    files: new Map(of("attachments/").map((name) => [name.slice(12, 76), /** @type {Blob} */ (found.get(name))])),
    drafts: (Array.isArray(drafts) ? drafts : []).filter(isDraft),
  };
}

/** @param {any} pair */
function isDraft(pair) {
  return Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "object" && pair[1] !== null;
}

/** @param {Blob | undefined} file @param {any} otherwise */
async function json(file, otherwise) {
  try {
    return file ? JSON.parse(await file.text()) : otherwise;
  } catch {
    return otherwise; // the entries are what counts
  }
}

/**
 * Send the pictures and files that the entries refer to; one that the office has is no trouble.
 * @param {Work} work
 */
async function sendFiles({ envelopes, files }) {
  for (const envelope of envelopes) {
    const { operations = [] } = await json(envelope, {});
    for (const { sha256, name, type } of references(operations)) {
      const content = files.get(sha256);
      if (content) await sendFile(sha256, name, type, content);
    }
  }
}

/**
 * @param {any} value
 * @returns {{sha256: string, name: string, type: string}[]}
 */
function references(value) {
  if (typeof value !== "object" || value === null) return [];
  const mine = typeof value.sha256 === "string" ? [{ sha256: value.sha256, name: String(value.name ?? "file"), type: String(value.type ?? "") }] : [];
  return [...mine, ...Object.values(value).flatMap(references)];
}

/**
 * @param {string} sha256
 * @param {string} name
 * @param {string} type
 * @param {Blob} content
 */
async function sendFile(sha256, name, type, content) {
  const path = `/attachments/${encodeURIComponent(sha256)}?name=${encodeURIComponent(name)}`;
  const headers = { "Content-Type": type, "Fieldpost-Shell": "1" };
  const answer = await askOffice(path, { method: "PUT", body: await content.arrayBuffer(), headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401) throw new Error("Sign in first; then hand the file in again.");
  // what is refused the entry says: it waits for the file, or is repaired without it
}

/**
 * @param {Blob[]} envelopes
 * @returns {Promise<Told[]>}
 */
async function sendEnvelopes(envelopes) {
  const told = [];
  for (const some of batches(envelopes)) told.push(...(await sendBatch(some)));
  return told;
}

/**
 * @param {Blob[]} envelopes
 * @returns {Promise<Told[]>}
 */
async function sendBatch(envelopes) {
  const body = new Blob(envelopes.flatMap((each) => [each, "\n"]));
  const headers = { "Content-Type": "application/x-ndjson", "Fieldpost-Shell": "1" };
  const answer = await askOffice("/sync/hand-in", { method: "POST", body: await body.arrayBuffer(), headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  const text = await answer.text();
  if (answer.status === 401) throw new Error("Sign in first; then hand the file in again.");
  if (answer.status !== 200) throw new Error(JSON.parse(text).error?.message ?? `The office answered ${answer.status}.`);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/**
 * Take over what was typed and not saved, on a device of the same user; never over what is there.
 * @param {Work} work
 * @returns {Promise<{taken: number, left: number}>}
 */
async function takeDrafts({ drafts, files }) {
  const mine = drafts.filter(([, draft]) => draft.user === userName());
  const here = await whatIsHere().catch(() => null);
  if (!mine.length || here?.owner !== userName()) return { taken: 0, left: drafts.length };
  // this page came from the office: what it keeps is sealed as all else is
  if (!(await openedHere("Your PIN opens this device, so that it can take what was not saved."))) return { taken: 0, left: drafts.length };
  let taken = 0;
  for (const [key, draft] of mine) {
    const staged = await stagedOf(key, draft, files);
    // fault point: draft-untaken — a draft and its pictures come in one transaction: handing the file in again
    // brings those that are not here.
    const added = withStore((db) => write(db, [["add", "drafts", key, draft], ...staged]));
    taken += Number(await added.then(() => true, () => false)); // it is here already
  }
  return { taken, left: drafts.length - mine.length };
}

/**
 * @param {string} key
 * @param {any} draft
 * @param {Map<string, Blob>} files
 * @returns {Promise<import("../../store.js").Operation[]>} what keeps the pictures that a draft holds
 */
async function stagedOf(key, draft, files) {
  const held = (Array.isArray(draft.fields) ? draft.fields : []).flatMap((/** @type {any} */ pair) => references(parsed(pair?.[1])));
  /** @type {import("../../store.js").Operation[]} */
  const kept = [];
  for (const { sha256, name, type } of held) {
    const bytes = await files.get(sha256)?.arrayBuffer();
    if (bytes) kept.push(["put", "staged", sha256, { bytes, type, name, size: bytes.byteLength, draft: key }]);
  }
  return kept;
}

/** @param {unknown} text */
function parsed(text) {
  try {
    return JSON.parse(String(text));
  } catch {
    return null; // most fields hold no files
  }
}

/**
 * @param {Work} work
 * @param {Told[]} told
 * @param {{taken: number, left: number}} drafts
 */
function result({ envelopes }, told, drafts) {
  const count = (/** @type {(each: Told) => boolean} */ is) => told.filter(is).length;
  const arrived = count(({ outcome }) => ARRIVED.has(outcome) && outcome !== "duplicate");
  const before = count(({ outcome }) => outcome === "duplicate");
  const open = count(({ outcome, envelope }) => AT_THE_OFFICE.has(outcome) && envelope !== null);
  const refused = told.filter(({ outcome, message }) => !ARRIVED.has(outcome) && (message || !AT_THE_OFFICE.has(outcome)));
  const lines = [
    [arrived, "applied at the office now"],
    [before, "there before, and done"],
    [open, "at the office, where somebody has to see to it"],
    [drafts.taken, "not saved: to be gone on with on this device"],
    [drafts.left, "filled in and not saved: only a device of its user takes that"],
  ];
  return [
    make("h2", {}, COUNTED.get(envelopes.length) ?? `${envelopes.length} entries were in the file`),
    make("ul", {}, ...lines.filter(([n]) => n).map(([n, words]) => make("li", {}, `${n} ${words}`))),
    ...[...new Set(refused.map(({ message, outcome }) => message || `Not taken: ${outcome}`))].map((words) => make("p", { class: "problem" }, words)),
  ];
}
