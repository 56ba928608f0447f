// The app's files as a device keeps them: each is what the manifest says, or it is not kept.

import { forgetHalfFiles, forgetHalfFilesBut, HALF_FILES, HalfFile } from "./half-files.js";
import { within } from "./limits.js";
import { askAsset, askFor, isAsset } from "./office.js";

/**
 * @typedef {import("./manifest.js").Manifest} Manifest
 * @typedef {import("./manifest.js").Asset} Asset
 * @typedef {(done: number, total: number) => void} Report
 */

/** A cache that does not answer by then never does. */
const PATIENCE_MS = 15_000;
/** A start that takes longer has its files looked at: Python waits for ever for some that are damaged. */
const LOOK_AFTER_MS = 15_000;
/** The largest file has 10 MB, and the disk of a phone may be busy. */
const WRITING_MS = 60_000;
const PREFIX = "fieldpost-";
const REPORT_EVERY_BYTES = 256 << 10;
const ATTEMPTS = 3;

/** The name of the cache with a version's files. @param {string} version */
export function cacheName(version) {
  return PREFIX + version;
}

/** All files of a version. @param {Manifest} manifest @returns {Asset[]} */
export function filesOf({ shell, pyodide, wheels }) {
  return [...shell, ...pyodide.files, ...wheels];
}

/**
 * Fill a version's cache with what is not there, and with what is there and damaged; goes on where
 * it stopped.
 * @param {Manifest} manifest
 * @param {Report} report
 * @param {Asset[]} [files] those that are wanted now
 * @param {Asset[]} [all] those that are wanted in the end
 * @param {() => boolean} [isWanted] it ends, and keeps nothing more, when they are not any more
 */
export async function keepFiles(manifest, report, files = filesOf(manifest), all = files, isWanted = () => true) {
  const cache = await opened(cacheName(manifest.version));
  const total = all.reduce((sum, asset) => sum + weightOf(asset), 0);
  let [bytes, said] = [0, 0];
  const count = (/** @type {number} */ more) => {
    bytes += more;
    const done = Math.min(Math.round(bytes), total);
    if (Math.abs(done - said) >= REPORT_EVERY_BYTES || done === total) report((said = done), total);
  };
  await put(cache, "/assets/manifest.json", Response.json(manifest));
  // fault point: version-half-fetched — the marker does not say of this version that it is complete: the
  // former one is shown, or the first start goes on and fetches what is not there.
  await put(cache, "/shell", new Response(manifest.html, { headers: manifest.headers }));
  if (!(await match(cache, "/manifest.webmanifest"))) {
    const web = await askFor("/manifest.webmanifest", { cache: "no-store" }, { type: "application/manifest+json" });
    await put(cache, "/manifest.webmanifest", new Response(await web.blob(), { headers: plain(web.headers) }));
  }
  await forgetHalfFilesBut([...filesOf(manifest), ...(manifest.image?.parts ?? [])]);
  for (const asset of files) {
    const share = weightOf(asset) / asset.size;
    if (!isWanted()) return;
    await keep(cache, asset, (more) => count(more * share), isWanted);
  }
}

/** How many bytes come of a file, where that is known. @param {Asset} asset */
function weightOf({ size, packed }) {
  return packed ?? size;
}

/**
 * Whether files are here; nobody looks into them.
 * @param {Manifest} manifest
 * @param {Asset[]} files
 */
export async function areHere(manifest, files) {
  const cache = await opened(cacheName(manifest.version));
  for (const { url } of files) if (!(await match(cache, url))) return false;
  return true;
}

/**
 * The bytes of a file, where it is here and what it should be.
 * @param {Manifest} manifest
 * @param {Asset} asset
 */
export async function keptFile(manifest, asset) {
  const kept = await found(await opened(cacheName(manifest.version)), asset);
  return kept?.bytes ?? null;
}

/**
 * Drop files of a version that are of no more use.
 * @param {Manifest} manifest
 * @param {Asset[]} files
 */
export async function dropFiles(manifest, files) {
  const cache = await opened(cacheName(manifest.version));
  // fault point: dropped-files-left — they only take space: whoever brings the rest of the version drops
  // them again, and an update drops the cache.
  for (const { url } of files) await within(PATIENCE_MS, cache.delete(url), "The caches");
}

/**
 * Forget the files of all versions but these; of one that nobody uses they only take space.
 * @param {string[]} versions
 */
export async function forgetVersionsBut(versions) {
  const kept = [...versions.map(cacheName), HALF_FILES];
  const all = await within(PATIENCE_MS, caches.keys(), "The caches");
  const others = all.filter((name) => name.startsWith(PREFIX) && !kept.includes(name));
  // fault point: other-versions-left — the version that is shown is not among them: the next look for an
  // update forgets them.
  await within(PATIENCE_MS, Promise.all(others.map((name) => caches.delete(name))), "The caches");
}

