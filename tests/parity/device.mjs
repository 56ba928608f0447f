// Starts Python as a device does, from the files as they are served, and imports all that came with them.
// Usage: node tests/parity/device.mjs FOLDER RESULT.json

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { loadPyodide } from "pyodide";

const [folder, result] = process.argv.slice(2);
if (!result) {
  console.error("Usage: node tests/parity/device.mjs FOLDER RESULT.json");
  process.exit(2);
}

const INSTALL = `
import json, micropip
await micropip.install([f"emfs:/wheels/{name}" for name in json.loads(wheels)], deps=False)
from fieldpost_client import main
main.warm()
`;

const IMPORT_ALL = `
import importlib, json, sys, warnings, zipfile

warnings.simplefilter("ignore")
missing = {}
for name in sorted(json.loads(modules)):
    try:
        importlib.import_module(name)
    except Exception as error:
        missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
json.dumps({"missing": missing, "machine": sorted(sys.builtin_module_names)})
`;

const { app, wheels, modules } = JSON.parse(readFileSync(join(folder, "list.json"), "utf8"));
const bytesOf = (/** @type {string} */ name) => new Uint8Array(readFileSync(join(folder, name)));
try {
  const python = await loadPyodide({
    stdLibURL: join(folder, "python_stdlib.zip"),
    env: { HOME: "/home/pyodide", FIELDPOST_APP: app, FIELDPOST_APP_VERSION: "1" },
  });
  const [micropip, ...others] = wheels;
  python.unpackArchive(bytesOf(micropip), "wheel");
  python.FS.mkdirTree("/wheels");
  for (const name of others) python.FS.writeFile(`/wheels/${name}`, bytesOf(name));
  python.globals.set("wheels", JSON.stringify(others));
  python.globals.set("modules", JSON.stringify(modules));
  await python.runPythonAsync(INSTALL);
  writeFileSync(result, python.runPython(IMPORT_ALL));
} catch (error) {
  // the message alone: Node would print Pyodide's minified source with it
  console.error(String(error instanceof Error ? error.message : error));
  process.exitCode = 1;
}
