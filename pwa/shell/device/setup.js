// Starts a device: files, Python, data. The first time with a progress screen that survives a lost
// connection and a reload.

import { context, locale } from "../page/context.js";
import { Device } from "./device.js";
import { offerWorkIfSlow } from "./export.js";
import { offerRetry, sayPreparing, showStep } from "./progress.js";
import { isClosed, opening } from "../lock/opening.js";
import { sayIfPrivate } from "../window/private-window.js";
import { signIn } from "../page/sign-in.js";
import { takeAway } from "../kept/first-page.js";
import { StartingDevice } from "../kept/starting-device.js";
import { onSyncEvent, STEP_WORDS } from "./sync-button.js";
import {
  isThisPageOf,
  keptVersion,
  loadKeptPage,
  precache,
  servedManifest,
  serviceWorker,
  useVersion,
} from "./app-versions.js";
import { bringImage, bringRest, canStart, startFiles } from "../image/bring.js";
import { areWhole, filesOf, lookWhenSlow } from "../../kept-files.js";
import { askOffice, isSignedOut, NoAnswer, Refusal } from "../../office.js";
import { isFull } from "../../stored-files.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * @typedef {import("./device.js").WorkerEvent} WorkerEvent
 * @typedef {{manifest: Manifest, isWhole: boolean}} Files isWhole: all of the version are here; else Python
 *   starts from its image, and the packages come while the person works
 * @typedef {{forget: (why: string, end: () => void) => Promise<void>, wipe: (end: () => void) => Promise<void>}} Leaving
 *   what becomes of a device that nobody can open; this room cannot say it. end: ends Python before
 * @typedef {(device: StartingDevice) => void} Opened what is kept may be seen from now on, and Python starts
 */

const RETRY_MS = 8_000;
const NO_CONNECTION = "There is no connection. It goes on by itself, where it stopped, as soon as there is one.";
const NO_SPACE = "There is no space left on this device. Free some space; then it goes on by itself, where it stopped.";
const SIGNED_OUT = "Your session has ended. Sign in again; then it goes on where it stopped.";
const BOOT_WORDS = new Map([
  ["runtime", "Starting Python"],
  ["packages", "Unpacking the app"],
  ["app", "Starting the app"],
]);

/**
 * Start this device until its pages can be shown.
 * @param {Leaving} leaving
 * @param {{isRevoked?: boolean, opened?: Opened}} [how] isRevoked: nothing is shown, offered or downloaded any more
 * @returns {Promise<boolean>} false: the office has ordered it to wipe itself meanwhile
 */
export async function startDevice(leaving, { isRevoked = false, opened = () => {} } = {}) {
  void sayIfPrivate().catch((error) => console.info(error)); // then it is not known
  void serviceWorker().catch((error) => console.info(error)); // without one there is a next start
  const files = await bringFiles();
  const { manifest } = files;
  if (!isThisPageOf(manifest)) await loadKeptPage();
  context.manifest = manifest;
  const key = (await isClosed()) ? openBeside(leaving) : null;
  const waiting = new StartingDevice(() => starting?.end());
  try {
    return await begin(files, key, waiting, { isRevoked, opened });
  } catch (error) {
    await takeAway();
    waiting.fail(error);
    throw error;
  }
}

/**
 * @param {Files} files
 * @param {Promise<CryptoKey> | null} key
 * @param {StartingDevice} waiting
 * @param {{isRevoked: boolean, opened: Opened}} how
 */
async function begin(files, key, waiting, { isRevoked, opened }) {
  const { device, how, started } = await startPython(files, key, waiting, { isRevoked, opened });
  context.device = device;
  context.user = started.user?.name ?? "";
  // beside the first download, which waits for the network most of the time
  if (how === "ordinary" && !isRevoked) void makeSnapshot(device);
  const isStaying = isRevoked || (await bringMore(files, device, started.needs === "download"));
  if (isStaying) waiting.arrive(device);
  return isStaying;
}

