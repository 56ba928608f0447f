"""What the browser loads: pure wheels of what the server runs, under URLs of their content.

R9, R64, R65, R67.
"""

import asyncio
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

from fieldpost.pins import Pin
from fieldpost_server.delivery import wheels
from fieldpost_server.delivery.app_files import app_files, app_version
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.http.parts import answer_part
from fieldpost_server.http.security import CONTENT_SECURITY_POLICY, SecurityHeaders
from fieldpost_server.packing.archives import Wheel, make_wheel
from fieldpost_server.settings import Settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def app_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make an author's package with things that are for the server only."""
    package = tmp_path / "orchard"
    for folder in (package / "server", package / "trees" / "server", package / "tests"):
        folder.mkdir(parents=True)
    for name in ("__init__", "app", "server/secrets", "trees/__init__", "trees/server/prices"):
        (package / f"{name}.py").write_text(f'"""{name}"""\n')
    (package / "tests" / "test_app.py").write_text("")
    (package / "words.json").write_text("{}")
    (package / ".env").write_text("PASSWORD=1")
    (package / "fast.so").write_bytes(b"\x7fELF")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return "orchard"


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets("inspections.app:app", ROOT / "pwa", ROOT / "node_modules", name="Site <A & B>")


class Browser:
    """Asks for static files, without a network between."""

    def __init__(self, app: Starlette) -> None:
        transport = httpx.ASGITransport(app)
        self.asking = httpx.AsyncClient(transport=transport, base_url="http://office")
        self.runner = asyncio.Runner()

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.runner.run(self.asking.get(path, headers=headers))

    def close(self) -> None:
        self.runner.run(self.asking.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def client(assets: Assets) -> Iterator[Browser]:
    app = Starlette(
        routes=assets.routes(), middleware=[Middleware(SecurityHeaders, settings=Settings())]
    )
    made = Browser(app)
    yield made
    made.close()


def names_in(wheel: Wheel) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(wheel.content)).namelist())


def test_what_is_for_the_server_never_ships(app_package: str) -> None:
    """Modules and folders named `server`, tests, hidden files and machine code stay (R67)."""
    files = set(app_files(app_package))

    expected = {"__init__.py", "app.py", "trees/__init__.py"}
    assert {f"orchard/{name}" for name in expected} == files


def test_the_app_version_follows_the_shipped_files_only(app_package: str, tmp_path: Path) -> None:
    """A changed secret is the same version, a changed rule another."""
    before = app_version(app_package)
    (tmp_path / "orchard" / "server" / "secrets.py").write_text("changed = 1\n")
    assert before == app_version(app_package)

    (tmp_path / "orchard" / "app.py").write_text("changed = 1\n")
    assert before != app_version(app_package)


def test_an_unknown_package_is_named(tmp_path: Path) -> None:
    """A package that is not there is named in the error."""
    assert tmp_path.exists()
    with pytest.raises(ModuleNotFoundError, match="'nowhere_at_all'"):
        app_files("nowhere_at_all")


@pytest.mark.parametrize("name", wheels.DISTRIBUTIONS)
def test_a_device_gets_the_version_that_the_server_runs(name: str) -> None:
    """Each wheel is pure, whole and of the installed version."""
    wheel = wheels.installed_wheel(name)
    names = names_in(wheel)
    info = next(n.split("/")[0] for n in names if n.endswith("/METADATA"))

    assert wheel.file_name == f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    assert metadata.version(name) in wheel.file_name
    assert {f"{info}/WHEEL", f"{info}/RECORD"} <= names
    assert not [n for n in names if n.endswith((".so", ".pyc", ".pyd"))]
    assert not [n for n in names if n.startswith("../")]


def test_the_same_files_give_the_same_wheel() -> None:
    """Neither the clock nor the order of the files changes a wheel."""
    files = {"a.py": b"1", "b.py": b"2"}

    first = make_wheel("Some.Thing", "1.0", files)

    assert first == make_wheel("Some.Thing", "1.0", dict(reversed(files.items())))
    assert first.file_name == "some_thing-1.0-py3-none-any.whl"


def test_every_asset_is_immutable_typed_and_complete(assets: Assets, client: Browser) -> None:
    """Whatever the manifest lists is served, may be kept, the app's own privately, and adds up."""
    manifest = client.get("/assets/manifest.json").json()
    entries = [*manifest["pyodide"]["files"], *manifest["wheels"], *manifest["shell"]]

    for entry in entries:
        answer = client.get(entry["url"])
        assert answer.status_code == 200
        assert len(answer.content) == entry["size"]
        own = entry == manifest["wheels"][-1]
        who = "private" if own else "public"
        assert f"{who}, max-age=31536000, immutable" == answer.headers["cache-control"]
        assert answer.headers["content-type"] != "application/octet-stream"
    assert manifest["total_bytes"] == sum(entry["size"] for entry in entries)
    assert manifest["version"] == assets.version
    assert "micropip" in manifest["wheels"][0]["url"]


