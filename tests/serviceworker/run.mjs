// Asks the service worker for one address while the browser's caches are in trouble, and prints what
// it answers with: node tests/serviceworker/run.mjs <trouble> <address> <mode>

const [trouble, address, mode] = process.argv.slice(2);
const ORIGIN = "http://office";
const IN_A_HURRY = 200;

const realTimeout = setTimeout;
globalThis.setTimeout = (work, ms, ...how) => realTimeout(work, ms / IN_A_HURRY, ...how);

const never = new Promise(() => {});
const broken = () => Promise.reject(new DOMException("thrown", "UnknownError"));
/** @returns {Response} one whose bytes the browser has lost */
const torn = () => new Response(new ReadableStream({ start: (stream) => stream.error(new Error("thrown")) }));
const silent = () => new Response(new ReadableStream({ start: () => {} }));
const none = { match: () => Promise.resolve(undefined) };
const caches = {
  match: () => Promise.resolve(new Response("kept")),
  keys: () => Promise.resolve(["fieldpost-1"]),
  open: () => Promise.resolve(none),
};
const TROUBLES = {
  none: {},
  "match fails": { match: broken },
  "match never answers": { match: () => never },
  "match throws": { match: () => { throw new DOMException("thrown", "SecurityError"); } },
  "the bytes are gone": { match: () => Promise.resolve(torn()) },
  "the bytes never come": { match: () => Promise.resolve(silent()) },
  "keys fail": { keys: broken },
  "keys never come": { keys: () => never },
  "opening fails": { open: broken },
};

/** A store that does not open, so that a navigation asks the caches. */
const indexedDB = { open: () => { throw new DOMException("thrown", "InvalidStateError"); } };

/** @type {any} */
let heard = null;
Object.assign(globalThis, {
  self: { addEventListener: (/** @type {string} */ name, /** @type {any} */ work) => name === "fetch" && (heard = work) },
  location: { origin: ORIGIN },
  caches: { ...caches, ...TROUBLES[trouble] },
  indexedDB,
  fetch: () => Promise.resolve(new Response("network")),
});
console.info = () => {};
await import("../../pwa/sw.js");

const answer = await new Promise((resolve) => {
  const request = { method: "GET", url: ORIGIN + address, mode, cache: "default" };
  realTimeout(() => resolve("never"), 5_000);
  heard({
    request,
    respondWith: (/** @type {Promise<Response>} */ answered) =>
      answered.then(async (response) => resolve(await response.text()), (error) => resolve(`failed: ${error}`)),
  });
});
console.log(answer);
process.exit(0);
