"""Memory images made ahead: once for each version, tried before they are offered, and nobody's.

R9, R64, R65.
"""

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from fieldpost.errors import DefinitionError
from fieldpost_server.application import make_application
from fieldpost_server.cli.main import main
from fieldpost_server.delivery.assets import Assets
from fieldpost_server.delivery.image import Image, kept_image, send_part
from fieldpost_server.delivery.image_maker import ImageMaker
from fieldpost_server.delivery.image_offer import offer_image
from fieldpost_server.settings import Settings

ROOT = Path(__file__).parents[3]
CANARY = "canary-of-this-machine"
PACKED_AT_MOST = 13_500_000


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets("inspections.app:app", ROOT / "pwa", ROOT / "node_modules", name="Inspections")


FAKE = """\
#!{python}
import gzip, hashlib, json, sys
from pathlib import Path

asked = json.load(sys.stdin)
with open({log!r}, "a") as log:
    print(asked["do"], file=log)
if asked["do"] == {fails!r}:
    print("a trace", "ReferenceError: it went wrong", sep="\\n", file=sys.stderr)
    sys.exit(1)
if asked["do"] == "make":
    parts = []
    for number, content in enumerate((b"\\0" * 5000, b"Python" * 700)):
        note = dict(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        zipped = gzip.compress(content, mtime=0)
        for suffix, packed in (("br", b"brotli of " + content[:9]), ("gz", zipped)):
            Path(f"{{number}}.{{suffix}}").write_bytes(packed)
            note[suffix] = dict(size=len(packed), sha256=hashlib.sha256(packed).hexdigest())
        parts.append(note)
    size = sum(each["size"] for each in parts)
    Path("image.json").write_text(json.dumps(dict(asked["notes"], size=size, parts=parts)))
"""
"""Says what it is asked to do, and makes an image of two parts with nothing in them."""


@pytest.fixture
def fake(tmp_path: Path, assets: Assets) -> Callable[..., ImageMaker]:
    """Return a maker whose Node is a quick one, which fails at what it is told to fail at."""

    def make(fails: str = "") -> ImageMaker:
        program = tmp_path / f"node{fails}"
        log = str(tmp_path / "asked")
        program.write_text(FAKE.format(python=sys.executable, fails=fails, log=log))
        program.chmod(0o700)
        return ImageMaker(assets, tmp_path / "images", str(program))

    return make


def asked(tmp_path: Path) -> list[str]:
    """Return what the quick Node was asked to do."""
    log = tmp_path / "asked"
    return log.read_text().split() if log.exists() else []


PROGRAM = """
import sys
from pathlib import Path
from fieldpost_server.application import make_assets
from fieldpost.loading import load_app
from fieldpost_server.delivery.image_maker import ImageMaker
from fieldpost_server.settings import Settings

settings = Settings.from_environment(app="inspections.app:app")
image = ImageMaker.of(settings, make_assets(settings, load_app(settings.app))).image()
print(image.folder)
"""

COUNTING = """\
#!/bin/sh
echo once >> {log}
exec node "$@"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Make an image with Node: two processes at once, on a machine full of secrets."""
    folder = tmp_path_factory.mktemp(CANARY)
    node = folder / "node"
    node.write_text(COUNTING.format(log=folder / "calls"))
    node.chmod(0o700)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "home"),
        "FIELDPOST_DATA": str(folder / "data"),
        "FIELDPOST_NODE": str(node),
        "FIELDPOST_OIDC_SECRET": CANARY,
        "LANG": f"{CANARY}.UTF-8",
        "TZ": "Europe/Berlin",
    }
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in begun]
    assert [0, 0] == [process.returncode for process in begun], said
    first, second = (Path(out.strip()) for out, _ in said)
    assert first == second
    # one has made it and tried it, the other has waited for that
    assert ["once"] * 2 == (folder / "calls").read_text().split()
    image = kept_image(first)
    assert image is not None
    return image


