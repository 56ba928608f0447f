// Somebody else than the device's owner is signed in here: nothing of the owner is shown, and both can go on.

import { context, signedIn } from "../page/context.js";
import { make } from "../page/elements.js";
import { showOwn } from "../page/document.js";
import { visit } from "../page/navigation.js";
import { signIn } from "../page/sign-in.js";
import { lock, whatIsHere } from "./owner.js";
import { endSession } from "./sign-out.js";
import { removeDataOf } from "./wipe.js";

/** @typedef {import("./owner.js").Here} Here */

/**
 * Show whose data is here, if it is another's.
 * @param {Here} here
 * @returns {Promise<boolean>} false: whoever is signed in may see this device
 */
export async function showAnother(here) {
  const user = signedIn();
  if (!here.owner || user === here.owner || (!user && !here.isLocked)) {
    if (here.isLocked && user === here.owner) await lock(false);
    return false;
  }
  if (!here.isLocked) await lock(true);
  showWhose(here, user);
  return true;
}

/**
 * @param {Here} here
 * @param {string} user
 */
function showWhose(here, user) {
  const { owner } = here;
  const drafts = here.drafts.filter(([, draft]) => draft.user === owner).length;
  const unsent = here.pending + here.stuck + drafts;
  const what = unsent === 1 ? "One thing of it is" : `${unsent} things of it are`;
  const kept = unsent
    ? `${what} not at the office yet. Nobody but ${owner} can see or remove it.`
    : `Everything of it is at the office. Nobody but ${owner} can see it.`;
  const button = (/** @type {string} */ words, /** @type {() => unknown} */ act, style = "") =>
    make("button", { type: "button", class: `button ${style}`, onclick: () => void act() }, words);
  showOwn(
    `This device is ${owner}'s`,
    make("p", {}, user ? `You are signed in as ${user}. This browser keeps the work of ${owner}.` : `This browser keeps the work of ${owner}.`),
    make("p", {}, kept),
    make("p", {}, `It opens when ${owner} signs in, which needs a connection: no password is kept here that others could find.`),
    make(
      "div",
      { class: "form-actions" },
      button(`Sign in as ${owner}`, () => signInAs(owner), "primary"),
      ...(user ? [] : [button("Sign in as somebody else", () => visit("/sign-in", { history: "replace" }))]),
      ...(user ? [button(`Go on as ${user}, with a connection`, goOn)] : []),
      ...(user && !unsent ? [button(`Remove it and use this device as ${user}`, () => takeDevice(owner))] : []),
      ...(user ? [button(`Sign ${user} out`, leave)] : []),
    ),
  );
}

/** @param {string} owner */
async function signInAs(owner) {
  context.user = owner;
  if (await signIn(`Sign in as ${owner} to go on. Nothing is lost.`)) location.reload();
}

/** Pages come from the server, and what is saved goes there: the device's data is not touched. */
function goOn() {
  context.user = signedIn();
  return visit(location.pathname + location.search, { history: "replace" });
}

/** @param {string} owner */
async function takeDevice(owner) {
  const { pending, stuck, drafts } = await whatIsHere();
  if (!pending && !stuck && !drafts.some(([, draft]) => draft.user === owner)) await removeDataOf(owner, { owner: true });
  location.reload();
}

async function leave() {
  await endSession();
  location.reload();
}
