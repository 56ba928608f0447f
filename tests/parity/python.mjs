// Starts Pyodide, the device's Python, with a device's files, and the tests of the project beside them.

import { join, resolve } from "node:path";
import { loadPyodide } from "pyodide";

export const root = resolve(import.meta.dirname, "../..");

const TESTS = { pwa: "pwa", examples: "examples", tests: "tests" };

const PATHS = `
import sys
from importlib.machinery import PathFinder

sys.path[:0] = ["/device/site"]
sys.path += [f"/repository/{part}" for part in ("examples", "tests")]


class ForTestsOnly:
    """Finds what tests need and devices have not; for what devices have it finds nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is not None:
            return None
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        if frame and frame.f_code.co_filename.startswith(("/device/", "/lib/")):
            return None
        return PathFinder.find_spec(name, ["/tools"])


sys.meta_path.append(ForTestsOnly)
`;

/**
 * @param {string} folder with what \`packages.py\` has laid out: a device's files, and the tools of tests
 * @param {Record<string, string>} more other folders to mount: place to folder
 */
export async function startPython(folder, more = {}) {
  const python = await loadPyodide({
    // nothing is written beside the sources, which CPython reads at the same time
    env: { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" },
    stdLibURL: resolve(folder, "device/python_stdlib.zip"),
  });
  python.mountNodeFS("/device", resolve(folder, "device"));
  python.mountNodeFS("/tools", resolve(folder, "tools"));
  for (const [place, part] of Object.entries(TESTS)) {
    python.mountNodeFS(`/repository/${place}`, join(root, part));
  }
  for (const [place, part] of Object.entries(more)) python.mountNodeFS(place, resolve(part));
  python.runPython(PATHS);
  return python;
}
