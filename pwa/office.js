// Asks our server, and says whose answer it was. All of the shell, the worker and the service worker
// go through here: a status, a type or a page says nothing unless our server's mark is on it.

import { digestOf } from "./sha256.js";

/**
 * @typedef {import("./half-files.js").HalfFile} HalfFile
 * @typedef {import("./manifest.js").Asset} Asset
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 */

/** On every answer of our server: what lacks it came from a network's own sign-in page, a filter … */
const SERVER = "fieldpost-server";
/** So long may nothing move: then a request counts as unanswered, an answer as broken off. */
const SILENCE_MS = 45_000;
/** A line that carries less is silent. Nobody hears how far a body is on its way to the server. */
const SLOWEST_BYTES_A_SECOND = 1_000;
/** With these an answer says something of the file, and not of the server. */
const OF_THE_FILE = new Set([200, 206, 416]);
/** With these an answer has no body. */
const EMPTY = new Set([204, 205, 304]);

/** Our server gave no answer. */
export class NoAnswer extends Error {
  /**
   * @param {string} message
   * @param {{isForeign?: boolean}} [how] isForeign: something between has answered in its place
   */
  constructor(message, { isForeign = false } = {}) {
    super(message);
    this.name = isForeign ? "Foreign" : "Unreachable";
    this.isForeign = isForeign;
  }
}

/** Something that is not our server has answered. */
export function foreign() {
  return new NoAnswer("There is no connection to the office: something between has answered, such as the sign-in page of a network.", { isForeign: true });
}

/** What our server answers, but not with what was asked for. */
export class Refusal extends Error {
  /** @param {Response} answer */
  constructor(answer) {
    super(`The office answered ${answer.status}.`);
    this.name = "Refusal";
    this.answer = answer;
    this.status = answer.status;
  }
}

/** Whether our server wants to know who asks, and nobody is signed in. @param {unknown} error */
export function isSignedOut(error) {
  return error instanceof Refusal && error.status === 401;
}

/**
 * Ask our server. Slowness ends nothing; silence does.
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>} an answer of our server, whatever its status; what is read of it
 *   fails with `NoAnswer`, too
 */
export async function askOffice(path, init = {}) {
  const answer = await ask(path, init);
  if (isMarked(answer)) return answer;
  answer.body?.cancel().catch(() => {}); // one that broke off has nothing left to cancel
  throw foreign();
}

/** @param {Response} answer */
function isMarked(answer) {
  return answer.headers.has(SERVER);
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  const control = new AbortController();
  const end = () => control.abort(init.signal?.reason);
  if (init.signal?.aborted) end();
  init.signal?.addEventListener("abort", end);
  const watch = watchOver(control, SILENCE_MS + (sizeOf(init.body) / SLOWEST_BYTES_A_SECOND) * 1000);
  try {
    // eslint-disable-next-line no-restricted-globals -- this is the one place that may
    return watched(await fetch(path, { ...init, signal: control.signal }), watch);
  } catch (error) {
    throw new NoAnswer(String(error));
  } finally {
    watch.stop();
  }
}

/**
 * Ask our server for one thing; whatever else it says is a refusal.
 * @param {string} path
 * @param {RequestInit} init
 * @param {{status?: number, type?: string}} expected type: what its media type begins with
 * @returns {Promise<Response>} rejects with `NoAnswer` or `Refusal`
 */
export async function askFor(path, init, { status = 200, type = "" }) {
  const answer = await askOffice(path, init);
  if (answer.status !== status) throw new Refusal(answer);
  if (!(answer.headers.get("content-type") ?? "").startsWith(type)) throw foreign();
  return answer;
}

/**
 * Return the bytes of a file of the app, as the manifest says that they are. Its digest shows whose
 * it is, from wherever it comes: what a former edition has kept carries no mark.
 * @param {Asset} asset
 * @param {{cache?: RequestCache, count?: (more: number) => void, half?: HalfFile}} [how] count hears
 *   how many bytes have come; half: what has come before is not asked for again, what comes is added
 * @returns {Promise<{bytes: Bytes, headers: Headers}>} rejects with `NoAnswer` or `Refusal`
 */
export async function askAsset(asset, { cache = "default", count = () => {}, half } = {}) {
  const answer = await ask(asset.url, { cache, headers: half ? missing(asset, half) : {} });
  // what is not ours may be right all the same, but must not be mixed with what is
  const bytes = half && isMarked(answer) ? await added(answer, count, half) : await read(answer, count, asset.size);
  if (await isAsset(asset, bytes)) return { bytes, headers: answer.headers };
  if (isMarked(answer)) await half?.drop();
  throw foreign();
}

