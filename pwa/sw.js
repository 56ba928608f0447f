// The service worker: keeps the app's files, answers navigations, shows attachments.
//
// Which version is shown is decided by the device's marker (session/shell in the store), which the
// shell sets when the person agrees, never by which service worker the browser happens to run.

import { open, read, write } from "./store.js";
import { readFile } from "./stored-files.js";

/** @typedef {import("./manifest.js").Manifest} Manifest @typedef {IDBDatabase | null} Store */
const worker = /** @type {ServiceWorkerGlobalScope & typeof globalThis} */ (/** @type {unknown} */ (self));
const PREFIX = "fieldpost-";
const KEPT = /^\/(assets\/(?!manifest\.json)|manifest\.webmanifest$|favicon\.ico$)/;
/** Pictures that every browser shows; the same as `fieldpost.wire.limits.SHOWN`. */
const SHOWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const REPORT_EVERY_BYTES = 256 << 10;

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
  if (wanted === "use") event.waitUntil(use(marker).then(done, failed));
  if (wanted === "precache") event.waitUntil(precache(manifest, port).then(done, failed));
});

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
    const shell = marker && (await caches.match("/shell", { cacheName: PREFIX + marker.version }));
    return shell ?? fetch(request);
  } catch {
    // the store does not open: the shell says so, with or without a network
    return (await caches.match("/shell")) ?? fetch(request);
  }
}

async function cacheOrNetwork(/** @type {Request} */ request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

async function attachment(/** @type {Request} */ request, /** @type {string} */ pathname) {
  const sha256 = pathname.split("/").pop() ?? "";
  const found = await withStore((db) => (db ? readFile(db, sha256) : Promise.resolve(null))).catch(() => null);
  if (!found) return fetch(request);
  // whatever a user brought is shown as a picture or handed over, and never is a page of ours
  const name = new URL(request.url).searchParams.get("name") || found.name || sha256;
  const shown = SHOWN.has(found.type) ? "inline" : "attachment";
  const quoted = encodeURIComponent(name.replace(/\p{Cs}/gu, "")).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const headers = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Content-Type": found.type,
    "Content-Disposition": `${shown}; filename*=UTF-8''${quoted}`,
  };
  return new Response(found.bytes, { headers });
}

/** Fill a version's cache with what is not there yet; the port hears how many bytes are done. */
async function precache(/** @type {Manifest} */ manifest, /** @type {MessagePort} */ port) {
  const cache = await caches.open(PREFIX + manifest.version);
  const { total_bytes: total, shell, pyodide, wheels } = manifest;
  let [bytes, said] = [0, 0];
  const count = (/** @type {number} */ more) => {
    bytes += more;
    if (bytes - said >= REPORT_EVERY_BYTES || bytes === total) port.postMessage({ done: (said = bytes), total });
  };
  await cache.put("/assets/manifest.json", Response.json(manifest));
  // fault point: version-half-fetched — the marker does not say of this version that it is complete: the
  // former one is shown, or the first start goes on and fetches what is not there.
  await cache.put("/shell", new Response(manifest.html, { headers: manifest.headers }));
  await cache.add("/manifest.webmanifest");
  for (const { url, size } of [...shell, ...pyodide.files, ...wheels]) {
    await ((await cache.match(url)) ? count(size) : keep(cache, url, count));
  }
}

/** @param {Cache} cache @param {string} url @param {(more: number) => void} count */
async function keep(cache, url, count) {
  const response = (await caches.match(url)) ?? (await fetch(url));
  if (!response.ok || !response.body) throw new Error(`${url}: ${response.status}`);
  const headers = new Headers(response.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name); // it is unpacked
  const counter = new TransformStream({ transform: (part, out) => (count(part.byteLength), out.enqueue(part)) });
  // fault point: file-half-fetched — a cache holds a whole answer or none: the next attempt fetches this one
  // again.
  await cache.put(url, new Response(response.body.pipeThrough(counter), { headers }));
}

/** Show the marker's version from now on, and forget the others.
 * @param {{version: string, complete: boolean}} marker */
async function use(marker) {
  await withStore((db) => db && write(db, [["put", "session", "shell", marker]]));
  // fault point: marker-set-caches-left — the new version is shown, and the former ones only take space: the
  // next change of the marker deletes them.
  const others = (await caches.keys()).filter((n) => n.startsWith(PREFIX) && n !== PREFIX + marker.version);
  await Promise.all(others.map((name) => caches.delete(name)));
}
