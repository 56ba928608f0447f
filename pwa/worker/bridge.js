// What Python may use of the browser: the store, the network, compression, the clock.
// Values cross as JSON text, bytes as Uint8Array; files never cross.

import { verify } from "./ed25519.js";
import { bytesOf } from "../file-bytes.js";
import { askOffice } from "../office.js";
import { settlingAll } from "./settling.js";
import { digestOf } from "../sha256.js";
import * as store from "../store.js";
import { readFile, readImage } from "../stored-files.js";

/** What is asked of the server just now. @type {Set<AbortController>} */
const running = new Set();
const FILE_STORES = new Set(["attachments", "staged"]);

/**
 * @typedef {ReturnType<typeof import("../store-connection.js").connection>} Use
 * @typedef {{pieces: string[], image: Promise<Uint8Array>}} Prefetched the replica's image, read while Python starts
 */

/**
 * Make the object that Python finds as `js.fieldpost`.
 * @param {Use} use the store
 * @param {() => Promise<number>} generation of `store.takeOver`
 * @param {Promise<Prefetched | null>} prefetched used once
 * @param {(event: object) => void} notify
 */
export function makeBridge(use, generation, prefetched, notify) {
  return settlingAll({
    ...storeFunctions(use, generation, prefetched),
    ...attachmentFunctions(use, generation),
    fetch: async (
      /** @type {string} */ method,
      /** @type {string} */ path,
      /** @type {string} */ headers,
      /** @type {Uint8Array<ArrayBuffer> | string | undefined} */ body,
    ) => whole(await ask(method, path, JSON.parse(headers), body)),
    fetchLines: async (
      /** @type {string} */ method,
      /** @type {string} */ path,
      /** @type {string} */ headers,
      /** @type {Uint8Array<ArrayBuffer> | string | undefined} */ body,
    ) => lines(await expectSuccess(await ask(method, path, JSON.parse(headers), body))),
    gzip: (/** @type {Uint8Array<ArrayBuffer>} */ data) =>
      through(data, new CompressionStream("gzip")),
    gunzip: (/** @type {Uint8Array<ArrayBuffer>} */ data) =>
      through(data, new DecompressionStream("gzip")).catch((error) => {
        throw named("Damaged", String(error));
      }),
    sha256Pieces: async (/** @type {Uint8Array<ArrayBuffer>} */ data, /** @type {number} */ size) =>
      JSON.stringify(await hashPieces(data, size)),
    verify: (
      /** @type {Uint8Array<ArrayBuffer>} */ publicKey,
      /** @type {Uint8Array<ArrayBuffer>} */ message,
      /** @type {Uint8Array<ArrayBuffer>} */ signature,
    ) => verify(publicKey, message, signature),
    notify: (/** @type {string} */ event) => notify(JSON.parse(event)),
    abort: () => running.forEach((each) => each.abort()),
    elapsed: () => performance.now() / 1000,
    clock: () => JSON.stringify([Date.now(), -new Date().getTimezoneOffset()]),
  });
}

/**
 * @param {Use} use
 * @param {() => Promise<number>} generation
 * @param {Promise<Prefetched | null>} prefetched
 */
function storeFunctions(use, generation, prefetched) {
  return {
    read: async (/** @type {string} */ name, /** @type {IDBValidKey} */ key) => {
      const value = await use((db) => store.read(db, name, key));
      return value === undefined ? undefined : JSON.stringify(withoutBytes(name, value));
    },
    readAll: async (/** @type {string} */ name) => {
      const pairs = await use((db) => store.readAll(db, name));
      return JSON.stringify(pairs.map(([key, value]) => [key, withoutBytes(name, value)]));
    },
    keys: async (/** @type {string} */ name) => JSON.stringify(await use((db) => store.keys(db, name))),
    readImage: async (/** @type {string} */ hashes) => {
      const wanted = JSON.parse(hashes);
      const ready = await prefetched.catch(() => null); // then it is read now
      prefetched = Promise.resolve(null);
      if (ready && ready.pieces.join() === wanted.join()) return ready.image;
      return use((db) => readImage(db, wanted));
    },
    write: async (/** @type {string} */ text, /** @type {Uint8Array[]} */ pieces) => {
      const operations = JSON.parse(text);
      for (const operation of operations) {
        if (operation[0] === "put" && operation[1] === "pieces") {
          operation[3] = pieces[operation[3]];
        }
      }
      // the shell looks whether a page that it keeps was made before
      if (operations.some(changesOutbox)) operations.unshift(["put", "session", "shown_after", crypto.randomUUID()]);
      // fault point: write-handed-on — Python waits for this promise before it says anything: the store
      // decides whether all of it is there or none.
      const mine = await generation();
      return use((db) => store.write(db, operations, { generation: mine }));
    },
  };
}

/**
 * @param {Use} use
 * @param {() => Promise<number>} generation
 */
