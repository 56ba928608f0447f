// Asks our server, and says whose answer it was. All of the shell, the worker and the service worker
// go through here: a status, a type or a page says nothing unless our server's mark is on it.

/** On every answer of our server: what lacks it came from a network's own sign-in page, a filter … */
const SERVER = "fieldpost-server";
/** So long may nothing move: then a request counts as unanswered, an answer as broken off. */
const SILENCE_MS = 45_000;
/** A line that carries less is silent. Nobody hears how far a body is on its way to the server. */
const SLOWEST_BYTES_A_SECOND = 1_000;
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
 * @param {import("./manifest.js").Asset} asset
 * @param {{cache?: RequestCache, count?: (more: number) => void}} [how] count hears how many bytes
 *   have come
 * @returns {Promise<{bytes: Uint8Array<ArrayBuffer>, headers: Headers}>} rejects with `NoAnswer` or
 *   `Refusal`
 */
export async function askAsset(asset, { cache = "default", count } = {}) {
  const answer = await ask(asset.url, { cache });
  if (answer.status !== 200 && isMarked(answer)) throw new Refusal(answer);
  const bytes = await read(answer, count);
  if (!(await isAsset(asset, bytes))) throw foreign();
  return { bytes, headers: answer.headers };
}

/**
 * Whether bytes are those of a file of the app; a manifest of a former edition knows the size only.
 * @param {import("./manifest.js").Asset} asset
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function isAsset({ size, sha256 }, bytes) {
  if (bytes.byteLength !== size) return false;
  if (!sha256 || !globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return sha256 === Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {Response} answer
 * @param {(more: number) => void} [count]
 */
async function read(answer, count) {
  const parts = [];
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    count?.(part.value.byteLength);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
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
