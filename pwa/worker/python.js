// Python as devices run it, wherever it is started: in a worker of a browser, or in Node by whoever
// makes the image. Pyodide's private interface for memory snapshots is used here and nowhere else.

/**
 * @typedef {import("pyodide").PyodideInterface} Python
 * @typedef {{base: string, library: string, app: string, appVersion: string}} Place base: the runtime's
 *   folder, as an address or a path that ends with a slash; library: the standard library's own
 */

const HEAP_STEP = 8 << 20;

/**
 * Start Python with nothing in it but its standard library.
 * @param {Place} place
 * @param {object} [options] of `loadPyodide`
 * @returns {Promise<Python>}
 */
export async function load({ base, library, app, appVersion }, options = {}) {
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  return loadPyodide({
    indexURL: base,
    packageBaseUrl: base,
    stdLibURL: library,
    // all that Python learns of where it runs: what is in its memory goes to others
    env: { HOME: "/home/pyodide", FIELDPOST_APP: app, FIELDPOST_APP_VERSION: appVersion },
    ...options,
  });
}

/**
 * Start Python and return its memory with everything imported and run once.
 * @param {Place} place
 * @param {Uint8Array[]} wheels
 * @param {(python: Python) => void} [tidy] the last that happens to it
 * @returns {Promise<Uint8Array>}
 */
export async function makeMemory(place, wheels, tidy = () => {}) {
  const python = await load(place, { _makeSnapshot: true });
  // not by micropip: it holds on to JavaScript objects, and those cannot be in a snapshot
  unpack(python, wheels);
  warm(python);
  tidy(python);
  return /** @type {any} */ (python).makeMemorySnapshot();
}

/**
 * @param {Python} python
 * @param {Uint8Array[]} wheels
 */
export function unpack(python, wheels) {
  for (const wheel of wheels) python.unpackArchive(wheel, "wheel");
}

/** @param {Python} python */
export function warm(python) {
  python.runPython("from fieldpost_client import main\nmain.warm()");
}

/**
 * Start Python from its memory; files are not in it.
 * @param {Place} place
 * @param {Uint8Array} bytes
 * @param {number} [missing] the size of the standard library, where that is not here yet
 * @returns {Promise<Python>}
 */
export async function restore(place, bytes, missing = 0) {
  const { default: factory } = await import(`${place.base}pyodide.asm.mjs`);
  const python = await load(place, {
    // what is small and here in the place of what is not
    ...(missing ? { stdLibURL: `${place.base}pyodide-lock.json` } : {}),
    _loadSnapshot: bytes,
    createPyodideModule: (/** @type {any} */ settings) => {
      // Pyodide 314.0.7 ignores INITIAL_MEMORY, and a snapshot larger than the heap fails: grow
      // the heap by allocating; the snapshot then overwrites all of it.
      settings.preRun.push((/** @type {any} */ module) => {
        while (module.HEAP8.byteLength < bytes.byteLength) {
          if (!module._malloc(HEAP_STEP)) throw new RangeError("no memory for the snapshot");
        }
      });
      return factory(settings);
    },
  });
  // of a file that is too short a late import, and even a trace, fails in ways that nobody expects
  if (missing) putLibrary(python, new Uint8Array(missing));
  /** @type {any} */ (python)._module._tzset?.(); // the zone is that of whoever has made the memory
  // the state of `random` came with the snapshot: without this every start repeats it
  python.runPython("import random\nrandom.seed()");
  return python;
}

/**
 * Put the standard library where Python looks for it.
 * @param {Python} python
 * @param {Uint8Array} archive
 */
export function putLibrary(python, archive) {
  const [name] = python.FS.readdir("/lib").filter((/** @type {string} */ each) => each.endsWith(".zip"));
  python.FS.writeFile(`/lib/${name}`, archive);
}