@pytest.mark.long
def test_two_processes_make_one_image(made: Image) -> None:
    """It is made once and tried in a process of its own; nothing is left of the making (R9)."""
    (folder,) = [each for each in made.folder.parent.iterdir() if each.is_dir()]

    assert made.folder == folder
    suffixes = {each.suffix for each in folder.iterdir()}
    assert {".json", ".br", ".gz"} == suffixes
    assert made.size == sum(part.size for part in made.parts)
    for part in made.parts:
        assert (part.size, part.sha256) == of(part.content())


@pytest.mark.long
def test_an_image_knows_nothing_of_the_machine_that_made_it(made: Image) -> None:
    """No variable, secret, folder or zone of the server is in what devices get (R64)."""
    memory = b"".join(part.content() for part in made.parts)
    for word in (CANARY, str(ROOT), "image.mjs", "FIELDPOST_NODE", "FIELDPOST_OIDC"):
        for coding in ("utf-8", "utf-16-le", "utf-32-le"):
            assert word.encode(coding) not in memory, word
    # what is looked for would be found
    assert b"FIELDPOST_APP" in memory
    assert b"inspections.app:app" in memory


@pytest.mark.long
def test_an_image_is_as_small_as_it_was(made: Image) -> None:
    """What is needed only once is not in it."""
    assert made.packed < PACKED_AT_MOST
    assert made.packed == sum(len(part.packed("br")) for part in made.parts)


def of(content: bytes) -> tuple[int, str]:
    return len(content), hashlib.sha256(content).hexdigest()


@pytest.mark.passes("images-locked", "image-half-made", "image-unnamed")
def test_a_kept_image_is_not_made_again(fake: Callable[..., ImageMaker], tmp_path: Path) -> None:
    """What was made before is found again."""
    first = fake().image()

    assert first == fake().image()
    assert ["make", "check"] == asked(tmp_path)


@pytest.mark.parametrize("name", ["0.br", "1.gz", "image.json"])
@pytest.mark.parametrize("way", ["changed", "gone", "cut"])
@pytest.mark.passes("image-half-deleted")
def test_a_damaged_image_is_made_again(
    fake: Callable[..., ImageMaker], tmp_path: Path, name: str, way: str
) -> None:
    """A file that is not as it was makes an image none, and it is made anew."""
    maker = fake()
    file = maker.image().folder / name
    content = file.read_bytes()
    if way == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if way == "cut" else b"\xff" + content[1:])
    assert maker.kept() is None

    assert content == (maker.image().folder / name).read_bytes()
    assert ["make", "check"] * 2 == asked(tmp_path)


@pytest.mark.parametrize("what", ["make", "check"])
def test_an_image_that_was_not_tried_is_not_offered(
    fake: Callable[..., ImageMaker], tmp_path: Path, what: str
) -> None:
    """Whatever goes wrong is said in one line, and the next attempt begins anew."""
    maker = fake(fails=what)
    with pytest.raises(DefinitionError, match=f"could not {what} it: ReferenceError: it went"):
        maker.image()
    assert maker.kept() is None

    assert 9_200 == fake().image().size
    assert not list((tmp_path / "images").glob("*.half"))


def test_old_images_go(fake: Callable[..., ImageMaker], tmp_path: Path) -> None:
    """The images of the last versions stay, those of older ones go."""
    folder = tmp_path / "images"
    for number in range(9):
        (folder / f"old{number}").mkdir(parents=True)

    fake().image()

    assert 4 + 1 == len([each for each in folder.iterdir() if each.is_dir()])


@pytest.mark.parametrize("node", ["no", "/nowhere/node"])
def test_without_node_nothing_is_offered(
    assets: Assets, tmp_path: Path, caplog: pytest.LogCaptureFixture, node: str
) -> None:
    """A server without Node says so in one line at most, and devices take the packages (R9)."""
    settings = Settings(data=tmp_path, node=node)
    with caplog.at_level(logging.INFO):
        making = offer_image(settings, assets)
        if making is not None:
            making.join()

    said = [record.getMessage() for record in caplog.records]
    assert ([] if node == "no" else ["no memory image is offered"]) == said
    assert manifest_of(assets)["image"] is None


def manifest_of(assets: Assets) -> dict[str, Any]:
    request = Request({"type": "http", "headers": []})
    told: dict[str, Any] = json.loads(bytes(assets._send_manifest(request).body))
    return told


