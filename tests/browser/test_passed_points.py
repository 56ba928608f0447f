"""Every fault point of the scripts is come by in a run that loses nothing (R21, R22, R32)."""

import faulthandler
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Playwright, expect

from browser import stored
from browser.device import Device
from browser.filling import add_finding
from browser.marked import MarkedOffice, listen, mark, marked, passed
from browser.pictures import png
from browser.pins import asking_for_pin, choose
from browser.proxy import FaultProxy
from browser.test_work_files import PASSPHRASE, hand_in, kept
from browser.window import SETUP_MS, Window
from fault_points import ROOT, fault_points

pytestmark = pytest.mark.browser

APP = "inspections.app:app"
STEP_S = 300
FORGET = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const change = db.transaction(["drafts", "staged"], "readwrite");
  for (const name of ["drafts", "staged"]) change.objectStore(name).clear();
  await new Promise((done) => (change.oncomplete = done));
  db.close();
}"""
"""What was typed is lost."""
DAMAGE = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const change = db.transaction("snapshots", "readwrite");
  change.objectStore("snapshots").clear();
  await new Promise((done) => (change.oncomplete = done));
  db.close();
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    const manifest = await (await cache.match("/assets/manifest.json")).json();
    const wheel = manifest.wheels.at(-1);
    await cache.put(wheel.url, new Response(new Uint8Array(wheel.size)));
  }
}"""
"""The app's own wheel is damaged, and so is the memory that would do without it."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Make a copy whose scripts say what they come by."""
    return mark(tmp_path / "marked")


@pytest.fixture
def served(
    tmp_path: Path, seeded: Path, source: Path, address: FaultProxy
) -> Iterator[Callable[[], None]]:
    """Return what serves the next edition of the copy, on the same data."""
    data = shutil.copytree(seeded, tmp_path / "data")
    offices: list[MarkedOffice] = []
    address.begin(None)
    listen(address)

    def serve() -> None:
        for each in offices:
            each.stop()
        offices.append(MarkedOffice(data, source, len(offices)))
        address.target = offices[-1].start()

    yield serve
    for each in offices:
        each.stop()
    address.begin(None)


@pytest.fixture
def worker(
    playwright: Playwright,
    chromium_path: Path,
    address: FaultProxy,
    tmp_path: Path,
    browsers: list[Window],
) -> Device:
    """Start a browser that knows nothing."""
    made = Device(playwright, chromium_path, tmp_path / "profile", address.origin)
    browsers.append(made)
    return made


def photograph(page: Page) -> None:
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png())
    page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(page.locator(".child-row .thumbs img")).to_have_count(1)


def a_day(worker: Device) -> None:
    """Saving with a photo, giving up and having back, a draft of a former version, a sync."""
    page = worker.page
    worker.new_inspection("Saved before")
    add_finding(page, 0, "Loose rail")
    photograph(page)
    worker.save()
    expect(page).to_have_url(re.compile(r"/records/-\d+"))
    worker.sync()
    expect(page).to_have_url(re.compile(r"/records/\d+"))

    worker.new_inspection("Thrown away")
    worker.until_count("drafts", 1)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Bring back").click()
    expect(page.get_by_label("Remarks")).to_have_value("Thrown away")
    worker.save()

    former = [["remarks", "Of a former version"]]
    draft = {"fields": former, "saved_at": "2026-11-26T09:00:00Z", "user": "worker1", "title": ""}
    stored.put(page, "drafts", "/pages/inspection/new", draft)
    worker.go("/pages/inspection/new")
    expect(page.get_by_label("Remarks")).to_have_value("Of a former version")
    fill_in(worker)
    worker.save()
    worker.sync()


