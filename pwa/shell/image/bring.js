// Brings the memory image onto a device at its first start, in the place of the packages; these come
// when the person is working already.
//
// The image is kept as a snapshot that the device has made itself would be. Its parts are in the
// version's cache on the way, so that a download that was cut off goes on with the next one.

import { database } from "../page/context.js";
import { isImageQuicker, isSavingData, lineRate, processorSpeed } from "./way.js";
import { areHere, filesOf, keepFiles, keptFile, dropFiles } from "../../kept-files.js";
import { forgetHalfFiles } from "../../half-files.js";
import { pause } from "../../limits.js";
import { askOffice, isSignedOut, NoAnswer, Refusal } from "../../office.js";
import { keys, write } from "../../store.js";
import { sealed } from "../../worker/snapshot.js";

/**
 * @typedef {import("../../manifest.js").Manifest} Manifest
 * @typedef {import("../../manifest.js").Asset} Asset
 * @typedef {import("../../manifest.js").Image} Image
 * @typedef {import("../../kept-files.js").Report} Report
 */

const FIRST_WAIT_MS = 8_000;
const LONGEST_WAIT_MS = 120_000;
/** Once it has failed, this page does not try again. */
let hasFailed = false;

/**
 * Bring the image, where it is quicker and comes as it should. A line that breaks off is no failure:
 * then this fails as bringing files does, and goes on where it stopped.
 * @param {Manifest} manifest
 * @param {Report} report
 * @returns {Promise<boolean>} whether Python can start from it; if not, the packages are needed
 */
export async function bringImage(manifest, report) {
  const { image } = manifest;
  if (!image || hasFailed) return false;
  const imaged = [...startFiles(manifest), ...image.parts];
  // nobody knows the line before: what is likely is said
  const likely = (await isTaken(manifest, image)) ? imaged : filesOf(manifest);
  await keepFiles(manifest, report, startFiles(manifest), likely);
  if (!(await isTaken(manifest, image))) {
    await dropFiles(manifest, image.parts);
    return false;
  }
  try {
    await keepFiles(manifest, report, imaged);
    await keepSnapshot(manifest, image);
    return true;
  } catch (error) {
    if (await isOfTheLine(error)) throw error;
    console.info("The memory image does not come; the packages do.", error);
    hasFailed = true;
    await Promise.all([dropFiles(manifest, image.parts), forgetHalfFiles()]);
    return false;
  }
}

/**
 * Whether Python can start from the image that was brought, although packages are missing.
 * @param {Manifest} manifest
 */
export async function canStart(manifest) {
  if (!manifest.image) return false;
  const kept = await keys(await database(), "snapshots");
  return kept.includes(manifest.python_version) && areHere(manifest, startFiles(manifest));
}

/**
 * Bring what is missing of a version that was started from its image, while the person works; without
 * a line, as soon as there is one.
 * @param {Manifest} manifest
 * @param {() => boolean} isWanted nothing is kept any more when somebody signs out or goes on in another tab
 * @param {() => Promise<void>} done
 */
export async function bringRest(manifest, isWanted, done) {
  for (let waitMs = FIRST_WAIT_MS; isWanted(); waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      await keepFiles(manifest, () => {}, filesOf(manifest), filesOf(manifest), isWanted);
      if (!isWanted()) return;
      await dropFiles(manifest, manifest.image?.parts ?? []);
      return await done();
    } catch (error) {
      console.info("The rest of the app has not come yet.", error);
      if (error instanceof Refusal && !isSignedOut(error)) return; // the server has another version by now
    }
    await pause(waitMs);
  }
}

/** What the shell and a start from memory need. @param {Manifest} manifest */
export function startFiles(manifest) {
  const later = new Set([libraryOf(manifest), ...manifest.wheels]);
  return filesOf(manifest).filter((asset) => !later.has(asset));
}

/** @param {Manifest} manifest */
function libraryOf({ pyodide }) {
  return pyodide.files.find(({ url }) => url.endsWith("/python_stdlib.zip"));
}

/**
 * @param {Manifest} manifest
 * @param {Image} image
 */
async function isTaken(manifest, image) {
  // what was begun is gone on with: before a page was loaded anew, the line was seen
  for (const part of image.parts) if (await areHere(manifest, [part])) return true;
  const rate = lineRate(`${manifest.pyodide.base}pyodide.asm.wasm`, image.yardstick);
  return isImageQuicker({ image: image.packed, packages: image.instead, rate, speed: processorSpeed(), savesData: isSavingData() });
}

/**
 * Join the parts, and keep them as a snapshot.
 * @param {Manifest} manifest
 * @param {Image} image
 */
async function keepSnapshot(manifest, image) {
  const whole = new Uint8Array(image.size);
  let at = 0;
  for (const part of image.parts) {
    const bytes = await keptFile(manifest, part);
    if (!bytes) throw new Error("A part of the memory image is damaged.");
    whole.set(bytes, at);
    at += bytes.byteLength;
  }
  if (at !== image.size) throw new Error("The memory image is not whole.");
  const db = await database();
  const old = (await keys(db, "snapshots")).map((key) => /** @type {["delete", string, IDBValidKey]} */ (["delete", "snapshots", key]));
  await write(db, [...old, ["put", "snapshots", manifest.python_version, sealed(whole.buffer)]]);
  // fault point: image-kept-parts-left — Python starts from the snapshot; the parts only take space, until
  // the rest of the version has come.
  await dropFiles(manifest, image.parts);
}

/**
 * Whether it goes on when there is a line again, or somebody signs in; where the office answers, the
 * image is at fault, whatever it looks like.
 * @param {unknown} error
 */
async function isOfTheLine(error) {
  if (!(error instanceof NoAnswer)) return isSignedOut(error);
  try {
    await askOffice("/health", { cache: "no-store", signal: AbortSignal.timeout(FIRST_WAIT_MS) });
    return false;
  } catch {
    return true;
  }
}