def test_an_image_that_is_ready_later_is_no_update(
    fake: Callable[..., ImageMaker], tmp_path: Path
) -> None:
    """The manifest offers it, and the version stays; what is kept needs no Node (R53)."""
    assets = Assets("inspections.app:app", ROOT / "pwa", ROOT / "node_modules")
    maker = ImageMaker(assets, tmp_path / "images", fake().node)
    before = manifest_of(assets)
    image = maker.image()

    assert offer_image(Settings(images=str(tmp_path / "images"), node="no"), assets) is None

    after = manifest_of(assets)
    offered = after["image"]
    for key in ("version", "python_version", "total_bytes"):
        assert before[key] == after[key]
    assert (image.size, image.packed) == (offered["size"], offered["packed"])
    assert 1_000_000 < offered["instead"] < 6_000_000
    assert 1_000_000 < offered["yardstick"] < 5_000_000
    assert [part.url for part in image.parts] == [part["url"] for part in offered["parts"]]


def test_an_image_is_for_whoever_is_signed_in(
    office: Any, fake: Callable[..., ImageMaker], tmp_path: Path
) -> None:
    """It holds what the author wrote: nobody else has it, in whole or in part (R65)."""
    assets = Assets("apps.clinic:app", ROOT / "pwa", ROOT / "node_modules", name="Clinic")
    image = ImageMaker(assets, tmp_path / "images", fake().node).image()
    assets.offer(image)
    served = type(office)(office.settings, make_application(office.settings, assets))
    stranger, anna = served.client(), served.client("anna")

    for entry in stranger.get("/assets/manifest.json").json()["image"]["parts"]:
        url = entry["url"]
        assert url.startswith("/assets/app/")
        for headers in ({}, {"Range": "bytes=0-99"}, {"Accept-Encoding": "br"}):
            assert 401 == stranger.get(url, headers=headers).status_code
        plain = anna.get(url, headers={"Accept-Encoding": "gzip"})
        assert (entry["size"], entry["sha256"]) == of(plain.content)
        assert "private, max-age=31536000, immutable" == plain.headers["cache-control"]
        rest = anna.get(url, headers={"Range": "bytes=1000-", "Accept-Encoding": "br, gzip"})
        assert (206, plain.content[1000:]) == (rest.status_code, rest.content)
        assert "content-encoding" not in rest.headers
    for part in image.parts:
        part.file.with_suffix(".gz").unlink()
    assert 404 == anna.get(url, headers={"Accept-Encoding": "gzip"}).status_code
    served.close()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip;q=1.0", "gzip"), ("identity", None), ("", None)],
)
def test_a_part_is_sent_in_the_best_coding(
    fake: Callable[..., ImageMaker], accepted: str, coding: str | None
) -> None:
    """Of the codings that a browser takes the smallest is sent, under a tag of its own."""
    part = fake().image().parts[1]
    request = Request({"type": "http", "headers": [(b"accept-encoding", accepted.encode())]})

    answer = send_part(request, part)

    assert (200, coding) == (answer.status_code, answer.headers.get("content-encoding"))
    assert (part.packed(coding) if coding else part.content()) == bytes(answer.body)
    assert f'"{part.sha256}{f"-{coding}" if coding else ""}"' == answer.headers["etag"]


def test_a_command_makes_it_ahead(
    fake: Callable[..., ImageMaker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`fieldpost build` says where it is, and in words why there is none."""
    command = ["--app", "inspections.app:app", "--data", str(tmp_path), "build"]
    monkeypatch.setenv("FIELDPOST_NODE", fake().node)
    assert 0 == main(command)
    told = json.loads(capsys.readouterr().out)
    image = kept_image(Path(told["folder"]))
    assert image is not None
    assert (image.packed, image.size, 2) == (told["bytes"], told["unpacked"], told["parts"])

    monkeypatch.setenv("FIELDPOST_NODE", "no")
    assert 0 == main(command)  # it is there
    capsys.readouterr()
    monkeypatch.setenv("FIELDPOST_IMAGES", str(tmp_path / "empty"))
    assert 1 == main(command)
    assert "There is no memory image: Node" in capsys.readouterr().err
