"""Puts the browser parts into the wheel, so that an installed server needs no Node."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# the npm packages' files that the server serves; npm ci brings them
NPM_FILES = (
    "@noble/ed25519/index.js",
    "idiomorph/dist/idiomorph.esm.js",
    "pyodide/pyodide-lock.json",
    "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/pyodide.mjs",
    "pyodide/python_stdlib.zip",
    "signature_pad/dist/signature_pad.js",
)


class BrowserPartsHook(BuildHookInterface[Any]):
    """Maps `pwa/` and parts of `node_modules/` into `fieldpost_server/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; an editable install finds them where they are."""
        if version == "editable":
            return
        root = Path(self.root)
        modules = root / "node_modules"
        if not (modules / NPM_FILES[0]).is_file():
            raise FileNotFoundError("The browser parts are missing: run npm ci before the build.")
        included = build_data["force_include"]
        for path in sorted((root / "pwa").iterdir()):
            if path.name != "py":
                included[str(path)] = f"fieldpost_server/pwa/{path.name}"
        for name in NPM_FILES:
            included[str(modules / name)] = f"fieldpost_server/node_modules/{name}"