/**
 * Whether a version's files are what they should be.
 * @param {Manifest} manifest
 * @param {Asset[]} [files]
 * @returns {Promise<boolean>}
 */
export async function areWhole(manifest, files = filesOf(manifest)) {
  const cache = await opened(cacheName(manifest.version));
  for (const asset of files) if (!(await found(cache, asset))) return false;
  return true;
}

/**
 * Look at the files where a start takes long.
 * @param {Manifest} manifest
 * @param {Asset[]} needed
 * @returns {{damage: Promise<never>, end: () => void}} damage: fails when some are damaged, and
 *   settles in no other way; end: a start that is over has no files to look at
 */
export function lookWhenSlow(manifest, needed) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const damage = new Promise((/** @type {(value: never) => void} */ _, reject) => {
    timer = setTimeout(async () => {
      const sound = await areWhole(manifest, needed).catch(() => true); // then the start itself tells
      if (!sound) reject(new Error("Files of the app are damaged on this device."));
    }, LOOK_AFTER_MS);
  });
  return { damage, end: () => clearTimeout(timer) };
}

/**
 * @param {Cache} cache
 * @param {Asset} asset
 * @param {(more: number) => void} count
 * @param {() => boolean} isWanted
 */
async function keep(cache, asset, count, isWanted) {
  if (await found(cache, asset)) {
    count(asset.size);
    return;
  }
  const { bytes, headers } = (await elsewhere(asset, count)) ?? (await fetched(asset, count, isWanted));
  const keepIt = () => put(cache, asset.url, new Response(bytes, { headers: plain(headers) }));
  // fault point: file-half-fetched — a cache holds a whole answer or none: the next attempt goes on with this
  // file from the pieces that are kept of it.
  await keepIt().catch(() => forgetHalfFiles().then(keepIt)); // there may be no space for both
  await forgetHalfFiles();
}

/**
 * What is kept of a file, where it is what it should be.
 * @param {Cache} cache
 * @param {Asset} asset
 */
async function found(cache, asset) {
  const kept = await match(cache, asset.url).catch(() => undefined); // one that cannot be read is none
  const sound = kept && (await soundOf(asset, kept));
  // fault point: damaged-file-dropped — it was of no use; nothing else of the version is touched, and the
  // next look fetches it.
  if (kept && !sound) await within(PATIENCE_MS, cache.delete(asset.url), "The caches");
  return sound ?? null;
}

/** @param {Asset} asset @param {Response} kept */
async function soundOf(asset, kept) {
  const read = within(PATIENCE_MS, kept.arrayBuffer(), "The caches");
  const bytes = await read.then((buffer) => new Uint8Array(buffer), () => null);
  return bytes && (await isAsset(asset, bytes)) ? { bytes, headers: kept.headers } : null;
}

/**
 * The same file of another version.
 * @param {Asset} asset
 * @param {(more: number) => void} count
 */
async function elsewhere(asset, count) {
  for (const name of await within(PATIENCE_MS, caches.keys(), "The caches")) {
    const same = name.startsWith(PREFIX) && (await found(await opened(name), asset));
    if (same) {
      count(asset.size);
      return same;
    }
  }
  return null;
}

/**
 * Fetch a file, going on where it was cut off; attempts that bring nothing end it.
 * @param {Asset} asset
 * @param {(more: number) => void} count
 * @param {() => boolean} isWanted
 */
async function fetched(asset, count, isWanted) {
  const half = asset.sha256 ? await HalfFile.of(asset, isWanted) : undefined;
  let counted = 0;
  const counts = (/** @type {number} */ more) => (count(more), (counted += more));
  counts(half?.size ?? 0);
  for (let failed = 0; ; ) {
    const before = half?.size ?? 0;
    try {
      const whole = await askAsset(asset, { cache: "no-store", count: counts, half });
      counts(asset.size - counted);
      return whole;
    } catch (error) {
      const now = half?.size ?? 0;
      counts(now - counted);
      if (now <= before && ++failed >= ATTEMPTS) throw error;
    }
  }
}

/** Headers of an answer that is unpacked. @param {Headers} headers */
function plain(headers) {
  const kept = new Headers(headers);
  for (const name of ["Content-Encoding", "Content-Length", "Content-Range"]) kept.delete(name);
  return kept;
}

/** @param {string} name */
function opened(name) {
  return within(PATIENCE_MS, caches.open(name), "The caches");
}

/** @param {Cache} cache @param {string} url */
function match(cache, url) {
  return within(PATIENCE_MS, cache.match(url), "The caches");
}

/** @param {Cache} cache @param {string} url @param {Response} answer */
function put(cache, url, answer) {
  // fault point: answer-half-cached — a cache holds a whole answer or none, and what is missing is fetched
  // with the next attempt.
  return within(WRITING_MS, cache.put(url, answer), "The caches");
}
