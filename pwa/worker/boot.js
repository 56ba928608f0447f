// Starts Python on a device: from a memory snapshot, or from the packages.

/**
 * @typedef {import("../manifest.js").Manifest} Manifest
 * @typedef {import("../manifest.js").Asset} Asset
 * @typedef {import("./python.js").Python} Python
 * @typedef {(note: {step: string}) => void} Report
 */

import { askAsset } from "../office.js";
import * as memory from "./python.js";

/**
 * Start Python from a memory snapshot when there is one, else the ordinary way.
 * @param {Manifest} manifest
 * @param {Promise<Uint8Array | null>} snapshot what was stored under the manifest's python_version
 * @param {Report} report
 * @param {boolean} isWhole whether the packages are here; without them only a snapshot can be started
 * @returns {Promise<{python: Python, how: "snapshot" | "ordinary"}>}
 */
export async function start(manifest, snapshot, report, isWhole) {
  // modules of 1.3 MB are read and compiled while the snapshot is read
  const modules = ["pyodide.mjs", "pyodide.asm.mjs"].map((name) => import(`${manifest.pyodide.base}${name}`));
  Promise.all(modules).catch(() => {}); // reported where they are used
  const bytes = await snapshot.catch(() => null);
  if (bytes) {
    try {
      return { python: await restore(manifest, bytes, isWhole), how: "snapshot" };
    } catch (error) {
      console.info("The memory snapshot could not be used; starting the ordinary way.", error);
    }
  }
  if (!isWhole) throw new Error("The packages are not here yet.");
  return { python: await startOrdinarily(manifest, report), how: "ordinary" };
}

/**
 * @param {Manifest} manifest
 * @param {Uint8Array} bytes
 * @param {boolean} isWhole
 */
function restore(manifest, bytes, isWhole) {
  return memory.restore(placeOf(manifest), bytes, isWhole ? 0 : libraryOf(manifest).size);
}

/**
 * Start Python in this (idle) worker and return its memory with everything imported.
 * @param {Manifest} manifest
 * @returns {Promise<Uint8Array>}
 */
export async function makeSnapshot(manifest) {
  return memory.makeMemory(placeOf(manifest), await fetched(manifest.wheels));
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
 * @param {boolean} hasLibrary whether the standard library was here at the start
 */
export async function refill(python, manifest, hasLibrary) {
  if (!hasLibrary) memory.putLibrary(python, (await askAsset(libraryOf(manifest))).bytes);
  for (const wheel of manifest.wheels) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // others first
    memory.unpack(python, await fetched([wheel]));
  }
}

/**
 * @param {Manifest} manifest
 * @param {Report} report
 */
async function startOrdinarily(manifest, report) {
  report({ step: "runtime" });
  const python = await memory.load(placeOf(manifest));
  report({ step: "packages" });
  const [micropip, ...others] = manifest.wheels;
  memory.unpack(python, await fetched([micropip]));
  const urls = others.map(({ url }) => new URL(url, location.href).href);
  await python.runPythonAsync(
    `import micropip\nawait micropip.install(${JSON.stringify(urls)}, deps=False)`,
  );
  report({ step: "app" });
  memory.warm(python);
  return python;
}

/** @param {Asset[]} wheels @returns {Promise<Uint8Array[]>} */
function fetched(wheels) {
  return Promise.all(wheels.map(async (wheel) => (await askAsset(wheel)).bytes));
}

/** @param {Manifest} manifest @returns {Asset} */
function libraryOf({ pyodide }) {
  const found = pyodide.files.find(({ url }) => url.endsWith("/python_stdlib.zip"));
  if (!found) throw new Error("The manifest names no standard library.");
  return found;
}

/** @param {Manifest} manifest @returns {import("./python.js").Place} */
function placeOf(manifest) {
  const { pyodide, app, app_version: appVersion } = manifest;
  return { base: pyodide.base, library: new URL(libraryOf(manifest).url, location.href).href, app, appVersion };
}
