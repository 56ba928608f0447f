"""What the browser loads: the runtime, the wheels, the shell; each under its content's hash."""

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
from fieldpost_server.delivery.app_files import app_files, digest_of
from fieldpost_server.delivery.browser_files import (
    STANDARD_LIBRARY,
    installer,
    runtime_files,
    shell_files,
)
from fieldpost_server.delivery.compression import Compression, Plain
from fieldpost_server.delivery.device_parts import DeviceParts
from fieldpost_server.delivery.image import Image, send_part
from fieldpost_server.delivery.preloads import preloads
from fieldpost_server.http.authentication import APP_FILES
from fieldpost_server.http.parts import answer_part, wants_part
from fieldpost_server.http.security import HEADERS
from fieldpost_server.packing.archives import Wheel
from fieldpost_server.packing.cache import NO_CACHE, Cache
from fieldpost_server.packing.standard_library import StandardLibrary
from fieldpost_server.packing.stripped_wheels import strip_wheel

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

FORMER_NAMES = {"worker.js": "worker/worker.js"}
"""Names under which shells of former editions look files up.

A page that was loaded before an update, in the first download above all, may go on with the
manifest that came after it.
"""

_UNCOMPRESSED = {".png"}
_BROWSER_TAKES = "gzip, deflate, br"
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

    @property
    def plain(self) -> Plain | None:
        """Return it as what may be compressed, or None where it is compressed as it is."""
        return None if Path(self.url).suffix in _UNCOMPRESSED else Plain(self.sha256, self.content)


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
        cache: where is kept what takes long to make.

    Raises:
        FileNotFoundError: a file is missing; the message says which.
        DefinitionError: a file of the app must not go to devices, or imports what none of them has.
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
        cache: Cache = NO_CACHE,
    ) -> None:
        self.name = name
        self._pin = pin
        self._page = (pwa_dir / "index.html").read_text("utf-8")
        self._service_worker = (pwa_dir / "sw.js").read_text("utf-8")
        package = app.partition(":")[0].partition(".")[0]
        own_files = app_files(package, files)
        self.app_version = digest_of(own_files)
        self._compression = Compression(cache)
        self._shell = _under_one_hash(shell_files(pwa_dir, node_modules))
        runtime = runtime_files(node_modules / "pyodide")
        library = StandardLibrary(runtime.pop(STANDARD_LIBRARY), cache)
        known = {name: wheels.library_files(name) for name in (*wheels.DISTRIBUTIONS, *extra)}
        parts = DeviceParts(library, known).needed(app.partition(":")[0], own_files, extra)
        self._pyodide = _under_one_hash(runtime)
        # by itself: it is another one where an app imports something more of it
        self._pyodide |= _under_one_hash({STANDARD_LIBRARY: library.packed(parts.standard)})
        *public, own = [
            strip_wheel(installer(pwa_dir / "vendor", node_modules / "pyodide"), cache),
            *wheels.device_wheels(package, extra, files, parts=parts.libraries, cache=cache),
        ]
        self._own = _wheel_asset(APP_FILES, own)
        self._wheels = [*(_wheel_asset("/assets/", wheel) for wheel in public), self._own]
        every = [*self._shell.values(), *self._pyodide.values(), *self._wheels]
        self._public = {asset.url: asset for asset in every if asset is not self._own}
        # where shells of former editions look for it
        base = self._pyodide["pyodide.mjs"].url.rpartition("/")[0]
        self._public[f"{base}/{STANDARD_LIBRARY}"] = self._pyodide[STANDARD_LIBRARY]
        self.manifest = self._make_manifest(app)
        self.version: str = self.manifest["version"]
        self._image: Image | None = None

    def offer(self, image: Image) -> None:
        """Let devices take an image of this version; it is no other version by that."""
        self._image = image

    def ingredients(self) -> dict[str, bytes]:
        """Return what a memory image is made of: the runtime, and the wheels in their order."""
        files = {name: asset.content for name, asset in self._pyodide.items()}
        files |= {Path(asset.url).name: asset.content for asset in self._wheels}
        return files | {"python.mjs": self.python_script()}

    def wire_bytes(self) -> dict[str, int]:
        """Return how many bytes of a memory image's ingredients travel, by their names.

        They are compressed first, where that was not done yet: it may take half a minute.
        """
        every = [*self._pyodide.values(), *self._wheels]
        self._compression.make_all([each.plain for each in every if each.plain])
        return {Path(each.url).name: self._wire_bytes(each) for each in every}

    def _wire_bytes(self, asset: Asset) -> int:
        packed = self._compression.packed(asset.plain, _BROWSER_TAKES) if asset.plain else None
        return len(asset.content if packed is None else packed.content)

    def python_script(self) -> bytes:
        """Return the module by which devices start Python, and an image is made."""
        return self._shell["worker/python.js"].content

    def url(self, name: str) -> str:
        """Return the URL of a file of the shell, such as ``style.css`` or ``icons/icon.svg``.

        Raises:
            KeyError: there is no such file.
        """
        return self._shell[name].url

    def asset(self, url: str) -> bytes:
        """Return the content of a file that the manifest lists.

        Raises:
            KeyError: there is no such file.
        """
        return (self._own if url == self._own.url else self._public[url]).content

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

    def compress(self) -> None:
        """Make now what is else made beside the serving, as well as can be; takes a minute."""
        every = [*self._public.values(), self._own]
        self._compression.make_all(asset.plain for asset in every if asset.plain)

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
        return self._sent(request, asset, {"Cache-Control": _IMMUTABLE})

    def _send_own(self, request: Request) -> Response:
        # who asks is signed in: `Authentication` has seen to it; nothing between may keep it. With
        # `no-store` or `no-cache` an update from the first edition hangs: it asks twice at once
        part = self._image.part(request.url.path) if self._image else None
        if part is not None:
            return send_part(request, part)
        asset = self._own if request.url.path == self._own.url else None
        return self._sent(request, asset, {"Cache-Control": _IMMUTABLE_TO_ONE})

    def _sent(self, request: Request, asset: Asset | None, headers: Mapping[str, str]) -> Response:
        if asset is None:
            return PlainTextResponse("There is no such file.", 404)
        headers = {**headers, "Vary": "Accept-Encoding"}
        # a browser holds what it has of a file unpacked: parts are parts of that
        plain = None if wants_part(request) else asset.plain
        accepted = request.headers.get("accept-encoding", "")
        packed = self._compression.packed(plain, accepted) if plain else None
        if packed is None:
            return answer_part(request, asset.content, asset.sha256, headers, asset.type)
        # the same file in other bytes: a part of one does not go on with the other
        headers["Content-Encoding"] = packed.encoding
        headers["ETag"] = f'"{asset.sha256}-{packed.encoding}"'
        return Response(packed.content, headers=headers, media_type=asset.type)

    def _fresh(self, request: Request, text: str, suffix: str) -> Response:
        headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        plain = Plain.of(text.encode())
        accepted = request.headers.get("accept-encoding", "")
        packed = self._compression.packed(plain, accepted)
        if packed is None:
            return Response(plain.content, headers=headers, media_type=TYPES[suffix])
        headers["Content-Encoding"] = packed.encoding
        return Response(packed.content, headers=headers, media_type=TYPES[suffix])

    def _send_manifest(self, request: Request) -> Response:
        # an image may be ready later, and is no reason for an update
        image = self._image and self._image.entry
        return self._fresh(request, json.dumps({**self.manifest, "image": image}), ".json")

    def _send_web_manifest(self, request: Request) -> Response:
        return self._fresh(request, json.dumps(self._web_manifest()), ".webmanifest")

    def _send_service_worker(self, request: Request) -> Response:
        answer = self._fresh(request, self.service_worker(), ".js")
        answer.headers["Service-Worker-Allowed"] = "/"
        return answer

    def _send_shell(self, request: Request) -> Response:
        return self._fresh(request, self.shell_html(), ".html")

    def _send_licences(self, request: Request) -> Response:
        return self._fresh(request, self._shell["licences.txt"].content.decode(), ".txt")

    def _send_favicon(self, _: Request) -> Response:
        icon = self._shell["icons/icon-192.png"]
        return Response(icon.content, media_type=icon.type)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _wheel_asset(folder: str, wheel: Wheel) -> Asset:
    return Asset(f"{folder}{wheel.sha256[:16]}/{wheel.file_name}", wheel.content)


def _under_one_hash(files: Mapping[str, bytes]) -> dict[str, Asset]:
    # modules import each other by relative paths, so they share one folder and one hash
    whole = _hash("\n".join(f"{n} {_hash(c)}" for n, c in sorted(files.items())).encode())
    return {name: Asset(f"/assets/{whole}/{name}", content) for name, content in files.items()}
