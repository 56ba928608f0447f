// Drafts as they are stored: what was typed into a form and not saved, by the form's key.
//
// A key is the form's address and, for all but repairs, the id of the envelope that the form becomes:
// two tabs with the same address have two drafts.

import { database, userName } from "../page/context.js";
import { isSealed } from "../../sealing.js";
import { labels, read, readAll, write } from "../../store.js";

/**
 * @typedef {{fields: [string, string][], saved_at: string, user: string, title?: string,
 *   thrown_at?: string}} Draft
 * @typedef {import("../../store.js").Operation} Operation
 */

/** What was thrown away can be had back for so long. */
const KEPT_MS = 24 * 3_600_000;

/**
 * What a stored draft still says, whatever became of it: what cannot be read of it is told.
 * @param {any} stored
 * @returns {{draft: Draft, isWhole: boolean}}
 */
export function mended(stored) {
  const isObject = typeof stored === "object" && stored !== null;
  const { fields, saved_at: saved, user, title, thrown_at: thrown } = isObject ? stored : {};
  const pairs = Array.isArray(fields) ? fields : [];
  const sound = pairs.filter(isPair);
  const isWhole =
    Array.isArray(fields) && sound.length === pairs.length && typeof saved === "string" && typeof user === "string";
  const draft = {
    fields: sound,
    saved_at: textOf(saved),
    // a draft that lost its owner's name is shown to whom this device belongs: nobody else opens it
    user: typeof user === "string" ? user : userName(),
    title: textOf(title),
    thrown_at: textOf(thrown),
  };
  return { draft, isWhole };
}

/** @param {unknown} pair @returns {pair is [string, string]} */
function isPair(pair) {
  return Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === "string" ? value : "";
}

/** @returns {Promise<[string, {draft: Draft, isWhole: boolean}][]>} of everybody */
async function everyDraft() {
  const all = await readAll(await database(), "drafts");
  // what is sealed, and not opened, is somebody's whose device is closed
  return all.filter(([, stored]) => !isSealed(stored)).map(([key, stored]) => [String(key), mended(stored)]);
}

/** The address of a draft's form. @param {string} key */
export function addressOf(key) {
  return key.split("#")[0];
}

/**
 * The drafts of the signed-in user, the newest first, without those that were thrown away.
 * @param {string} [address] of one form only
 * @returns {Promise<[string, Draft][]>}
 */
export async function draftsOf(address) {
  const all = await everyDraft();
  const mine = all.filter(([key, { draft }]) => {
    const isHere = address === undefined || addressOf(key) === address;
    return draft.user === userName() && !draft.thrown_at && isHere && draft.fields.length > 0;
  });
  const found = mine.map(([key, { draft }]) => /** @type {[string, Draft]} */ ([key, draft]));
  return found.sort(([, one], [, other]) => other.saved_at.localeCompare(one.saved_at));
}

/**
 * The keys of the signed-in user's drafts of which something, or everything, cannot be read any more.
 * @returns {Promise<Set<string>>}
 */
export async function damagedDrafts() {
  const all = await everyDraft();
  const mine = all.filter(([, { draft, isWhole }]) => !isWhole && draft.user === userName() && !draft.thrown_at);
  return new Set(mine.map(([key]) => key));
}

/** @param {string} key @param {Draft} draft */
export async function putDraft(key, draft) {
  // fault point: draft-stored — the draft is there, whole, and the form is still open.
  await keep(await database(), [["put", "drafts", key, draft]]);
}

/**
 * Forget a draft and the pictures that were chosen for it: it was saved.
 * @param {string} key
 */
export async function forgetDraft(key) {
  await forgetAll([key]);
}

/**
 * Throw a draft away, so that it can still be had back for a while.
 * @param {string} key
 * @returns {Promise<boolean>} whether there was one
 */
export async function throwAway(key) {
  const db = await database();
  const draft = await read(db, "drafts", key);
  if (draft === undefined || isSealed(draft)) return false;
  // fault point: draft-not-put-aside — the draft is there as it was: its form comes back once more.
  await keep(db, [["put", "drafts", key, { ...mended(draft).draft, thrown_at: new Date().toISOString() }]]);
  return true;
}

/** Have a draft back that was thrown away. @param {string} key */
export async function takeBack(key) {
  const db = await database();
  /** @type {Draft | undefined} */
  const draft = await read(db, "drafts", key);
  // fault point: draft-not-taken-back — the draft stays put aside, and is still offered back.
  if (draft && !isSealed(draft)) await keep(db, [["put", "drafts", key, { ...draft, thrown_at: "" }]]);
}

/** Forget what was thrown away long ago. */
export async function forgetOld() {
  const since = new Date(Date.now() - KEPT_MS).toISOString();
  const old = (await everyDraft()).filter(([, { draft }]) => draft.thrown_at && draft.thrown_at < since);
  await forgetAll(old.map(([key]) => key));
}

/**
 * A record got its real key: its drafts go with it.
 * @param {string} from
 * @param {string} to
 */
export async function moveDrafts(from, to) {
  const db = await database();
  const all = /** @type {[string, Draft][]} */ (await readAll(db, "drafts"));
  const moved = all.filter(([key, draft]) => addressOf(key) === from && !isSealed(draft) && [userName(), undefined].includes(draft?.user));
  /** @type {Operation[]} */
  const operations = moved.flatMap(([key, draft]) => [
    /** @type {Operation} */ (["put", "drafts", to + key.slice(from.length), draft]),
    /** @type {Operation} */ (["delete", "drafts", key]),
  ]);
  // fault point: draft-unmoved — the draft is under one of the two addresses, never under none: the old one
  // still leads to the record, and the draft moves with the next visit there.
  await keep(db, operations);
}

/**
 * Give a draft that a former version kept by its address alone the id of the form that is open.
 * @param {[string, Draft]} former
 * @param {string} key
 * @returns {Promise<[string, Draft]>}
 */
export async function renewDraft([former, draft], key) {
  const [, identity] = key.split("#");
  const fields = /** @type {[string, string][]} */ ([...draft.fields, ["_envelope", identity]]);
  const renewed = { ...draft, fields };
  // fault point: draft-unrenewed — the draft is under one of its two keys, and comes back either way.
  await keep(await database(), [["put", "drafts", key, renewed], ["delete", "drafts", former]]);
  return [key, renewed];
}

/** @param {string[]} keys */
async function forgetAll(keys) {
  if (!keys.length) return;
  const db = await database();
  const gone = new Set(keys);
  const others = (await readAll(db, "drafts")).filter(([key]) => !gone.has(String(key)));
  const used = JSON.stringify(others);
  // what a closed draft refers to nobody sees: then its pictures stay, too
  const isClear = !others.some(([, draft]) => isSealed(draft));
  const staged = (await labels(db, "staged")).filter(
    ([sha256, value]) => isClear && gone.has(value?.draft) && !used.includes(String(sha256)),
  );
  /** @type {Operation[]} */
  const operations = staged.map(([sha256]) => ["delete", "staged", sha256]);
  operations.push(...keys.map((key) => /** @type {Operation} */ (["delete", "drafts", key])));
  // fault point: draft-unforgotten — the draft and its pictures stay, together: the form comes back with
  // them, and sent again it is the same envelope.
  await keep(db, operations);
}

/**
 * @param {IDBDatabase} db
 * @param {Operation[]} operations
 */
function keep(db, operations) {
  // fault point: drafts-relaxed — a power cut may take the last moment of typing; what is saved is strict.
  return write(db, operations, { durability: "relaxed" });
}