def a_record_that_gets_its_key(worker: Device) -> None:
    """An edit that was typed before the office has given the record its key goes on after that."""
    page = worker.page
    worker.new_inspection("Not there yet")
    worker.save()
    page.get_by_role("link", name="Edit").click()
    expect(page).to_have_url(re.compile(r"/records/-\d+/edit"))
    page.get_by_label("Remarks").fill("There by now")
    worker.until_count("drafts", 1)
    worker.sync()
    worker.go("/sync")
    page.get_by_role("link", name=re.compile("Go on with")).click()
    expect(page).to_have_url(re.compile(r"/records/\d+/edit"))
    expect(page.get_by_label("Remarks")).to_have_value("There by now")
    worker.save()
    worker.sync()


def a_clock_that_is_watched(worker: Device) -> None:
    """The office allows an hour without contact: how late it is, and each contact, is noted."""
    page = worker.page
    settings = stored.read(page, "session", "settings")
    stored.put(page, "session", "settings", {**settings, "lock_after_s": 3600})
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    worker.sync()


def a_file_of_work(worker: Device, folder: Path) -> None:
    """What was typed leaves in a file, is gone, and comes back from it."""
    page = worker.page
    worker.new_inspection("Only typed")
    worker.until_count("drafts", 1)
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Save as an encrypted file").click()
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_label("The same again").fill(PASSPHRASE)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Make the file").click()
    file = kept(saving.value, folder)
    page.get_by_role("button", name="Stay signed in").click()
    page.get_by_role("button", name="Cancel").click()
    page.evaluate(FORGET)
    hand_in(page, worker.origin, file)
    expect(page.locator("#handed-in")).to_be_visible(timeout=60_000)
    worker.until_count("drafts", 1)
    worker.go("/sync")
    page.get_by_role("link", name=re.compile("Go on with")).click()
    expect(page.get_by_label("Remarks")).to_have_value("Only typed")
    fill_in(worker)
    worker.save()
    worker.sync()


def fill_in(worker: Device) -> None:
    """Fill in what an inspection needs."""
    page = worker.page
    page.get_by_label("Site").select_option(index=1)
    page.get_by_label("Inspected on").fill("2026-11-23")
    page.get_by_label("Status").select_option(label="Open")
    page.get_by_label("Assignee").fill("worker1")


def a_second_tab(worker: Device) -> None:
    """The device goes on in another tab."""
    worker.page = worker.context.new_page()
    worker.page.goto(f"{worker.origin}/")
    worker.page.get_by_role("button", name="Use it here").click()
    worker.wait_ready()


def two_updates(worker: Device, serve: Callable[[], None]) -> None:
    """One by the button, and one because files are damaged that the server has no more."""
    page = worker.page
    serve()
    worker.sync()
    page.locator("#update button").click()
    expect(page.locator("#update")).to_have_count(0, timeout=SETUP_MS)
    worker.wait_ready()
    page.evaluate(DAMAGE)
    serve()
    worker.restart("/")
    worker.wait_ready()
    worker.until_count("snapshots", 1)


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()


