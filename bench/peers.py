"""The same work by other libraries, in the same browser: `make bench-peers`."""

import json
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from device import ROWS
from playwright.sync_api import BrowserContext, Playwright, sync_playwright

HERE = Path(__file__).parent / "peers"
LIBRARIES = ("raw", "dexie", "pouchdb", "rxdb", "replicache")
STARTS = 5
SETTLE_MS = 15_000
PATIENCE_MS = 300_000


class _Handler(SimpleHTTPRequestHandler):
    """The page, its script, and rows: as a list, or as an answer to Replicache's pull."""

    rows: bytes = b""
    patch: bytes = b""

    def do_GET(self) -> None:
        if self.path.startswith("/rows"):
            self._send(self.rows)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        nothing = {"cookie": asked["cookie"], "lastMutationIDChanges": {}, "patch": []}
        self._send(self.patch if asked["cookie"] is None else _json(nothing))

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def measure(chromium: str, rows: int = ROWS) -> dict[str, Any]:
    """Return milliseconds by library and task; each library has a profile of its own."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Path(folder) / "site"
        _build(site)
        with _served(site, rows) as origin:
            found = {}
            for library in LIBRARIES:
                profile = Path(folder) / library
                found[library] = _measured(playwright, chromium, profile, origin, library)
            return found


def ratios(peers: dict[str, Any], device: dict[str, Any]) -> dict[str, float]:
    """Return our times as multiples of theirs, as they are promised."""
    dexie, replicache = peers["dexie"], peers["replicache"]
    return {
        "first_start_to_replicache_rows": round(
            1000 * device["first_download_s"] / replicache["load_ms"], 2
        ),
        "warm_start_to_dexie": round(device["warm_start_ms"] / dexie["start_ms"], 2),
        "warm_start_to_replicache": round(device["warm_start_ms"] / replicache["start_ms"], 2),
        "strict_transaction_to_raw": round(
            device["strict_transaction_ms"] / peers["raw"]["save_ms"], 2
        ),
        "saved_to_replicache": round(device["submit_to_saved_ms"] / replicache["save_ms"], 2),
    }


def _build(site: Path) -> None:
    """Bundle each library by itself; they are installed by `make bench-peers` and nothing else."""
    program = HERE / "node_modules" / ".bin" / "esbuild"
    environment = '--define:process.env.NODE_ENV="production"'
    options = ["--bundle", "--format=esm", "--minify", "--log-level=warning", environment]
    entries = [f"{library}.js" for library in LIBRARIES]
    subprocess.run([program, *entries, f"--outdir={site}", *options], cwd=HERE, check=True)
    for library in LIBRARIES:
        script = f'<script type="module" src="{library}.js"></script>'
        page = f'<!doctype html><meta charset="utf-8"><table><tbody></tbody></table>{script}'
        (site / f"{library}.html").write_text(page)


@contextmanager
def _served(site: Path, count: int) -> Iterator[str]:
    rows = [
        {"id": i, "name": f"customer {i}", "amount": i * 1.5, "note": "abc " * 10}
        for i in range(1, count + 1)
    ]
    puts = [
        {"op": "put", "key": f"row/{r['id']}", "value": {**r, "place": _place(r)}} for r in rows
    ]
    patch = {"cookie": 1, "lastMutationIDChanges": {}, "patch": puts}
    handler = type("Handler", (_Handler,), {"rows": _json(rows), "patch": _json(patch)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _place(row: dict[str, Any]) -> str:
    return f"{1e9 - row['amount']:014.3f}"


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _measured(
    playwright: Playwright, chromium: str, profile: Path, origin: str, library: str
) -> dict[str, float]:
    def once(task: str) -> float:
        # a browser anew each time: nothing is in memory, all of it on the disk
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=["--no-sandbox"]
        )
        try:
            took = _took(browser, f"{origin}/{library}.html?task={task}")
            # one of them writes later, by itself
            browser.pages[-1].wait_for_timeout(SETTLE_MS if task == "load" else 0)
            return took
        finally:
            browser.close()

    load = once("load")
    starts = [once("start") for _ in range(STARTS)]
    return {
        "load_ms": round(load, 1),
        "start_ms": round(statistics.median(starts), 1),
        "save_ms": round(once("save"), 2),
    }


def _took(browser: BrowserContext, address: str) -> float:
    page = browser.new_page()
    page.goto(address)
    done = "() => window.failed ?? window.took"
    found = page.wait_for_function(done, timeout=PATIENCE_MS).json_value()
    if isinstance(found, float | int):
        return float(found)
    raise RuntimeError(f"{address}: {found}")
