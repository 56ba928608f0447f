// Starts Pyodide, the device's Python, with the sources of the project in it.

import { join, resolve } from "node:path";
import { loadPyodide } from "pyodide";

export const root = resolve(import.meta.dirname, "../..");

const SOURCES = { shared: "shared", pwa: "pwa", examples: "examples", tests: "tests" };

const PATHS = `
import sys
sys.path[:0] = ["/site"] + [f"/repository/{part}" for part in ("shared", "pwa/py", "examples", "tests")]
`;

/**
 * @param {string} sitePackages folder with what devices have installed
 * @param {Record<string, string>} more other folders to mount: place to folder
 */
export async function startPython(sitePackages, more = {}) {
  const python = await loadPyodide({
    // nothing is written beside the sources, which CPython reads at the same time
    env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" },
  });
  python.mountNodeFS("/site", resolve(sitePackages));
  for (const [place, folder] of Object.entries(SOURCES)) {
    python.mountNodeFS(`/repository/${place}`, join(root, folder));
  }
  for (const [place, folder] of Object.entries(more)) python.mountNodeFS(place, resolve(folder));
  python.runPython(PATHS);
  return python;
}