function attachmentFunctions(use, generation) {
  /** The file that is being sent in pieces: it is read once. @type {{sha256: string, bytes: ArrayBuffer} | null} */
  let sending = null;
  return {
    sendPiece: async (
      /** @type {string} */ path,
      /** @type {string} */ sha256,
      /** @type {number} */ start,
      /** @type {number} */ end,
      /** @type {string} */ headers,
    ) => {
      if (sending?.sha256 !== sha256) {
        const found = await use((db) => readFile(db, sha256));
        if (!found) throw named("MissingAttachment", `attachment ${sha256} is missing`);
        sending = { sha256, bytes: found.bytes };
      }
      const { bytes } = sending;
      if (end >= bytes.byteLength) sending = null;
      return whole(await ask("PATCH", path, JSON.parse(headers), new Uint8Array(bytes, start, end - start)));
    },
    isWhole: async (/** @type {string} */ sha256) => {
      const bytes = await bytesOf(await use((db) => store.read(db, "attachments", sha256)));
      return bytes !== null && (await digestOf(new Uint8Array(bytes))) === sha256;
    },
    downloadAttachment: async (/** @type {string} */ path, /** @type {string} */ sha256) => {
      const answer = await expectSuccess(await ask("GET", path, {}, undefined));
      const type = answer.headers.get("content-type") ?? "application/octet-stream";
      const bytes = await all(answer);
      if ((await digestOf(bytes)) !== sha256) throw named("Damaged", `${path} has another hash`);
      const value = { bytes: bytes.buffer, type, size: bytes.byteLength, name: "", state: "downloaded" };
      // fault point: download-unstored — a downloaded picture can be had again: the next sync asks for those
      // whose digest is not in the store, a power cut's included.
      const mine = await generation();
      await use((db) => {
        /** @type {store.Operation[]} */
        const kept = [["put", "attachments", sha256, value]];
        return store.write(db, kept, { durability: "relaxed", generation: mine });
      });
      return bytes.byteLength;
    },
  };
}

/** @param {store.Operation} operation */
function changesOutbox([, name]) {
  return name === "outbox";
}

/**
 * @param {string} name
 * @param {any} value
 */
function withoutBytes(name, value) {
  return FILE_STORES.has(name) ? { ...value, blob: undefined, bytes: undefined } : value;
}

/**
 * Ask our server; what is asked may be ended by `abort` until the answer is read.
 * @param {string} method
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {Uint8Array<ArrayBuffer> | Blob | string | undefined} body
 * @returns {Promise<Response>}
 */
async function ask(method, path, headers, body) {
  const control = new AbortController();
  running.add(control);
  try {
    const init = { method, headers, body, signal: control.signal };
    return ended(await askOffice(path, { ...init, cache: "no-store" }), control);
  } catch (error) {
    running.delete(control);
    throw error;
  }
}

/**
 * Forget what was asked as soon as its answer is read.
 * @param {Response} answer
 * @param {AbortController} control
 */
function ended(answer, control) {
  if (!answer.body || answer.status === 204) running.delete(control);
  controls.set(answer, control);
  return answer;
}

/** By answer, what ends it. @type {WeakMap<Response, AbortController>} */
const controls = new WeakMap();

/** @param {Response} answer */
async function expectSuccess(answer) {
  if (answer.status === 200) return answer;
  const text = new TextDecoder().decode(await all(answer));
  throw named(`Refused:${answer.status}`, text);
}

/** @param {Response} answer */
async function whole(answer) {
  const headers = JSON.stringify(Object.fromEntries(answer.headers));
  return { status: answer.status, headers, body: await all(answer) };
}

/** @param {Response} answer */
async function all(answer) {
  try {
    return new Uint8Array(await answer.arrayBuffer());
  } finally {
    forget(answer);
  }
}

/** @param {Response} answer */
function forget(answer) {
  const control = controls.get(answer);
  if (control) running.delete(control);
}

/** @param {Response} answer */
async function* chunks(answer) {
  const reader = answer.body?.getReader();
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) yield part.value;
  } finally {
    forget(answer);
    reader?.cancel().catch(() => {}); // an answer that broke off has nothing left to cancel
  }
}

/** @param {Response} answer */
function lines(answer) {
  const source = chunks(answer);
  const decoder = new TextDecoder();
  let rest = "";
  return {
    /** The next lines as JSON list, undefined at the end. */
    async next() {
      for (;;) {
        const { value, done } = await source.next();
        if (done) {
          const last = rest;
          rest = "";
          return last ? JSON.stringify([last]) : undefined;
        }
        const found = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = found.pop() ?? "";
        const full = found.filter((line) => line.trim());
        if (full.length) return JSON.stringify(full);
      }
    },
    close: () => void source.return(),
  };
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {CompressionStream | DecompressionStream} stream
 */
async function through(data, stream) {
  // not a blob: browsers write large ones to the disk
  const source = new Response(data).body?.pipeThrough(stream);
  return new Uint8Array(await new Response(source).arrayBuffer());
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} size
 */
function hashPieces(data, size) {
  const starts = Array.from({ length: Math.ceil(data.length / size) }, (_, i) => i * size);
  return Promise.all(starts.map((start) => digestOf(data.subarray(start, start + size))));
}


/**
 * @param {string} name
 * @param {string} message
 */
function named(name, message) {
  return new DOMException(message, name);
}
