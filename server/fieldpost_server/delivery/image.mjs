// Makes the memory image of the device's Python, or tries one that was made. Run by Node, in an
// empty environment; what to do comes as JSON on standard input.
//
// make: `in` holds the runtime, the wheels and `python.mjs`; the image's parts go beside it.
// check: what was made is unpacked and started, without a file, and everything run once more.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import * as zlib from "node:zlib";

/** A part is fetched again where it was cut off, so it is small; smaller ones compress less. */
const PART_BYTES = 4 << 20;
/** A last look over what is only needed once; each step says what it is for. */
const TIDY = `
import gc, linecache, re, sys
sys.modules.pop("_sysconfigdata__emscripten_wasm32-emscripten", None)  # how Python was built
linecache.clearcache()
re.purge()
gc.collect()
`;
/** Free blocks below this are not worth the time. */
const LEAST_BLOCK = 16;

setPriority(10); // requests first
const parent = process.ppid;
// whoever has asked is gone: nobody wants it any more
setInterval(() => process.ppid === parent || process.exit(2), 500).unref();
const asked = JSON.parse(readFileSync(0, "utf8"));
try {
  await { make, check }[asked.do](asked);
} catch (error) {
  // the last line is what people read; a trace of the runtime is a megabyte in one line
  process.stderr.write(`${String(error?.message ?? error).slice(-2000).trim()}\n`);
  process.exitCode = 1;
}

/** @param {{app: string, appVersion: string, wheels: string[], notes: object}} asked */
async function make({ app, appVersion, wheels, notes }) {
  const base = `${resolve("in")}/`;
  const place = { base, library: `${base}python_stdlib.zip`, app, appVersion };
  const { makeMemory } = await import(`${base}python.mjs`);
  forgetSelf();
  const archives = wheels.map((name) => new Uint8Array(readFileSync(`${base}${name}`)));
  const memory = await makeMemory(place, archives, tidy);
  const parts = [];
  for (let at = 0; at < memory.byteLength; at += PART_BYTES) {
    parts.push(await packed(parts.length, memory.subarray(at, at + PART_BYTES)));
  }
  writeFileSync("image.json", JSON.stringify({ ...notes, size: memory.byteLength, sha256: digest(memory), parts }));
}

/** @param {{app: string, appVersion: string, library: number}} asked */
async function check({ app, appVersion, library }) {
  const base = `${resolve("in")}/`;
  const place = { base, library: `${base}python_stdlib.zip`, app, appVersion };
  const { restore } = await import(`${base}python.mjs`);
  forgetSelf();
  const { size, sha256, parts } = JSON.parse(readFileSync("image.json", "utf8"));
  const unpacked = parts.map((_, number) => zlib.brotliDecompressSync(readFileSync(`${number}.br`)));
  const memory = new Uint8Array(Buffer.concat(unpacked));
  if (memory.byteLength !== size || digest(memory) !== sha256) throw new Error("the image is not as it was made");
  const python = await restore(place, memory, library);
  // without a file it shows lists and forms and saves some: nothing is imported late
  python.runPython("from fieldpost_client import main\nmain.warm()");
}

/** Python would keep the names of this program and of its folder as its own. */
function forgetSelf() {
  process.argv.length = 1;
}

/**
 * Drop what is of no use later, and empty what is free: it holds what was there before.
 * @param {any} python
 */
function tidy(python) {
  python.runPython(TIDY);
  const { _malloc, _free, HEAP8 } = python._module;
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = () => {
    throw new RangeError("no more than there is");
  };
  const blocks = [];
  try {
    for (let size = PART_BYTES; size >= LEAST_BLOCK; size -= Math.max(8, (size >> 3) & ~7)) {
      for (let at = _malloc(size); at; at = _malloc(size)) {
        HEAP8.fill(0, at, at + size);
        blocks.push(at);
      }
    }
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
  blocks.forEach(_free);
}

/**
 * @param {number} number
 * @param {Uint8Array} part
 */
async function packed(number, part) {
  const { BROTLI_PARAM_QUALITY: quality, BROTLI_PARAM_LGWIN: window, BROTLI_PARAM_SIZE_HINT: hint } = zlib.constants;
  const params = { [quality]: 9, [window]: 24, [hint]: part.byteLength };
  const [br, gz] = await Promise.all([
    promisify(zlib.brotliCompress)(part, { params }),
    promisify(zlib.gzip)(part, { level: 9 }),
  ]);
  writeFileSync(`${number}.br`, br);
  writeFileSync(`${number}.gz`, gz);
  const kept = { br: { size: br.byteLength, sha256: digest(br) }, gz: { size: gz.byteLength, sha256: digest(gz) } };
  return { size: part.byteLength, sha256: digest(part), ...kept };
}

/** @param {Uint8Array} bytes */
function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
