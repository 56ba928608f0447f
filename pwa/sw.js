// The service worker: keeps the app's files, answers navigations, shows attachments.
//
// Which version is shown is decided by the device's marker (session/shell in the store), which the
// shell sets when the person agrees, never by which service worker the browser happens to run.

/* eslint-disable no-restricted-globals -- what is fetched here is passed on, and nobody here reads it */

import { HALF_FILES } from "./half-files.js";
import { keepFiles } from "./kept-files.js";
import { within } from "./limits.js";
import { isAsset } from "./office.js";
import { open, read, write } from "./store.js";
import { isSealedFile, readFile } from "./stored-files.js";

/** @typedef {import("./manifest.js").Manifest} Manifest @typedef {IDBDatabase | null} Store */
const worker = /** @type {ServiceWorkerGlobalScope & typeof globalThis} */ (/** @type {unknown} */ (self));
const PREFIX = "fieldpost-";
/** A cache that does not answer by then never does. */
const PATIENCE_MS = 8_000;
const KEPT = /^\/(assets\/(?!manifest\.json)|manifest\.webmanifest$|favicon\.ico$)/;
const KEPT_SMALL = /\.(js|css|svg|png)$/;
/** Pictures that every browser shows; the same as `fieldpost.wire.limits.SHOWN`. */
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
/** Those and pictures that only some browsers show. */
const PICTURES = new Set([...SHOWN, "image/heic", "image/heif"]);
/** What an attachment may be wanted for: to keep, to show, to open. Never to run. */
const DESTINATIONS = new Set(["", "image", "document"]);

worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith("/attachments/")) event.respondWith(attachment(request, pathname));
  else if (request.mode === "navigate") event.respondWith(shellOrNetwork(request));
  else if (KEPT.test(pathname)) event.respondWith(cacheOrNetwork(request));
});

worker.addEventListener("message", (event) => {
  const { do: wanted, manifest, marker } = event.data;
  const [port] = event.ports;
  const done = () => port?.postMessage({ ok: true });
  const failed = (/** @type {unknown} */ e) => port?.postMessage({ ok: false, message: String(e) });
  if (wanted === "skip") event.waitUntil(worker.skipWaiting());
  // nobody waits for what only takes space
  if (wanted === "use") event.waitUntil(use(marker).then(done).then(() => forgetOthers(marker)).catch(failed));
  if (wanted === "precache") event.waitUntil(keepFiles(manifest, said(port)).then(done, failed));
});

/** @param {MessagePort} port @returns {(done: number, total: number) => void} */
function said(port) {
  return (done, total) => port.postMessage({ done, total });
}

/** Do something with the store; without one (this is no device) with null.
 * @template T @param {(db: Store) => T} task */
async function withStore(task) {
  const db = await open({ create: false });
  try {
    return await task(db);
  } finally {
    db?.close();
  }
}

async function shellOrNetwork(/** @type {Request} */ request) {
  try {
    const marker = await withStore((db) => db && read(db, "session", "shell"));
    const shell = marker && (await kept("/shell", { cacheName: PREFIX + marker.version }));
    return shell || fetch(request);
  } catch {
    // the store does not open: the shell says so, with or without a network
    return (await kept("/shell")) ?? fetch(request);
  }
}

/** What is kept, if the browser gives it: caches that fail, or never answer, stand in nobody's way.
 * @param {RequestInfo} wanted @param {MultiCacheQueryOptions} [how] */
async function kept(wanted, how) {
  try {
    return await within(PATIENCE_MS, caches.match(wanted, how), "The caches");
  } catch {
    return undefined;
  }
}

async function cacheOrNetwork(/** @type {Request} */ request) {
  const found = request.cache === "no-store" ? undefined : await kept(request, { ignoreVary: true });
  return found && (await isSound(request, found)) ? found : fetch(request);
}

/** Whether a script, a style or an icon is what the manifest says: a start that fails for one of them
 * could not mend it. The large files are looked at when a start fails.
 * @param {Request} request @param {Response} found */
