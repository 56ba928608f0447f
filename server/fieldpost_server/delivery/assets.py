"""What the browser loads: the runtime, the wheels, the shell; each under its content's hash."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from fieldpost.app import FILES
from fieldpost.pins import Pin
from fieldpost_server.delivery import wheels
from fieldpost_server.delivery.app_files import app_version
from fieldpost_server.delivery.preloads import preloads
from fieldpost_server.http.authentication import APP_FILES
from fieldpost_server.http.parts import answer_part, wants_part
from fieldpost_server.http.security import HEADERS

TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",  # or the browser does not compile while it loads
    ".whl": "application/zip",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}

PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
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

FORMER_NAMES = {"worker.js": "worker/worker.js"}
"""Names under which shells of former editions look files up.

A page that was loaded before an update, in the first download above all, may go on with the
manifest that came after it.
"""

_UNCOMPRESSED = {".png", ".zip"}
_IMMUTABLE = "public, max-age=31536000, immutable"
_IMMUTABLE_TO_ONE = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file that is served under a URL which changes with its content."""

    url: str
    content: bytes = field(repr=False)

    @property
    def entry(self) -> dict[str, Any]:
        """Return what the manifest says of it: URL, size in bytes, and digest."""
        return {"url": self.url, "size": len(self.content), "sha256": self.sha256}

    @cached_property
    def sha256(self) -> str:
        """Return the digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def type(self) -> str:
        """Return the media type."""
        return TYPES.get(Path(self.url).suffix, "application/octet-stream")

    @cached_property
    def zipped(self) -> bytes | None:
        """Return the content compressed by gzip, or None where that gains nothing."""
        if Path(self.url).suffix in _UNCOMPRESSED or len(self.content) < 1000:
            return None
        return gzip.compress(self.content, 6, mtime=0)


class Assets:
    """Everything static of one server.

    Args:
        app: the author's app as ``package`` or ``package.module:attribute``.
        pwa_dir: the folder with the shell.
        node_modules: the folder with the npm packages that `package.json` names.
        name: what the installed app is called.
        extra: names of further distributions that the app imports; pure Python only.
        files: `App.files`: what of the author's package devices get.
        pin: `App.pin`: whether devices seal what they keep.

    Raises:
        FileNotFoundError: a file is missing; the message says which.
        DefinitionError: a file of the app must not go to devices.
    """

    def __init__(
        self,
        app: str,
        pwa_dir: Path,
        node_modules: Path,
        *,
        name: str = "Fieldpost",
        extra: Iterable[str] = (),
        files: Sequence[str] = FILES,
        pin: Pin | None = None,
    ) -> None:
        self.name = name
        self._pin = pin
        self._page = (pwa_dir / "index.html").read_text("utf-8")
        self._service_worker = (pwa_dir / "sw.js").read_text("utf-8")
        package = app.partition(":")[0].partition(".")[0]
        self.app_version = app_version(package, files)
        self._shell = _under_one_hash(_shell_files(pwa_dir, node_modules))
        self._pyodide = _under_one_hash(_pyodide_files(node_modules / "pyodide"))
        micropip = _micropip(pwa_dir / "vendor", node_modules / "pyodide")
        *public, own = [micropip, *wheels.device_wheels(package, extra, files)]
        self._own = _wheel_asset(APP_FILES, own)
        self._wheels = [*(_wheel_asset("/assets/", wheel) for wheel in public), self._own]
        every = [*self._shell.values(), *self._pyodide.values(), *self._wheels]
        self._public = {asset.url: asset for asset in every if asset is not self._own}
        self.manifest = self._make_manifest(app)
        self.version: str = self.manifest["version"]

    def url(self, name: str) -> str:
        """Return the URL of a file of the shell, such as ``style.css`` or ``icons/icon.svg``.

        Raises:
            KeyError: there is no such file.
        """
        return self._shell[name].url

    def shell_html(self) -> str:
        """Return the static page that starts a device."""
        page = self._page.replace("{{name}}", self.name.replace("&", "&amp;").replace("<", "&lt;"))
        scripts = {name: asset.content for name, asset in self._shell.items()}
        page = page.replace("  </head>", f"{preloads(scripts)}  </head>")
        return re.sub(r'(href|src)="\./([^"]+)"', lambda m: f'{m[1]}="{self.url(m[2])}"', page)

    def service_worker(self) -> str:
        """Return the service worker's script, its imports pointed at the shell's files."""
        return re.sub(
            r'from "\./([^"]+)"', lambda m: f'from "{self.url(m[1])}"', self._service_worker
        )

    def routes(self) -> list[Route]:
        """Return the routes of everything static; all of it is public but the author's own."""
        return [
            Route("/assets/manifest.json", self._send_manifest),
            Route(f"{APP_FILES}{{path:path}}", self._send_own),
            Route("/assets/{path:path}", self._send_asset),
            Route("/sw.js", self._send_service_worker),
            Route("/manifest.webmanifest", self._send_web_manifest),
            Route("/shell", self._send_shell),
            Route("/favicon.ico", self._send_favicon),
            Route("/licences.txt", self._send_licences),
        ]

    def _make_manifest(self, app: str) -> dict[str, Any]:
        runtime = [asset.entry for asset in self._pyodide.values()]
        wheel_list = [asset.entry for asset in self._wheels]
        shell = [asset.entry for asset in self._shell.values()]
        html = self.shell_html()
        python = {
            "app": app,
            "app_version": self.app_version,
            "pyodide": {
                "base": self._pyodide["pyodide.mjs"].url.rpartition("/")[0] + "/",
                "files": runtime,
            },
            "wheels": wheel_list,
        }
        pin = self._pin and self._pin.to_json()
        return {
            "version": _hash(json.dumps([python, shell, html, pin]).encode()),
            # the key of memory snapshots: they hold Python and the app, not the shell
            "python_version": _hash(json.dumps(python).encode()),
            **python,
            "shell": shell,
            "pin": pin,
            "urls": {name: asset.url for name, asset in self._shell.items()}
            | {former: self._shell[name].url for former, name in FORMER_NAMES.items()},
            # the page itself, so that page and files are of one version whatever happens between
            "html": html,
            "headers": {**HEADERS, "Content-Type": TYPES[".html"]},
            "total_bytes": sum(e["size"] for e in (*runtime, *wheel_list, *shell)),
        }

    def _web_manifest(self) -> dict[str, Any]:
        icon = {"type": "image/png", "purpose": "any"}
        return {
            "id": "/",
            "name": self.name,
            "short_name": self.name if len(self.name) <= 12 else self.name.split()[0],
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f4f6f5",
            "theme_color": "#0b6b5c",
            "icons": [
                {"src": self.url("icons/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
                {"src": self.url("icons/icon-192.png"), "sizes": "192x192", **icon},
                {"src": self.url("icons/icon-512.png"), "sizes": "512x512", **icon},
                {
                    "src": self.url("icons/maskable-512.png"),
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
        }

    def _send_asset(self, request: Request) -> Response:
        asset = self._public.get(request.url.path)
        return _sent(request, asset, {"Cache-Control": _IMMUTABLE})

    def _send_own(self, request: Request) -> Response:
        # who asks is signed in: `Authentication` has seen to it; nothing between may keep it. With
        # `no-store` or `no-cache` an update from the first edition hangs: it asks twice at once
        asset = self._own if request.url.path == self._own.url else None
        return _sent(request, asset, {"Cache-Control": _IMMUTABLE_TO_ONE})

    def _send_manifest(self, _: Request) -> Response:
        return _fresh(json.dumps(self.manifest), ".json")

    def _send_web_manifest(self, _: Request) -> Response:
        return _fresh(json.dumps(self._web_manifest()), ".webmanifest")

    def _send_service_worker(self, _: Request) -> Response:
        answer = _fresh(self.service_worker(), ".js")
        answer.headers["Service-Worker-Allowed"] = "/"
        return answer

    def _send_shell(self, _: Request) -> Response:
        return _fresh(self.shell_html(), ".html")

    def _send_licences(self, _: Request) -> Response:
        return _fresh(self._shell["licences.txt"].content.decode(), ".txt")

    def _send_favicon(self, _: Request) -> Response:
        icon = self._shell["icons/icon-192.png"]
        return Response(icon.content, media_type=icon.type)


def _sent(request: Request, asset: Asset | None, headers: Mapping[str, str]) -> Response:
    if asset is None:
        return PlainTextResponse("There is no such file.", 404)
    headers = {**headers, "Vary": "Accept-Encoding"}
    # a browser holds what it has of a file unpacked: parts are parts of that
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    zipped = asset.zipped if takes_gzip and not wants_part(request) else None
    if zipped is None:
        return answer_part(request, asset.content, asset.sha256, headers, asset.type)
    # the same file in other bytes: a part of one does not go on with the other
    headers |= {"Content-Encoding": "gzip", "ETag": f'"{asset.sha256}-gzip"'}
    return Response(zipped, headers=headers, media_type=asset.type)


def _fresh(text: str, suffix: str) -> Response:
    return Response(text, headers={"Cache-Control": "no-cache"}, media_type=TYPES[suffix])


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _wheel_asset(folder: str, wheel: wheels.Wheel) -> Asset:
    return Asset(f"{folder}{wheel.sha256[:16]}/{wheel.file_name}", wheel.content)


def _under_one_hash(files: Mapping[str, bytes]) -> dict[str, Asset]:
    # modules import each other by relative paths, so they share one folder and one hash
    whole = _hash("\n".join(f"{n} {_hash(c)}" for n, c in sorted(files.items())).encode())
    return {name: Asset(f"/assets/{whole}/{name}", content) for name, content in files.items()}


def _shell_files(pwa_dir: Path, node_modules: Path) -> dict[str, bytes]:
    ground = [pwa_dir / name for name in GROUND_FILES]
    scripts = [*ground, *pwa_dir.glob("shell/**/*.js"), *pwa_dir.glob("worker/*.js")]
    names = sorted(path.relative_to(pwa_dir).as_posix() for path in scripts)
    icons = [f"icons/{path.name}" for path in sorted((pwa_dir / "icons").iterdir())]
    files = {name: (pwa_dir / name).read_bytes() for name in [*names, *PLAIN_FILES, *icons]}
    return files | {name: (node_modules / path).read_bytes() for name, path in VENDOR_FILES.items()}


def _pyodide_files(folder: Path) -> dict[str, bytes]:
    files = {name: (folder / name).read_bytes() for name in PYODIDE_FILES}
    lock = json.loads((folder / "pyodide-lock.json").read_bytes())
    # none of the distribution's other packages is served, so none may be looked for
    files["pyodide-lock.json"] = json.dumps({**lock, "packages": {}}).encode()
    return files


def _micropip(vendor: Path, pyodide: Path) -> wheels.Wheel:
    # micropip belongs to a version of Pyodide and of Python, not to the server's, and new ones do
    # not install on older Pythons: the version that the runtime's own lock names is kept here
    file_name = json.loads((pyodide / "pyodide-lock.json").read_bytes())["packages"]["micropip"][
        "file_name"
    ]
    return wheels.Wheel(file_name, (vendor / file_name).read_bytes())
