"""Fixtures of the browser tests: a real server, a proxy in front of it, real Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from browser.device import Desk, Device
from browser.office import Office
from browser.proxy import FaultProxy
from browser.window import ARGUMENTS, PATIENCE_MS, Window
from evidence import Evidence
from fieldpost.loading import load_app
from fieldpost_server.application import make_assets
from fieldpost_server.cli.demo import DEMO_APP
from fieldpost_server.delivery.image_maker import ImageMaker
from fieldpost_server.settings import Settings

expect.set_options(timeout=PATIENCE_MS)

FIELD_WORKER = "worker1"
ROOT = Path(__file__).parents[2]
SOURCES = ("shared", "server", "pwa/py", "examples")
EXAMPLE = ROOT / "examples" / "inspections"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def shared_browser(playwright: Playwright, chromium_path: Path) -> Iterator[Browser]:
    """Run one browser for all desks: each of them is a private window of its own."""
    started = playwright.chromium.launch(executable_path=str(chromium_path), args=ARGUMENTS)
    yield started
    started.close()


@pytest.fixture(scope="session")
def address() -> Iterator[FaultProxy]:
    """Listen on one port for the whole session: what a browser keeps, it keeps for an address."""
    made = FaultProxy()
    yield made
    made.close()


@pytest.fixture(scope="session")
def images() -> Path:
    """Have the memory image of the demo made, once for all runs and workers that share its version.

    First starts are from it, but where a test takes it away: half a minute of a processor each.
    """
    settings = Settings(app=DEMO_APP, images=str(ROOT / ".pytest_cache" / "images"))
    ImageMaker.of(settings, make_assets(settings, load_app(settings.app))).image()
    os.environ["FIELDPOST_IMAGES"] = settings.images
    return Path(settings.images)


@pytest.fixture(scope="session")
def seeded(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a data folder with the demo's data, once."""
    assert images.is_dir()
    data = tmp_path_factory.mktemp("seeded") / "data"
    office = Office(data)
    office.start()
    office.stop()
    return data


@dataclass(frozen=True)
class FirstStart:
    """A field worker's device after its first start, and the office's data that belongs to it."""

    data: Path
    profile: Path


@pytest.fixture(scope="session")
def first_start(
    seeded: Path,
    playwright: Playwright,
    chromium_path: Path,
    address: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> FirstStart:
    """Make a first start, once: the app, the image, the memory snapshot and the session."""
    folder = tmp_path_factory.mktemp("first-start")
    made = FirstStart(folder / "data", folder / "profile")
    shutil.copytree(seeded, made.data)
    office = Office(made.data)
    device = Device(playwright, chromium_path, made.profile, address.origin)
    try:
        address.begin(office.start())
        device.set_up(FIELD_WORKER)
        device.until_count("snapshots", 1)
        device.until_whole()
        assert not device.faults
    finally:
        device.close()
        office.stop()
        address.begin(None)
    return made


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the server, for a test to override."""
    return {}


@pytest.fixture
def office(
    request: pytest.FixtureRequest, tmp_path: Path, settings: dict[str, str], evidence: Evidence
) -> Iterator[Office]:
    """Run a server on data of its own, which knows the device of `worker` where a test has it."""
    if "worker" in request.fixturenames:
        data = request.getfixturevalue("first_start").data
    else:
        data = request.getfixturevalue("seeded")
    shutil.copytree(data, tmp_path / "data")
    made = Office(tmp_path / "data", settings)
    evidence.add(made.keep_log)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def newer(tmp_path: Path, office: Office) -> Office:
    """Have an office on the same data whose app is a newer one; tests start it."""
    examples = tmp_path / "newer"
    shutil.copytree(EXAMPLE, examples / "inspections")
    with (examples / "inspections" / "app.py").open("a") as app:
        app.write("\n# a newer version\n")
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return Office(office.data, {"PYTHONPATH": os.pathsep.join([str(examples), *others])})


@pytest.fixture(scope="session")
def restyled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what lets an office show another version, whose Python is the same."""
    source = tmp_path_factory.mktemp("restyled")
    for name in ("shared", "server", "pwa", "examples"):
        shutil.copytree(ROOT / name, source / name)
    (source / "node_modules").symlink_to(ROOT / "node_modules")
    with (source / "pwa" / "style.css").open("a") as style:
        style.write("\n/* another style */\n")
    return {"PYTHONPATH": os.pathsep.join(str(source / name) for name in SOURCES)}


@pytest.fixture
def proxy(office: Office, address: FaultProxy, evidence: Evidence) -> Iterator[FaultProxy]:
    """Give browsers an address that stays."""
    address.begin(office.port)
    evidence.add(address.keep_requests)
    yield address
    address.begin(None)


@pytest.fixture
def browsers(evidence: Evidence) -> Iterator[list[Window]]:
    """Collect what a test starts; afterwards none of them may have faults."""
    made: list[Window] = []

    def keep(folder: Path) -> None:
        for number, window in enumerate(made):
            window.keep(folder, f"window{number}")

    evidence.add(keep)
    yield made
    if any(window.faults for window in made):
        evidence.write()  # the last moment to see them
    for window in made:
        window.close()
    faults = [fault for window in made for fault in window.faults]
    assert not faults


@pytest.fixture
def new_device(
    playwright: Playwright,
    chromium_path: Path,
    proxy: FaultProxy,
    tmp_path: Path,
    browsers: list[Window],
) -> Callable[..., Device]:
    """Return what starts browsers on profiles of their own, with nothing in them."""

    def start(*, origin: str = "", **options: Any) -> Device:
        profile = tmp_path / f"profile{len(browsers)}"
        device = Device(playwright, chromium_path, profile, origin or proxy.origin, **options)
        browsers.append(device)
        return device

    return start


@pytest.fixture
def worker(
    playwright: Playwright,
    chromium_path: Path,
    first_start: FirstStart,
    proxy: FaultProxy,
    tmp_path: Path,
    browsers: list[Window],
) -> Device:
    """Open a field worker's device after its first start: a copy of the one that was made."""
    profile = tmp_path / "worker"
    shutil.copytree(first_start.profile, profile, ignore=shutil.ignore_patterns("Singleton*"))
    device = Device(playwright, chromium_path, profile, proxy.origin)
    browsers.append(device)
    device.page.goto(device.origin + "/")
    device.wait_ready()
    return device


@pytest.fixture
def new_desk(
    shared_browser: Browser, proxy: FaultProxy, browsers: list[Window]
) -> Callable[[str], Window]:
    """Return what seats somebody at a desk: a wide window, signed in."""

    def sit_down(name: str) -> Window:
        desk = Desk(shared_browser, proxy.origin)
        browsers.append(desk)
        desk.sign_in(name)
        expect(desk.page.get_by_role("navigation", name="Pages")).to_be_visible()
        return desk

    return sit_down
