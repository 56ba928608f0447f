"""A first start from the memory image that the office has made ahead (R7, R9, R64)."""

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy
from browser.window import SETUP_MS
from fieldpost.loading import load_app
from fieldpost_server.application import make_assets
from fieldpost_server.cli.demo import DEMO_APP
from fieldpost_server.delivery.image_maker import ImageMaker
from fieldpost_server.settings import Settings

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]
PART = "/image-"
KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const { url } of await (await caches.open(name)).keys()) found.push(new URL(url).pathname);
  }
  return found;
}"""
"""Return the addresses of all files that are kept."""


def is_package(path: str) -> bool:
    """Return whether only a start without an image needs a file."""
    return path.endswith((".whl", "/python_stdlib.zip"))


def test_a_first_start_takes_the_image(new_device: NewDevice, proxy: FaultProxy) -> None:
    """No package is waited for or started from; they come afterwards, and the parts go (R9)."""
    worker = new_device()
    workers: list[str] = []
    worker.page.on("worker", lambda begun: workers.append(begun.url))
    proxy.is_portal = is_package  # they cannot come
    worker.set_up("worker1")
    expect(worker.page.get_by_role("navigation", name="Pages")).to_be_visible()

    assert 1 == worker.count("snapshots")
    assert 1 == len(workers)
    kept = worker.page.evaluate(KEPT)
    assert [] == [path for path in kept if is_package(path) or PART in path]
    proxy.is_portal = lambda _: False
    worker.until_whole()
    kept = worker.page.evaluate(KEPT)
    assert 10 < len([path for path in kept if is_package(path)])
    assert [] == [path for path in kept if PART in path]


def test_work_goes_on_without_a_line_before_the_packages_are_here(
    new_device: NewDevice, office: Office, proxy: FaultProxy
) -> None:
    """Started again with nothing but the image, a device works on; then the rest comes (R1)."""
    worker = new_device()
    proxy.is_portal = is_package
    worker.set_up("worker1")
    office.stop()
    proxy.target = None

    worker.close()
    worker.open()
    worker.go("/pages/inspection")
    worker.new_inspection("Made from memory")
    worker.save()
    expect(worker.page.locator("#status")).to_contain_text("Saved")

    proxy.is_portal = lambda _: False
    proxy.target = office.start()
    worker.restart("/sync")
    worker.until_whole()
    assert 1 == worker.count("snapshots")


def test_an_image_that_is_cut_goes_on_where_it_was(
    new_device: NewDevice, proxy: FaultProxy
) -> None:
    """Killed in the middle of the image, a browser fetches no part twice that it had (R7)."""
    target = proxy.target
    worker = new_device()

    def cut(path: str) -> bool:
        is_sixth = path.endswith(f"{PART}6")
        proxy.target = None if is_sixth else proxy.target
        return is_sixth

    proxy.is_cut = cut
    worker.sign_in("worker1")
    expect(worker.page.get_by_text("There is no connection")).to_be_visible(timeout=SETUP_MS)
    worker.kill()
    proxy.is_cut = lambda _: False
    proxy.target = target
    worker.open()
    worker.page.goto(worker.origin + "/")
    worker.go_on_setting_up("worker1")

    parts = [path for path, _, _ in proxy.begun if PART in path]
    twice = {path.partition(PART)[2] for path in parts if parts.count(path) > 1}
    assert twice <= {"6"}
    assert 1 == worker.count("snapshots")


@pytest.fixture
def spoilt(images: Path, tmp_path: Path) -> Path:
    """Copy the image, so that a test can spoil it."""
    settings = Settings(app=DEMO_APP, images=str(images))
    maker = ImageMaker.of(settings, make_assets(settings, load_app(DEMO_APP)))
    shutil.copytree(images / maker.key, tmp_path / "images" / maker.key)
    return tmp_path / "images" / maker.key


def leave_out(image: Path) -> None:
    """One part is gone."""
    for file in image.glob("4.*"):
        file.unlink()


def mix_up(image: Path) -> None:
    """One part is another."""
    for suffix in ("br", "gz"):
        shutil.copy(image / f"5.{suffix}", image / f"4.{suffix}")


def garble(image: Path) -> None:
    """One part is nothing that a browser can unpack: to it that looks like a lost line."""
    for suffix in ("br", "gz"):
        (image / f"4.{suffix}").write_bytes(b"neither brotli nor gzip")


PACK = """
import { writeFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
writeFileSync(process.argv[1], brotliCompressSync("no memory of Python".repeat(1000)));
"""


def replace(image: Path) -> None:
    """All is as it was made, and nothing that Python starts from."""
    content = b"no memory of Python" * 1_000
    subprocess.run(["node", "--input-type=module", "-e", PACK, image / "0.br"], check=True)
    (image / "0.gz").write_bytes(gzip.compress(content))
    part: dict[str, Any] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    for suffix in ("br", "gz"):
        packed = (image / f"0.{suffix}").read_bytes()
        part[suffix] = {"size": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
    notes = json.loads((image / "image.json").read_bytes())
    told = {**notes, "size": len(content), "parts": [part]}
    (image / "image.json").write_text(json.dumps(told))


@pytest.mark.parametrize("spoil", [leave_out, mix_up, garble, replace])
def test_a_spoilt_image_is_none(
    new_device: NewDevice,
    office: Office,
    proxy: FaultProxy,
    spoilt: Path,
    spoil: Callable[[Path], None],
) -> None:
    """Gone, damaged or no memory of Python: the packages come, and nobody hears of it (R9)."""
    office.stop()
    office.environment["FIELDPOST_IMAGES"] = str(spoilt.parent)
    if spoil is replace:
        spoil(spoilt)
    proxy.target = office.start()
    if spoil is not replace:
        spoil(spoilt)  # an office that starts would see it
    worker = new_device()
    worker.set_up("worker1")
    expect(worker.page.get_by_role("navigation", name="Pages")).to_be_visible()
    worker.until_whole()
    worker.until_count("snapshots", 1)

    assert [path for path, _, _ in proxy.begun if PART in path]
    assert [] == [path for path in worker.page.evaluate(KEPT) if PART in path]
    # a browser notes by itself that there is no such file
    worker.faults[:] = [fault for fault in worker.faults if "Failed to load" not in fault]
