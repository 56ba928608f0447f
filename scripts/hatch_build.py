"""Puts the browser parts into wheels and source distributions: who installs them needs no Node."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# the npm packages' files that the server serves; npm ci brings them
NPM_FILES = (
    "@noble/ed25519/index.js",
    "hash-wasm/dist/argon2.umd.min.js",
    "idiomorph/dist/idiomorph.esm.js",
    "pyodide/pyodide-lock.json",
    "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/pyodide.mjs",
    "pyodide/python_stdlib.zip",
    "signature_pad/dist/signature_pad.js",
)


MISSING = """\
The browser parts are missing, so that no wheel can be made. In a clone run

    npm ci --omit=dev

first (it needs Node 20.19 or newer), or install a wheel or a source distribution of Fieldpost:
those bring them.
"""


class BrowserPartsHook(BuildHookInterface[Any]):
    """Maps `pwa/` and parts of `node_modules/` into `fieldpost_server/`.

    A source distribution brings the parts of `node_modules/` where they are in a clone, so that a
    wheel can be made of it without Node.
    """

    _folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; an editable install finds them where they are."""
        if version == "editable":
            return
        root = Path(self.root)
        modules = root / "node_modules"
        if not all((modules / name).is_file() for name in NPM_FILES):
            # words alone, where an exception would be the last line of a trace
            sys.exit(MISSING)
        included = build_data["force_include"]
        place = "node_modules" if self.target_name == "sdist" else "fieldpost_server/node_modules"
        for name in NPM_FILES:
            included[str(modules / name)] = f"{place}/{name}"
        if self.target_name == "sdist":
            return
        for path in sorted((root / "pwa").iterdir()):
            if path.name != "py":
                included[str(path)] = f"fieldpost_server/pwa/{path.name}"
        for path in self._made_ahead(root):
            included[str(path)] = f"fieldpost_server/ready/{path.name}"

    def finalize(self, *_: object) -> None:
        """Delete what was made for the wheel and is in it now."""
        if self._folder:
            shutil.rmtree(self._folder)

    def _made_ahead(self, root: Path) -> list[Path]:
        """Return files that servers would else make of these, which takes a minute."""
        sys.path[:0] = [str(root / part) for part in ("server", "shared", "pwa/py")]
        from fieldpost_server.delivery.ahead import make_ahead
        from fieldpost_server.delivery.packages import package_files
        from fieldpost_server.packing.cache import cache_folder

        self._folder = folder = Path(tempfile.mkdtemp())
        make_ahead(
            root / "pwa",
            root / "node_modules",
            {name: package_files(name) for name in ("fieldpost", "fieldpost_client")},
            self.metadata.version,
            {"LICENSE": (root / "LICENSE").read_bytes()},
            folder,
            cache_folder(folder / "none"),
        )
        return sorted(path for path in folder.iterdir() if path.is_file())
