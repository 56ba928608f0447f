// Runs the shared suite inside Pyodide, the device's Python.
// Usage: node tests/parity/run.mjs LAID-OUT RESULTS.json [pytest arguments]

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, startPython } from "./python.mjs";

const [laidOut, results, ...pytestArguments] = process.argv.slice(2);
if (!results) {
  console.error("Usage: node tests/parity/run.mjs LAID-OUT RESULTS.json [pytest arguments]");
  process.exit(2);
}

const PROGRAM = `
import json, sys

import pytest

class Results:
    """Notes how each test ended: passed only if its set-up, call and tear-down did."""

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            self.outcomes[report.nodeid] = report.outcome

results = Results()
code = pytest.main(
    ["--rootdir=/repository", "-c", "/repository/pyproject.toml", "--capture=sys",
     "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0", "-m", "not postgresql",
     *json.loads(arguments)], plugins=[results])
json.dumps({"code": int(code), "python": sys.version.split()[0], "outcomes": results.outcomes})
`;

const python = await startPython(laidOut);
// the options of a plugin that cannot work there
const settings = readFileSync(join(root, "pyproject.toml"), "utf8").replace(/^faulthandler_.*$/gm, "");
python.FS.writeFile("/repository/pyproject.toml", settings);
python.FS.chdir("/repository");
python.globals.set("arguments", JSON.stringify(["tests/shared", ...pytestArguments]));

try {
  const found = python.runPython(PROGRAM);
  writeFileSync(results, found);
  process.exitCode = JSON.parse(found).code;
} catch (error) {
  // the message alone: Node would print Pyodide's minified source with it
  console.error(String(error instanceof Error ? error.message : error));
  process.exitCode = 1;
}
