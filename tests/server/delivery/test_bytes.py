"""What a first use and an update cost on the line, by real HTTP (R9, R53)."""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import brotli
import pytest

from fieldpost_server.delivery.assets import Assets
from fieldpost_server.packing.cache import Cache, cache_folder

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
BROWSER = "gzip, deflate, br, zstd"
FIRST_USE = 4_700_000
UPDATE = 1_000_000


@dataclass
class Answer:
    status: int
    headers: Message
    content: bytes


class Line:
    """The line of a browser to the server: counts every byte that comes, headers too."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.bytes = 0
        self.by_path: dict[str, int] = {}
        self.cookies: dict[str, str] = {}

    def ask(self, path: str, form: str = "") -> Answer:
        here = f"127.0.0.1:{self.port}"
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        asked = {"Host": here, "Accept-Encoding": BROWSER, "Connection": "close"}
        asked |= {"Cookie": cookies, "Origin": f"http://{here}"}
        asked |= {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        asked |= {"Content-Length": str(len(form))}
        lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in asked.items()]
        whole = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as opened:
            opened.sendall("\r\n".join([*lines, "", form]).encode())
            while piece := opened.recv(1 << 20):
                whole += piece
        self.bytes += len(whole)
        self.by_path[path] = len(whole)
        head, _, content = whole.partition(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        headers = BytesParser().parsebytes(rest)
        for cookie in headers.get_all("Set-Cookie") or []:
            name, _, value = str(cookie).partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(int(first.split()[1]), headers, content)


@contextmanager
def serving(data: Path, source: Path | None = None) -> Iterator[int]:
    """Run the demo as a process of its own; `source` holds another edition of its app."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "FIELDPOST_DATA": str(data)}
    environment.pop("FIELDPOST_DATABASE", None)
    if source:
        environment["PYTHONPATH"] = str(source)
    with (data.parent / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fieldpost_server.cli", "demo"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(600):
            assert process.poll() is None, (data.parent / "log.txt").read_text()
            try:
                Line(port).ask("/health")
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def manifest_of(line: Line) -> Any:
    return json.loads(plain(line.ask("/assets/manifest.json")))


def plain(answer: Answer) -> bytes:
    """Return the content of an answer as the browser reads it."""
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}
    return bytes(unpack[answer.headers["Content-Encoding"]](answer.content))


def files_of(manifest: Any) -> set[str]:
    every = [*manifest["shell"], *manifest["pyodide"]["files"], *manifest["wheels"]]
    return {entry["url"] for entry in every}


@pytest.fixture(scope="module")
def compressed() -> None:
    """Have everything compressed, as it is a minute after a server's first start."""
    cache = Cache(cache_folder(ROOT / ".data"))
    Assets("inspections.app:app", ROOT / "pwa", ROOT / "node_modules", cache=cache).compress()


@pytest.mark.usefixtures("compressed")
def test_bytes_to_first_use_and_of_an_update(tmp_path: Path) -> None:
    """A first use takes at most 4.7 MB, an update of the app alone at most 1 MB (R9, R53)."""
    with serving(tmp_path / "data") as port:
        line = Line(port)
        line.ask("/")
        line.ask("/sign-in")
        line.ask("/sign-in", "name=worker1&password=demo")
        line.ask("/")
        line.ask("/sw.js")
        line.ask("/manifest.webmanifest")
        manifest = manifest_of(line)
        answers = [line.ask(url) for url in sorted(files_of(manifest))]
    assert {200} == {answer.status for answer in answers}
    first_use, by_path = line.bytes, line.by_path

    source = tmp_path / "source"
    shutil.copytree(ROOT / "examples" / "inspections", source / "inspections")
    rules = source / "inspections" / "rules.py"
    more = "\n\ndef more() -> None:\n    import statistics, xml.etree.ElementTree\n"
    rules.write_text(rules.read_text("utf-8") + more, "utf-8")
    with serving(tmp_path / "data", source) as port:
        line = Line(port)
        line.ask("/sign-in", "name=worker1&password=demo")
        line.bytes = 0
        line.ask("/sw.js")
        line.ask("/manifest.webmanifest")
        changed = files_of(manifest_of(line)) - files_of(manifest)
        answers = [line.ask(url) for url in sorted(changed)]
    assert {200} == {answer.status for answer in answers}

    print(sorted(by_path.items(), key=lambda each: -each[1])[:40])
    print({"first use": first_use, "update": line.bytes})
    assert {"python_stdlib.zip", "inspections"} == {
        url.rpartition("/")[2].partition("-")[0] for url in changed
    }
    assert first_use <= FIRST_USE
    assert line.bytes <= UPDATE
