"""The files of the shell and of Python's runtime, from where they are installed."""

import json
from pathlib import Path

from fieldpost_server.packing.archives import Wheel

STANDARD_LIBRARY = "python_stdlib.zip"
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", STANDARD_LIBRARY)
GROUND_FILES = (
    "limits.js",
    "page-places.js",
    "sha256.js",
    "file-bytes.js",
    "sealing.js",
    "store.js",
    "store-connection.js",
    "stored-files.js",
    "office.js",
    "half-files.js",
    "kept-files.js",
)
PLAIN_FILES = ("style.css", "licences.txt")
VENDOR_FILES = {
    "vendor/argon2.js": "hash-wasm/dist/argon2.umd.min.js",
    "vendor/ed25519.js": "@noble/ed25519/index.js",
    "vendor/idiomorph.js": "idiomorph/dist/idiomorph.esm.js",
    "vendor/signature_pad.js": "signature_pad/dist/signature_pad.js",
}


def shell_files(pwa_dir: Path, node_modules: Path) -> dict[str, bytes]:
    """Return the files of the shell: the name that pages know → content."""
    ground = [pwa_dir / name for name in GROUND_FILES]
    scripts = [*ground, *pwa_dir.glob("shell/**/*.js"), *pwa_dir.glob("worker/*.js")]
    names = sorted(path.relative_to(pwa_dir).as_posix() for path in scripts)
    icons = [f"icons/{path.name}" for path in sorted((pwa_dir / "icons").iterdir())]
    files = {name: (pwa_dir / name).read_bytes() for name in [*names, *PLAIN_FILES, *icons]}
    return files | {name: (node_modules / path).read_bytes() for name, path in VENDOR_FILES.items()}


def runtime_files(folder: Path) -> dict[str, bytes]:
    """Return the files of Pyodide, as they are in its npm package but for its lock."""
    files = {name: (folder / name).read_bytes() for name in PYODIDE_FILES}
    lock = json.loads((folder / "pyodide-lock.json").read_bytes())
    # none of the distribution's other packages is served, so none may be looked for
    files["pyodide-lock.json"] = json.dumps({**lock, "packages": {}}).encode()
    return files


def installer(vendor: Path, pyodide: Path) -> Wheel:
    """Return the wheel of micropip, as it came."""
    # it belongs to a version of Pyodide and of Python, not to the server's, and new ones do
    # not install on older Pythons: the version that the runtime's own lock names is kept here
    file_name = json.loads((pyodide / "pyodide-lock.json").read_bytes())["packages"]["micropip"][
        "file_name"
    ]
    return Wheel(file_name, (vendor / file_name).read_bytes())