/**
 * Bring what is missing of the data, and then, while the person works, of the app.
 * @param {Files} files
 * @param {Device} device
 * @param {boolean} needsData
 * @returns {Promise<boolean>} false: the office has ordered this device to wipe itself
 */
async function bringMore({ manifest, isWhole }, device, needsData) {
  const isStaying = !needsData || (await download(device));
  if (isStaying && !isWhole) void bringRest(manifest, () => context.device === device, () => complete(manifest, device));
  return isStaying;
}

/**
 * Ask for the PIN, while Python starts.
 * @param {Leaving} leaving
 * @returns {Promise<CryptoKey>}
 */
function openBeside(leaving) {
  const report = (/** @type {number} */ done, /** @type {number} */ total) =>
    showStep({ step: "sealing", words: "Encrypting what is kept here", done, total, unit: "values" });
  const end = () => starting?.end();
  return opening({ forget: (why) => leaving.forget(why, end), wipe: () => leaving.wipe(end), report });
}

/** The worker that starts while the PIN is asked for. @type {Device | null} */
let starting = null;

/**
 * Start Python; where that fails for damaged files, fetch these anew and start again.
 * @param {Files} files
 * @param {Promise<CryptoKey> | null} key what is kept is sealed, and opens with it
 * @param {StartingDevice} waiting
 * @param {{isRevoked: boolean, opened: Opened}} how
 */
async function startPython({ manifest, isWhole }, key, waiting, { isRevoked, opened }) {
  for (let isMended = false; ; isMended = isWhole = true) {
    const device = (starting = new Device(manifest, onEvent));
    const slow = lookWhenSlow(manifest, isWhole ? filesOf(manifest) : startFiles(manifest));
    const booting = Promise.race([device.boot({ isSealed: key !== null, isWhole }), slow.damage]).finally(slow.end);
    booting.catch(() => {}); // heard of below, once the device is open
    const found = await key;
    const takeBack = isRevoked ? () => {} : offerWorkIfSlow();
    if (!isMended) opened(waiting);
    try {
      if (found) await device.open(found);
      const { how } = await booting;
      return { device, how, started: await device.call("start", startArgument(manifest)) };
    } catch (error) {
      device.end();
      if (waiting.hasEnded) await new Promise(() => {}); // somebody goes on elsewhere
      await takeAway();
      if (isWhole && (isMended || (await areWhole(manifest)))) throw error;
      await (isWhole ? mend(manifest) : untilItWorks(() => precache(manifest, showFiles)));
    } finally {
      takeBack();
    }
  }
}

/**
 * Fetch anew what is damaged; where the server has other files by now, all of those.
 * @param {Manifest} manifest
 */
function mend(manifest) {
  sayPreparing("Files of the app are damaged on this device. They are fetched anew; nothing that you saved is touched.");
  return untilItWorks(async () => {
    const kept = await keptVersion();
    // another tab has updated meanwhile: these files are gone, and others are here
    if (kept?.complete && kept.manifest.version !== manifest.version) await loadKeptPage();
    try {
      await precache(manifest, showFiles);
    } catch (error) {
      if (!(error instanceof Refusal) || isSignedOut(error)) throw error;
      const served = await servedManifest();
      await precache(served, showFiles);
      await useVersion(served, true);
      // fault point: mended-by-update — all files of the new version are here and the marker names it; the
      // outbox is as it was, and the next start is the new version's.
      await loadKeptPage();
    }
  });
}

/** @param {Manifest} manifest */
function startArgument({ urls, version, app_version }) {
  return { urls, version, app_version, ...locale() };
}