async function isSound(request, found) {
  const { pathname } = new URL(request.url);
  if (!KEPT_SMALL.test(pathname)) return true;
  if (!known.has(pathname)) await within(PATIENCE_MS, (learning ??= learn().finally(() => (learning = null))), "The caches").catch((error) => console.info(error));
  const asset = known.get(pathname);
  const reading = found.clone().arrayBuffer();
  const bytes = await within(PATIENCE_MS, reading, "Reading a file").catch(() => null); // it is damaged
  return bytes !== null && (!asset || isAsset(asset, new Uint8Array(bytes)));
}

/** @type {Map<string, import("./manifest.js").Asset>} The small files of all versions here, by path. */
const known = new Map();

/** A page asks for all of them at once. @type {Promise<void> | null} */
let learning = null;

async function learn() {
  for (const name of (await caches.keys()).filter((each) => each.startsWith(PREFIX))) {
    const told = await (await caches.open(name)).match("/assets/manifest.json");
    const manifest = await told?.json().catch(() => null); // one that is damaged says nothing
    for (const asset of manifest?.shell ?? []) known.set(asset.url, asset);
  }
}

async function attachment(/** @type {Request} */ request, /** @type {string} */ pathname) {
  if (!DESTINATIONS.has(request.destination)) return new Response(null, { status: 403 });
  const sha256 = pathname.split("/").pop() ?? "";
  const found = await withStore((db) => (db ? fileIn(db, sha256) : Promise.resolve(null))).catch(() => null);
  // the browser would write it down as it is
  if (!found) return fetch(await isClosing() ? new Request(request, { cache: "no-store" }) : request);
  // whatever a user brought is shown as a picture or handed over, and never is a page of ours
  const name = new URL(request.url).searchParams.get("name") || found.name || sha256;
  const shown = SHOWN.has(found.type) ? "inline" : "attachment";
  const quoted = encodeURIComponent(name.replace(/\p{Cs}/gu, "")).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const headers = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    // never what it says of itself: a script among them would run as one of ours
    "Content-Type": PICTURES.has(found.type) ? found.type : "application/octet-stream",
    "Content-Disposition": `${shown}; filename*=UTF-8''${quoted}`,
  };
  return new Response(found.bytes, { headers });
}

/** Whether what is kept here is sealed. */
async function isClosing() {
  const lock = await withStore((db) => db && read(db, "session", "pin")).catch(() => null); // there is no device
  return Boolean(lock);
}

/** @param {IDBDatabase} db @param {string} sha256 */
async function fileIn(db, sha256) {
  return (await readFile(db, sha256)) ?? ((await isSealedFile(db, sha256)) ? openedByWindow(sha256) : null);
}

/** Have a window open a file: the key is there, and never here.
 * @param {string} sha256 @returns {Promise<import("./store.js").Attachment | null>} null: none of them is open */
async function openedByWindow(sha256) {
  for (const client of await worker.clients.matchAll({ type: "window" })) {
    const { port1, port2 } = new MessageChannel();
    const answered = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
    client.postMessage({ do: "open-file", sha256 }, [port2]);
    const found = await within(PATIENCE_MS, answered, "A window").catch(() => null); // another may answer
    if (found) return found;
  }
  return null;
}

/** Show the marker's version from now on.
 * @param {{version: string, complete: boolean}} marker */
async function use(marker) {
  await withStore((db) => db && write(db, [["put", "session", "shell", marker]]));
  // fault point: marker-set-caches-left — the new version is shown, and the former ones only take space: the
  // next change of the marker deletes them.
}

/** Forget the versions that are not shown.
 * @param {{version: string, complete: boolean}} marker */
async function forgetOthers(marker) {
  const wanted = [PREFIX + marker.version, ...(marker.complete ? [] : [HALF_FILES])];
  const others = (await caches.keys()).filter((n) => n.startsWith(PREFIX) && !wanted.includes(n));
  // fault point: shown-caches-left — as above, where some of them are deleted already.
  await Promise.all(others.map((name) => caches.delete(name)));
}