def test_types_that_browsers_insist_on(assets: Assets, client: Browser) -> None:
    """Modules are JavaScript, WebAssembly compiles while it loads."""
    base = assets.manifest["pyodide"]["base"]

    types = {
        name: client.get(base + name).headers["content-type"].partition(";")[0]
        for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
    }

    javascript = "text/javascript"
    assert types == {
        "pyodide.mjs": javascript,
        "pyodide.asm.mjs": javascript,
        "pyodide.asm.wasm": "application/wasm",
    }


def test_large_files_travel_compressed(assets: Assets, client: Browser) -> None:
    """The runtime is sent by gzip to whoever takes it, and plainly to whoever does not."""
    url = assets.manifest["pyodide"]["base"] + "pyodide.asm.wasm"

    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers

    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content


def test_large_files_travel_by_brotli_where_browsers_take_it(
    assets: Assets, client: Browser
) -> None:
    """What was compressed ahead is what a browser gets, under a tag of its own (R9)."""
    url = assets.url("style.css")
    plain = assets._public[url].plain
    assert plain
    assets._compression.make_all([plain])

    packed = client.get(url, headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    part = client.get(url, headers={"Accept-Encoding": "br", "Range": "bytes=5-"})

    assert "br" == packed.headers["content-encoding"]
    assert "Accept-Encoding" == packed.headers["vary"]
    assert packed.content == assets.asset(url)
    assert packed.headers["etag"].endswith('-br"')
    assert (206, assets.asset(url)[5:]) == (part.status_code, part.content)


def test_an_old_address_is_gone(client: Browser) -> None:
    """Another hash or another name is not served."""
    assert client.get("/assets/0000000000000000/shell/shell.js").status_code == 404
    assert client.get("/assets/../pyproject.toml").status_code == 404


def test_the_shell_names_only_files_that_are_served(assets: Assets, client: Browser) -> None:
    """The page and the service worker refer to hashed files; no script or style is inline."""
    page = client.get("/shell").text
    script = client.get("/sw.js")

    assert assets.url("shell/shell.js") in page
    assert assets.url("style.css") in page
    assert "./" not in page
    assert "<style" not in page
    assert ' style="' not in page
    assert "Site &lt;A &amp; B>" in page
    assert assets.url("store.js") in script.text
    assert script.headers["service-worker-allowed"] == "/"
    assert script.headers["cache-control"] == "no-cache"
    assert page == assets.manifest["html"]


def test_licences_are_there_for_everybody(assets: Assets, client: Browser) -> None:
    """Of all that is brought onto a device, in one text that the device keeps as well."""
    text = client.get("/licences.txt")

    assert "text/plain; charset=utf-8" == text.headers["content-type"]
    assert f'rel="license" href="{assets.url("licences.txt")}"' in client.get("/shell").text
    for part in ("Fieldpost", "Pyodide", "CPython", "micropip", "idiomorph", *wheels.DISTRIBUTIONS):
        assert part in text.text


def test_shells_of_former_editions_find_what_they_look_up(assets: Assets) -> None:
    """A name that a former shell knows leads to the file that does the same now (R56)."""
    assert assets.url("worker/worker.js") == assets.manifest["urls"]["worker.js"]


def test_the_policy_forbids_inline_and_foreign_code(client: Browser) -> None:
    """Every answer carries the policy: no inline scripts, no eval, no other host (R64, R65)."""
    for path in ("/shell", "/sw.js", "/assets/manifest.json", "/nowhere"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy == CONTENT_SECURITY_POLICY
    assert "unsafe-inline" not in CONTENT_SECURITY_POLICY
    assert "'unsafe-eval'" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


def test_the_installed_app_has_its_name_and_icons(client: Browser) -> None:
    """The web manifest carries the app's name, and icons that are there."""
    manifest = client.get("/manifest.webmanifest").json()

    assert manifest["name"] == "Site <A & B>"
    assert {"any", "maskable"} == {icon.get("purpose", "any") for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).status_code == 200


def test_another_rule_is_another_version_of_everything(app_package: str, tmp_path: Path) -> None:
    """A changed app changes its wheel, the version, and the version of snapshots."""
    folders = (ROOT / "pwa", ROOT / "node_modules")
    before = Assets(f"{app_package}.app:app", *folders)
    (tmp_path / "orchard" / "app.py").write_text("changed = 1\n")

    after = Assets(f"{app_package}.app:app", *folders)

    for key in ("version", "python_version", "app_version"):
        assert before.manifest[key] != after.manifest[key]
    assert before.manifest["pyodide"] == after.manifest["pyodide"]


def test_devices_learn_of_a_pin_with_the_files(assets: Assets) -> None:
    """Whether what is kept is sealed comes with the app's files, as another version (R55)."""
    folders = (ROOT / "pwa", ROOT / "node_modules")
    asked = Assets("inspections.app:app", *folders, name="Site <A & B>", pin=Pin(wipe_after=10))

    assert assets.manifest["pin"] is None
    assert {"least": 6, "idle_s": 300, "wipe_after": 10} == asked.manifest["pin"]
    assert assets.version != asked.version
    assert assets.manifest["python_version"] == asked.manifest["python_version"]


def test_the_manifest_says_what_each_file_is(assets: Assets) -> None:
    """Size and SHA-256 of every file are in the manifest: a device keeps nothing else (R64)."""
    manifest = assets.manifest
    *wheel_list, own = manifest["wheels"]
    listed = [*manifest["shell"], *manifest["pyodide"]["files"], *wheel_list]
    for entry in listed:
        content = assets._public[entry["url"]].content
        digest = hashlib.sha256(content).hexdigest()
        assert (len(content), digest) == (entry["size"], entry["sha256"])
    assert own == assets._own.entry


def test_a_cut_download_goes_on_where_it_stopped(assets: Assets, client: Browser) -> None:
    """Every asset has a strong tag, its digest, and any part of it can be had (R7)."""
    for entry in assets.manifest["pyodide"]["files"]:
        size, tag = entry["size"], f'"{entry["sha256"]}"'
        begin = client.get(entry["url"], headers={"Accept-Encoding": "identity"})
        # as browsers ask: what they have is unpacked, whatever they take otherwise
        asked = {"Accept-Encoding": "gzip", "Range": f"bytes={size // 3}-", "If-Range": tag}
        rest = client.get(entry["url"], headers=asked)

        assert (200, tag, "bytes") == (
            begin.status_code,
            begin.headers["etag"],
            begin.headers["accept-ranges"],
        )
        assert (206, tag, f"bytes {size // 3}-{size - 1}/{size}") == (
            rest.status_code,
            rest.headers["etag"],
            rest.headers["content-range"],
        )
        assert "content-encoding" not in rest.headers
        assert begin.content == begin.content[: size // 3] + rest.content


def test_packed_and_plain_are_told_apart(assets: Assets, client: Browser) -> None:
    """The packed file has a tag of its own: no part of one goes on with the other."""
    url = assets.manifest["pyodide"]["base"] + "pyodide.asm.wasm"
    packed = client.get(url, headers={"Accept-Encoding": "gzip"}).headers["etag"]
    plain = client.get(url, headers={"Accept-Encoding": "identity"}).headers["etag"]

    answer = client.get(url, headers={"Range": "bytes=5-", "If-Range": packed})

    assert packed != plain
    assert (200, plain) == (answer.status_code, answer.headers["etag"])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", (206, "0-3", b"0123")),
        ("bytes=7-", (206, "7-9", b"789")),
        ("bytes=7-99", (206, "7-9", b"789")),
        ("bytes=-3", (206, "7-9", b"789")),
        ("bytes=-99", (206, "0-9", b"0123456789")),
        ("bytes=10-", (416, "*", b"")),
        ("bytes=5-4", (416, "*", b"")),
        ("bytes=-0", (416, "*", b"")),
        ("bytes=0-1,3-4", (200, None, b"0123456789")),
        ("lines=0-1", (200, None, b"0123456789")),
        ("bytes=-", (200, None, b"0123456789")),
        ("bytes=" + "9" * 30 + "-", (200, None, b"0123456789")),
    ],
)
def test_parts(asked: str, expected: tuple[int, str | None, bytes]) -> None:
    """One part is answered as asked for, none beyond the end, and all for what is not known."""
    request = Request({"type": "http", "headers": [(b"range", asked.encode())]})

    answer = answer_part(request, b"0123456789", "tag", {}, "text/plain")

    span = f"bytes {expected[1]}/10" if expected[1] else None
    assert (expected[0], span, expected[2]) == (
        answer.status_code,
        answer.headers.get("content-range"),
        bytes(answer.body),
    )
