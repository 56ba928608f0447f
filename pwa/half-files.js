// What has come of a file whose download was cut off: it is kept in small pieces, and goes on there.
//
// Nobody believes the pieces: a file counts when all of it is what the manifest says. A cache that
// has no space for them, or fails, costs nothing but the time to fetch them again.

import { within } from "./limits.js";

/** @typedef {import("./manifest.js").Asset} Asset @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** The name of the cache with the pieces. */
export const HALF_FILES = "fieldpost-half-files";
const PIECE_BYTES = 256 << 10;
const SMALL_BYTES = 2 << 20;
const PATIENCE_MS = 15_000;

/** One file on its way. */
export class HalfFile {
  /** Pieces of one size, all of them kept. @type {Bytes[]} */
  #pieces = [];
  /** What came after them. @type {Bytes[]} */
  #tail = [];
  #isKept = true;
  size = 0;

  /** Of a file that travels small and packed, a death may take what has come: that is quicker. */
  #isSmall = false;

  #isWanted;

  /** @param {Asset} asset @param {() => boolean} [isWanted] where it is not, nothing of it is kept any more */
  constructor(asset, isWanted = () => true) {
    this.asset = asset;
    this.#isWanted = isWanted;
    this.#isSmall = (asset.packed ?? asset.size) <= SMALL_BYTES;
  }

  /**
   * What was kept of a file.
   * @param {Asset} asset
   * @param {() => boolean} [isWanted]
   * @returns {Promise<HalfFile>}
   */
  static async of(asset, isWanted) {
    const half = new HalfFile(asset, isWanted);
    await half.#quietly(async (cache) => {
      while (half.size < asset.size) {
        const kept = await cache.match(half.#place(half.#pieces.length));
        if (!kept) return;
        const piece = new Uint8Array(await kept.arrayBuffer());
        half.size += piece.byteLength;
        if (piece.byteLength !== PIECE_BYTES) {
          half.#tail = [piece];
          return;
        }
        half.#pieces.push(piece);
      }
    });
    if (half.size >= asset.size) await half.drop(); // whole files are elsewhere
    return half;
  }

  /** All that has come. @returns {Bytes} */
  bytes() {
    return joined([...this.#pieces, ...this.#tail]);
  }

  /** More has come. @param {Bytes} part */
  async add(part) {
    this.#tail.push(part);
    this.size += part.byteLength;
    if (!this.#isSmall && this.size - this.#pieces.length * PIECE_BYTES >= PIECE_BYTES) await this.keep();
  }

  /** Keep what is not kept yet; a last short piece is replaced when more of it has come. */
  async keep() {
    let rest = joined(this.#tail);
    await this.#quietly(async (cache) => {
      // fault point: piece-unkept — only time is lost: the download goes on after the pieces before it, and one
      // that is damaged has the whole file fetched again.
      for (let at = 0; at * PIECE_BYTES < rest.byteLength; at++) {
        const piece = rest.slice(at * PIECE_BYTES, (at + 1) * PIECE_BYTES);
        await cache.put(this.#place(this.#pieces.length + at), new Response(piece));
      }
    });
    for (; rest.byteLength >= PIECE_BYTES; rest = rest.slice(PIECE_BYTES)) this.#pieces.push(rest.slice(0, PIECE_BYTES));
    this.#tail = rest.byteLength ? [rest] : [];
  }

  /** Begin again: what has come is of no use. */
  async drop() {
    this.#pieces = [];
    this.#tail = [];
    this.size = 0;
    await forgetHalfFiles();
  }

  /** @param {number} number */
  #place(number) {
    return `${this.asset.url}?piece=${number}`;
  }

  /** @param {(cache: Cache) => Promise<void>} work */
  async #quietly(work) {
    if (!this.#isKept || !this.#isWanted()) return;
    try {
      await within(PATIENCE_MS, opened().then(work), "The caches");
    } catch (error) {
      console.info("What has come of a file could not be kept in pieces.", error);
      this.#isKept = false;
    }
  }
}

/** Forget all pieces: one file is on its way at a time. */
export async function forgetHalfFiles() {
  // fault point: pieces-left — they only take space, of one file at most: the next file that is whole forgets
  // them, and so does signing out.
  await within(PATIENCE_MS, caches.delete(HALF_FILES), "The caches");
}

/** Forget pieces of files that a version does not have. @param {Asset[]} files */
export async function forgetHalfFilesBut(files) {
  if (!(await within(PATIENCE_MS, caches.has(HALF_FILES), "The caches"))) return;
  const urls = new Set(files.map(({ url }) => url));
  const kept = await within(PATIENCE_MS, opened().then((cache) => cache.keys()), "The caches");
  if (kept.some(({ url }) => !urls.has(new URL(url).pathname))) await forgetHalfFiles();
}

function opened() {
  return within(PATIENCE_MS, caches.open(HALF_FILES), "The caches");
}

/** @param {Bytes[]} parts @returns {Bytes} */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