/**
 * Ask for what is missing of a file, and for all of it where the server has another by now.
 * @param {Asset} asset
 * @param {HalfFile} half
 * @returns {Record<string, string>}
 */
function missing(asset, half) {
  return half.size ? { Range: `bytes=${half.size}-`, "If-Range": tagOf(asset) } : {};
}

/** The strong validator of a file, unpacked; the server knows its files by the same. @param {Asset} asset */
function tagOf({ sha256 }) {
  return `"${sha256}"`;
}

/**
 * Whether an answer goes on with a file just where it stopped.
 * @param {Response} answer
 * @param {HalfFile} half
 */
function goesOn({ status, headers }, { size, asset }) {
  const said = [headers.get("content-range"), headers.get("etag")];
  const expected = [`bytes ${size}-${asset.size - 1}/${asset.size}`, tagOf(asset)];
  return status === 206 && said.join() === expected.join();
}

/**
 * Read an answer of our server, and keep what comes of it.
 * @param {Response} answer
 * @param {(more: number) => void} count
 * @param {HalfFile} half
 */
async function added(answer, count, half) {
  if (!goesOn(answer, half)) {
    // trouble of the server takes nothing away of what has come
    if (half.size && OF_THE_FILE.has(answer.status)) await half.drop();
    if (answer.status !== 200) throw new Refusal(answer);
  }
  try {
    await each(answer, async (part) => {
      if (half.size + part.byteLength > half.asset.size) throw foreign();
      await half.add(part);
      count(part.byteLength);
    });
  } finally {
    if (half.size < half.asset.size) await half.keep();
  }
  return half.bytes();
}

/**
 * Whether bytes are those of a file of the app; a manifest of a former edition knows the size only.
 * @param {Asset} asset
 * @param {Bytes} bytes
 */
export async function isAsset({ size, sha256 }, bytes) {
  if (bytes.byteLength !== size) return false;
  return !sha256 || sha256 === (await digestOf(bytes));
}

/**
 * Read an answer whole; one that is longer than the file is not what was asked for.
 * @param {Response} answer
 * @param {(more: number) => void} count
 * @param {number} most
 */
async function read(answer, count, most) {
  if (answer.status !== 200 && isMarked(answer)) throw new Refusal(answer);
  /** @type {Bytes[]} */
  const parts = [];
  let size = 0;
  await each(answer, (part) => {
    size += part.byteLength;
    if (size > most) throw foreign();
    parts.push(part);
    count(part.byteLength);
  });
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/**
 * @param {Response} answer
 * @param {(part: Bytes) => Promise<void> | void} take
 */
async function each(answer, take) {
  const reader = answer.body?.getReader();
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) await take(part.value);
  } finally {
    reader?.cancel().catch(() => {}); // one that broke off has nothing left to cancel
  }
}

/** @typedef {{calm: () => void, stop: () => void}} Watch */

/**
 * @param {AbortController} control
 * @param {number} first how long it may take until the answer begins
 * @returns {Watch}
 */
function watchOver(control, first) {
  let timer = setTimeout(() => control.abort(), first);
  const stop = () => clearTimeout(timer);
  const calm = () => {
    stop();
    timer = setTimeout(() => control.abort(), SILENCE_MS);
  };
  return { calm, stop };
}

/**
 * The same answer, given up when nothing more of it comes.
 * @param {Response} answer
 * @param {Watch} watch
 * @returns {Response}
 */
function watched(answer, watch) {
  // some browsers give an answer a body that may have none, and take none for it
  if (EMPTY.has(answer.status)) return answer;
  const reader = answer.body?.getReader();
  if (!reader) return answer;
  const body = new ReadableStream({
    async pull(out) {
      try {
        watch.calm();
        const { value, done } = await reader.read();
        watch.stop(); // whoever reads may take her time
        if (done) out.close();
        else out.enqueue(value);
      } catch (error) {
        watch.stop();
        out.error(new NoAnswer(String(error)));
      }
    },
    cancel(reason) {
      watch.stop();
      return reader.cancel(reason);
    },
  });
  const { status, statusText, headers, url, redirected } = answer;
  const own = new Response(body, { status, statusText, headers });
  return Object.defineProperties(own, { url: { value: url }, redirected: { value: redirected } });
}

/** @param {BodyInit | null | undefined} body */
function sizeOf(body) {
  if (body instanceof Blob) return body.size;
  if (typeof body === "string") return body.length;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return body.byteLength;
  return 0;
}
