// Starts Python. Pyodide's private interface for memory snapshots is used here and nowhere else.

/**
 * @typedef {import("../manifest.js").Manifest} Manifest
 * @typedef {import("../manifest.js").Asset} Asset
 * @typedef {import("pyodide").PyodideInterface} Python
 * @typedef {(note: {step: string}) => void} Report
 */

import { askAsset } from "../office.js";

const HEAP_STEP = 8 << 20;

/**
 * Start Python from a memory snapshot when there is one, else the ordinary way.
 * @param {Manifest} manifest
 * @param {Promise<Uint8Array | null>} snapshot what was stored under the manifest's python_version
 * @param {Report} report
 * @returns {Promise<{python: Python, how: "snapshot" | "ordinary"}>}
 */
export async function start(manifest, snapshot, report) {
  // modules of 1.3 MB are read and compiled while the snapshot is read
  const modules = ["pyodide.mjs", "pyodide.asm.mjs"].map((name) => import(`${manifest.pyodide.base}${name}`));
  Promise.all(modules).catch(() => {}); // reported where they are used
  const bytes = await snapshot.catch(() => null);
  if (bytes) {
    try {
      return { python: await restore(manifest, bytes), how: "snapshot" };
    } catch (error) {
      console.info("The memory snapshot could not be used; starting the ordinary way.", error);
    }
  }
  return { python: await startOrdinarily(manifest, report), how: "ordinary" };
}

/**
 * Start Python in this (idle) worker and return its memory with everything imported.
 * @param {Manifest} manifest
 * @returns {Promise<Uint8Array>}
 */
export async function makeSnapshot(manifest) {
  const python = await load(manifest, { _makeSnapshot: true });
  // not by micropip: it holds on to JavaScript objects, and those cannot be in a snapshot
  await unpack(python, manifest.wheels);
  warm(python);
  return /** @type {any} */ (python).makeMemorySnapshot();
}

/**
 * Hear of Python's death: whatever it was doing is never answered.
 * @param {Python} python
 * @returns {Promise<never>} rejects when it has died
 */
export function deathOf(python) {
  return new Promise((_, reject) => {
    /** @type {any} */ (python)._api.on_fatal = (/** @type {unknown} */ error) =>
      reject(new Error(`Python has ended (${String(error)}). Load this page again; what was saved is kept.`));
  });
}

/**
 * Put the wheels back into the file system of a restored Python: its memory came with the
 * snapshot, its files did not, and something may be imported late.
 * @param {Python} python
 * @param {Manifest} manifest
 */
export async function refill(python, manifest) {
  for (const wheel of manifest.wheels) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // others first
    await unpack(python, [wheel]);
  }
}

/**
 * @param {Manifest} manifest
 * @param {Report} report
 */
async function startOrdinarily(manifest, report) {
  report({ step: "runtime" });
  const python = await load(manifest, {});
  report({ step: "packages" });
  const [micropip, ...others] = manifest.wheels;
  await unpack(python, [micropip]);
  const urls = others.map(({ url }) => new URL(url, location.href).href);
  await python.runPythonAsync(
    `import micropip\nawait micropip.install(${JSON.stringify(urls)}, deps=False)`,
  );
  report({ step: "app" });
  warm(python);
  return python;
}

/** @param {Python} python */
function warm(python) {
  python.runPython("from fieldpost_client import main\nmain.warm()");
}

/**
 * @param {Python} python
 * @param {Asset[]} wheels
 */
async function unpack(python, wheels) {
  const archives = wheels.map(async (wheel) => (await askAsset(wheel)).bytes);
  for (const archive of await Promise.all(archives)) python.unpackArchive(archive, "wheel");
}

/**
 * @param {Manifest} manifest
 * @param {Uint8Array} bytes
 */
async function restore(manifest, bytes) {
  const { default: factory } = await import(`${manifest.pyodide.base}pyodide.asm.mjs`);
  const python = await load(manifest, {
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
  // the state of `random` came with the snapshot: without this every start repeats it
  python.runPython("import random\nrandom.seed()");
  return python;
}

/**
 * @param {Manifest} manifest
 * @param {object} options
 * @returns {Promise<Python>}
 */
async function load(manifest, options) {
  const base = manifest.pyodide.base;
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  // it lies by itself: an app that imports more of it has another one, and the same runtime
  const library = manifest.pyodide.files.find(({ url }) => url.endsWith("/python_stdlib.zip"));
  return loadPyodide({
    indexURL: base,
    packageBaseUrl: base,
    stdLibURL: library && new URL(library.url, location.href).href,
    env: {
      HOME: "/home/pyodide",
      FIELDPOST_APP: manifest.app,
      FIELDPOST_APP_VERSION: manifest.app_version,
    },
    ...options,
  });
}
