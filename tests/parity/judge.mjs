// Judges cases inside Pyodide: reads cases.ndjson of a folder, writes outcomes.ndjson there.
// Usage: node tests/parity/judge.mjs LAID-OUT FOLDER

import process from "node:process";
import { startPython } from "./python.mjs";

const [laidOut, folder] = process.argv.slice(2);
if (!folder) {
  console.error("Usage: node tests/parity/judge.mjs LAID-OUT FOLDER");
  process.exit(2);
}

const PROGRAM = `
from pathlib import Path

from parity.outcomes import judge

judge(Path("/folder/cases.ndjson"), Path("/folder/outcomes.ndjson"))
`;

const python = await startPython(laidOut, { "/folder": folder });
try {
  python.runPython(PROGRAM);
} catch (error) {
  console.error(String(error instanceof Error ? error.message : error));
  process.exitCode = 1;
}
