// The shell: takes over links and forms of every page, and starts Python on a field worker's device.

import { startAttachments } from "./form/attachments.js";
import { startChoices } from "./form/choices.js";
import { startChoosing } from "./form/conflict-choice.js";
import { context, closeDatabase, userName } from "./page/context.js";
import { startDraftList } from "./form/draft-list.js";
import { startDrafts, keepDraft, releaseDraft } from "./form/drafts.js";
import { fadeStatus, make } from "./page/elements.js";
import { exportButton, startExporting } from "./device/export.js";
import { startForms } from "./form/forms.js";
import { startAccountMenu } from "./page/account-menu.js";
import { startMissingPictures } from "./page/missing-pictures.js";
import { giveUpVisits, startNavigation, visit } from "./page/navigation.js";
import { startPasskeys } from "./page/passkeys.js";
import { enhance, showOwn } from "./page/document.js";
import { startProblems } from "./form/problems.js";
import { startDevice } from "./device/setup.js";
import { whatIsHere } from "./device/owner.js";
import { startKeeping } from "./kept/kept-pages.js";
import { showFirst, startKeptPages } from "./kept/first-page.js";
import { showAnother } from "./device/another-user.js";
import { showResult, signOut } from "./device/sign-out.js";
import { handIn, startHandingIn } from "./leaving/hand-in.js";
import { forget, wipeHere } from "./leaving/forgotten.js";
import { startLocking } from "./leaving/locked.js";
import { goOnObeying, startObeying } from "./leaving/revoked.js";
import { startTelling } from "./leaving/telling.js";
import { startIdling } from "./lock/idle.js";
import { startOpeningFiles } from "./lock/open-files.js";
import { startOwnPin } from "./lock/own-pin.js";
import { isSealing } from "../sealing.js";
import { startSignatures } from "./form/signature-pad.js";
import { startSyncButton } from "./device/sync-button.js";
import { showInsecure, startInsecure } from "./window/insecure.js";
import { beTheOne } from "./device/single-tab.js";
import { finishLeaving } from "./device/wipe.js";
import { within } from "../limits.js";

const LETTING_GO_MS = 1_500;
/** Where the app asks for no PIN any more, and this device still has one. */
const IDLE_S = 300;

async function start() {
  startNavigation();
  startAccountMenu();
  fadeStatus();
  startPasskeys();
  startForms({ "/sign-out": signOut, "/hand-in": handIn });
  startProblems();
  startAttachments();
  startMissingPictures();
  startSignatures();
  startChoices();
  startChoosing();
  startExporting();
  startDrafts();
  startDraftList();
  startHandingIn();
  startInsecure();
  startOpeningFiles();
  if (document.body.dataset.home !== "shell") {
    enhance({ fresh: true, same: false });
    if (await goOnObeying(null).catch((error) => console.info(error))) return;
    await finishLeaving().catch((error) => console.info(error)); // there is a next page
    return;
  }
  startSyncButton();
  const takeOver = () => beTheOne(letGo);
  startObeying(takeOver);
  if (await goOnObeying(takeOver)) return;
  const left = await finishLeaving();
  if (left) {
    showResult(left);
    return;
  }
  if (showInsecure(signOut)) return;
  const here = location.pathname + location.search;
  if (isSecureContext && !(await openDevice(here, takeOver))) return;
  if (await visit(here, { history: "replace" })) {
    // before its first download nobody knew whose device this is
    startKeeping(context.manifest?.version ?? "", userName());
    return;
  }
  const again = make("a", { class: "button primary", href: here }, "Try again");
  const home = make("a", { class: "button", href: "/" }, "Back to the start");
  showOwn("This page could not be shown", make("p", {}, "Nothing that you saved is lost."), again, " ", home, exportButton());
}

/**
 * Open the device, where this person may see it.
 * @param {string} here address of the page
 * @param {() => Promise<void>} takeOver makes this tab the one that works with the data
 * @returns {Promise<boolean>} whether the page is still to be shown
 */
async function openDevice(here, takeOver) {
  const found = await whatIsHere();
  if (await showAnother(found)) return false;
  if (await startLocking(letGo)) return false;
  await takeOver();
  /** @type {ReturnType<typeof showFirst>} */
  let first = Promise.resolve(null);
  const makeLockable = once(startLockable);
  const opened = (/** @type {import("./kept/starting-device.js").StartingDevice} */ device) => {
    startKeptPages(found);
    first = showFirst(here, device);
    // what is seen can be locked
    void first.then((shown) => shown && makeLockable());
  };
  if (!(await startDevice({ forget, wipe: wipeHere }, { opened }))) {
    await goOnObeying(takeOver);
    return false;
  }
  const { device } = context;
  makeLockable();
  startTelling();
  const isShown = await goneOn(await first);
  // else somebody goes on elsewhere, or has ended it
  return !isShown && device !== null && context.device === device;
}

/**
 * Wait until Python has answered for a kept page.
 * @param {{visit: Promise<unknown>} | null} first
 * @returns {Promise<boolean>} false: there was none, or it had to go
 */
async function goneOn(first) {
  await first?.visit;
  return first !== null && document.body.dataset.home !== "shell";
}

/** @param {() => void} work @returns {() => void} does it the first time only */
function once(work) {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

/** Let the device be locked, by a tap or where nobody is there. */
function startLockable() {
  startOwnPin();
  if (isSealing()) startIdling(context.manifest?.pin?.idle_s ?? IDLE_S, letGo);
}

/**
 * Keep what is typed; then another tab goes on. What is being saved ends, a slow sync does not hold
 * anybody up: whatever it still wants to write is refused.
 */
async function letGo() {
  await within(LETTING_GO_MS, keepDraft(), "Keeping the draft").catch((error) => console.info(error));
  releaseDraft();
  giveUpVisits();
  const { device } = context;
  context.device = null;
  void within(LETTING_GO_MS, closeDatabase(), "Closing the data").catch((error) => console.info(error));
  await device?.idle(LETTING_GO_MS);
  device?.end();
}

start().catch((error) => {
  console.error(error);
  const again = make("button", { type: "button", class: "button primary", onclick: () => location.reload() }, "Try again");
  const words = "This device could not start. Nothing that you saved is lost.";
  showOwn("That did not work", make("p", { role: "alert" }, words), make("p", {}, String(error)), again, exportButton());
});