def two_users(worker: Device) -> None:
    """Another user works online on the device and leaves; its owner comes back."""
    page = worker.page
    worker.context.clear_cookies()
    worker.go("/sign-in")
    sign_in(page, "worker2")
    page.get_by_role("button", name="Go on as worker2").click()
    page.get_by_role("navigation", name="Pages").wait_for()
    sign_out(page)
    page.goto(f"{worker.origin}/")
    page.get_by_role("button", name="Sign in as worker1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    worker.wait_ready()
    worker.sync()
    assert "clean" == worker.sync_state()


def a_lost_device(worker: Device, address: FaultProxy, data: Path) -> None:
    """The office revokes it, and is not there while it removes all that it keeps."""
    page = worker.page
    device = stored.read(page, "session", "device")
    command = [sys.executable, "-m", "fieldpost_server.cli", "device", "revoke", device]
    environment = {
        **os.environ,
        "FIELDPOST_DATA": str(data),
        "FIELDPOST_APP": APP,
        "PYTHONPATH": str(ROOT / "examples"),
    }
    subprocess.run(command, env=environment, check=True, capture_output=True)
    address.is_portal = lambda path: path.startswith("/health")
    page.get_by_role("button", name=re.compile("^Sync")).click()
    expect(page.locator("main")).to_contain_text("was removed from it", timeout=SETUP_MS)
    address.is_portal = lambda _: False


def an_app_with_a_pin(worker: Device, source: Path, serve: Callable[[], None]) -> None:
    """The app begins to ask for a PIN: what is here is sealed in place."""
    page = worker.page
    app = source / "examples" / "inspections" / "app.py"
    app.write_text(asking_for_pin(app.read_text("utf-8"), "Pin()"), "utf-8")
    serve()
    worker.sync()
    page.locator("#update button").click()
    page.get_by_role("heading", name="Choose a PIN").wait_for(timeout=SETUP_MS)
    choose(page)
    worker.wait_ready()


def a_forgotten_pin(worker: Device) -> None:
    """Whoever has no PIN any more removes everything."""
    page = worker.page
    worker.sign_in("worker1")
    page.get_by_role("heading", name="Choose a PIN").wait_for(timeout=SETUP_MS)
    choose(page)
    worker.wait_ready()
    page.reload()
    page.get_by_role("button", name="I do not know it any more").click(timeout=SETUP_MS)
    page.get_by_role("dialog").get_by_role("textbox").fill("delete")
    page.get_by_role("button", name="Remove everything").click()
    expect(page.locator("main")).to_contain_text("Nothing is left", timeout=SETUP_MS)


def test_every_fault_point_of_the_scripts_is_passed(
    worker: Device, source: Path, served: Callable[[], None], address: FaultProxy, tmp_path: Path
) -> None:
    """From the first start to the last sign-out each is come by, and all arrives."""
    served()
    worker.set_up("worker1")
    worker.until_count("snapshots", 1)
    steps: tuple[Callable[[], None], ...] = (
        lambda: a_day(worker),
        lambda: a_record_that_gets_its_key(worker),
        lambda: a_clock_that_is_watched(worker),
        lambda: a_file_of_work(worker, tmp_path),
        lambda: a_second_tab(worker),
        lambda: two_updates(worker, served),
        lambda: two_users(worker),
        lambda: an_app_with_a_pin(worker, source, served),
        lambda: a_lost_device(worker, address, tmp_path / "data"),
        lambda: a_forgotten_pin(worker),
    )
    for number, step in enumerate(steps):
        print(f"step {number}", flush=True)
        # the time of a test is for one step: a busy machine takes longer for all of them
        faulthandler.dump_traceback_later(STEP_S, exit=True, file=2)
        step()

    every = {point.name for point in fault_points() if point.path.endswith(".js")}
    assert set() == every - passed(address)
    with closing(sqlite3.connect(tmp_path / "data" / "fieldpost.sqlite3")) as opened:
        rows = opened.execute("select remarks from inspection").fetchall()
    told = {"Saved before", "Thrown away", "Of a former version", "There by now", "Only typed"}
    assert told <= {remarks for (remarks,) in rows}
    # a browser itself notes what an office of another edition does not have; the wheel was damaged
    expected = ("Failed to load resource", "BadZipFile")
    worker.faults[:] = [f for f in worker.faults if not any(words in f for words in expected)]


def test_each_script_is_whole_with_its_marks(tmp_path: Path) -> None:
    """A mark is a statement where a statement may be, one for each fault point."""
    paths = {point.path for point in fault_points() if point.path.endswith(".js")}
    for path in sorted(paths):
        source = (ROOT / path).read_text("utf-8")
        copy = tmp_path / Path(path).with_suffix(".mjs").name
        copy.write_text(marked(source), "utf-8")
        subprocess.run(["node", "--check", copy], check=True)
        assert source.count("// fault point: ") == marked(source).count("globalThis.said.add(")