/** @returns {Promise<Files>} */
async function bringFiles() {
  const kept = await keptVersion();
  if (kept?.complete) return { manifest: kept.manifest, isWhole: true };
  if (kept && (await canStart(kept.manifest))) return { manifest: kept.manifest, isWhole: false };
  void navigator.storage?.persist?.();
  return untilItWorks(async () => {
    const manifest = await servedManifest();
    showFiles(0, manifest.total_bytes);
    await useVersion(manifest, false); // from here on a reload finds this page without the network
    // fault point: first-start-begun — the marker says that files are missing: the next start goes on with
    // them, and needs the server's page until '/shell' is here.
    if (await bringImage(manifest, showFiles)) return { manifest, isWhole: false };
    await precache(manifest, showFiles);
    // fault point: files-here-unmarked — every file is in the cache: the next start counts them without
    // fetching, and sets the marker.
    await useVersion(manifest, true);
    return { manifest, isWhole: true };
  });
}

/** @param {number} done @param {number} total */
function showFiles(done, total) {
  showStep({ step: "files", words: "App and runtime", done, total, unit: "bytes" });
}

/** All files of the version are here. @param {Manifest} manifest @param {Device} device */
async function complete(manifest, device) {
  // fault point: rest-here-unmarked — every file is in the cache, and the next start looks for them again.
  // An update may have been chosen meanwhile.
  if ((await keptVersion())?.manifest.version === manifest.version) await useVersion(manifest, true);
  await device.refill();
}

/**
 * Do the first download; goes on where it stopped.
 * @param {Device} device
 * @returns {Promise<boolean>} false: the office has ordered this device to wipe itself
 */
async function download(device) {
  await takeAway();
  sayPreparing("Your data is being brought onto this device.");
  return untilItWorks(async () => {
    let answer = await device.call("download");
    if (answer.outcome === "signed_out" && (await signIn())) answer = await device.call("download");
    if (answer.revoked) return false;
    if (answer.outcome !== "done") throw new Error(answer.problems[0]?.message ?? answer.outcome);
    for (const [name, count] of Object.entries(answer.rows)) {
      showStep({ step: `rows of ${name}`, words: name, done: count, total: count, unit: "rows" });
    }
    return true;
  });
}

/**
 * Try until it works; the person sees why it does not.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function untilItWorks(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      console.info(error);
      if (isSignedOut(error) && (await signIn())) continue;
      await offerRetry(await whyNot(error), RETRY_MS);
    }
  }
}

/** @param {unknown} error */
async function whyNot(error) {
  if (isFull(error)) return NO_SPACE;
  if (isSignedOut(error)) return SIGNED_OUT;
  return (await whyNoConnection()) ?? `That did not work: ${wordsOf(error)}`;
}

/** @param {unknown} error */
function wordsOf(error) {
  return /** @type {{message?: string}} */ (error)?.message || String(error);
}

/** Why the server does not answer, null where it does; what the browser believes does not count. */
async function whyNoConnection() {
  const signal = AbortSignal.timeout(RETRY_MS);
  try {
    await askOffice("/health", { cache: "no-store", signal });
    return null;
  } catch (error) {
    return error instanceof NoAnswer && error.isForeign ? `${error.message} Sign in to that; then it goes on by itself.` : NO_CONNECTION;
  }
}

/** @param {WorkerEvent} event */
function onEvent(event) {
  if (event.event === "boot") {
    showStep({ step: "python", words: BOOT_WORDS.get(event.step) ?? "Starting" });
  } else if (event.event === "progress" && !isShowingPages()) {
    const { step, done, total, unit } = event;
    showStep({ step, words: STEP_WORDS.get(step) ?? step, done, total, unit });
  } else {
    onSyncEvent(event);
  }
}

function isShowingPages() {
  return document.body.dataset.home !== "shell";
}

/**
 * Make the memory snapshot from which the next starts are quick.
 * @param {Device} device
 */
async function makeSnapshot(device) {
  try {
    await device.makeSnapshot();
  } catch (error) {
    console.info("There is no memory snapshot; the next start is an ordinary one.", error);
  }
}
