"""What is kept on a device is sealed where its app asks for a PIN (R55)."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, Playwright, expect

from browser import stored
from browser.conftest import EXAMPLE, FIELD_WORKER, FirstStart
from browser.device import Device
from browser.filling import add_finding
from browser.kept import HOLD, let_python_come, without_python
from browser.office import Office
from browser.pictures import png
from browser.pins import PIN, asking_for_pin, choose, type_pin
from browser.proxy import FaultProxy
from browser.test_lost import files_with, left_on
from browser.window import SETUP_MS, Window

pytestmark = pytest.mark.browser

MARK = "Zwiebelkuchen4711"
UNSEALED = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const open = ["session", "snapshots"];
  const stores = [...db.objectStoreNames].filter((name) => !open.includes(name));
  const reading = db.transaction(stores);
  const found = [];
  for (const name of stores) {
    const asked = reading.objectStore(name).getAll();
    const values = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
    const plain = values.filter((value) => !(value?.sealed instanceof ArrayBuffer));
    found.push(...plain.map(() => name));
  }
  db.close();
  return found;
}"""
"""The stores with values that are not sealed, a name for each value."""

FORGET_LOCK = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const change = db.transaction("session", "readwrite", { durability: "strict" });
  for (const name of ["pin", "pin-again"]) change.objectStore("session").delete(name);
  await new Promise((done) => (change.oncomplete = done));
  db.close();
}"""
IS_KEPT = """async () => {
  const { urls } = await (await caches.match("/assets/manifest.json")).json();
  const { keptPage } = await import(urls["shell/kept/kept-pages.js"]);
  return (await keptPage(location.pathname)) !== null;
}"""
"""Only the window itself can say so: it has the key."""
WRONG = "274952"
RULE = "Pin(idle=timedelta(seconds=60), wipe_after=5)"


def with_pin(folder: Path, rule: str) -> str:
    """Make a copy of the demo's app that asks for a PIN; returns where Python finds it."""
    shutil.copytree(EXAMPLE, folder / "inspections")
    app = folder / "inspections" / "app.py"
    app.write_text(asking_for_pin(app.read_text("utf-8"), rule), "utf-8")
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return os.pathsep.join([str(folder), *others])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an app that asks for a PIN; returns where Python finds it."""
    return with_pin(tmp_path_factory.mktemp("pinned"), RULE)


@pytest.fixture(scope="module")
def pinned_start(
    seeded: Path,
    source: str,
    playwright: Playwright,
    chromium_path: Path,
    address: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> FirstStart:
    """Make a field worker's first start with a PIN, once."""
    folder = tmp_path_factory.mktemp("pinned-start")
    made = FirstStart(folder / "data", folder / "profile")
    shutil.copytree(seeded, made.data)
    office = Office(made.data, {"PYTHONPATH": source})
    device = Device(playwright, chromium_path, made.profile, address.origin)
    try:
        address.begin(office.start())
        device.sign_in(FIELD_WORKER)
        device.page.get_by_role("heading", name="Choose a PIN").wait_for(timeout=SETUP_MS)
        choose(device.page)
        device.wait_ready()
        device.until_count("snapshots", 1)
        assert not device.faults
    finally:
        device.close()
        office.stop()
        address.begin(None)
    return made


@pytest.fixture
def pinned_office(tmp_path: Path, pinned_start: FirstStart, source: str) -> Iterator[Office]:
    """Run the office of the device with a PIN."""
    shutil.copytree(pinned_start.data, tmp_path / "data")
    made = Office(tmp_path / "data", {"PYTHONPATH": source})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def line(pinned_office: Office, address: FaultProxy) -> Iterator[FaultProxy]:
    """Give it the address that stays."""
    address.begin(pinned_office.port)
    yield address
    address.begin(None)


@pytest.fixture
def closed(
    playwright: Playwright,
    chromium_path: Path,
    pinned_start: FirstStart,
    line: FaultProxy,
    tmp_path: Path,
    browsers: list[Window],
) -> Device:
    """Open a copy of the device with a PIN; it asks for that."""
    profile = tmp_path / "worker"
    shutil.copytree(pinned_start.profile, profile, ignore=shutil.ignore_patterns("Singleton*"))
    device = Device(playwright, chromium_path, profile, line.origin)
    browsers.append(device)
    device.page.goto(device.origin + "/")
    return device


@pytest.fixture
def pinned(closed: Device) -> Device:
    """Type its PIN."""
    type_pin(closed.page, PIN)
    closed.wait_ready()
    return closed


def fill_in(device: Device, words: str) -> None:
    """Fill in a form with a finding and a photo, and see that photo."""
    page = device.page
    device.new_inspection(words)
    add_finding(page, 0, f"{MARK} finding")
    picture = FilePayload(name=f"{MARK}.png", mimeType="image/png", buffer=png())
    page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(page.locator(".child-row .thumbs img")).to_have_count(1)
    until_shown(page)


def see_a_record(device: Device) -> str:
    """Open the record that was saved last, until its page is kept; returns its address."""
    page = device.page
    device.go("/pages/inspection")
    page.locator("table.list tr.waiting a").first.click()
    expect(page.locator("main")).to_contain_text(f"{MARK} saved")
    page.wait_for_function(IS_KEPT)
    return urlsplit(page.url).path


def until_shown(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('.thumbs img')?.naturalWidth > 0")


def test_nothing_of_the_work_is_in_the_browsers_files(
    pinned: Device, line: FaultProxy, pinned_office: Office
) -> None:
    """Rows, an entry, a draft and photos: none is in the profile, and the PIN brings all back."""
    page = pinned.page
    fill_in(pinned, f"{MARK} sent")
    pinned.save()
    pinned.sync()
    assert "clean" == pinned.sync_state()
    target, line.target = line.target, None
    fill_in(pinned, f"{MARK} saved")
    pinned.save()
    pinned.new_inspection(f"{MARK} typed")
    pinned.until_count("drafts", 1)
    record = see_a_record(pinned)
    pinned.kill()
    for mark in (MARK, PIN):
        assert [] == files_with(pinned.profile, mark)

    page = pinned.open()
    page.add_init_script(HOLD)
    page.goto(pinned.origin + record)
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=SETUP_MS)
    assert MARK not in page.content()
    type_pin(page, PIN)
    # as it was kept, before Python is there
    expect(page.locator("main")).to_contain_text(f"{MARK} saved")
    assert page.title() == "Site inspections"
    let_python_come(page)
    pinned.go("/sync")
    expect(page.locator("main")).to_contain_text("Not saved yet")
    pinned.go("/pages/inspection")
    page.get_by_role("link", name="New inspection").click()
    expect(page.get_by_label("Remarks")).to_have_value(f"{MARK} typed")
    line.target = target
    pinned.go("/pages/inspection")
    pinned.sync()
    assert "clean" == pinned.sync_state()
    with closing(sqlite3.connect(pinned_office.data / "fieldpost.sqlite3")) as database:
        asked = database.execute(
            "SELECT remarks FROM inspection WHERE remarks LIKE ?", [MARK + "%"]
        )
        assert [f"{MARK} saved", f"{MARK} sent"] == sorted(words for (words,) in asked)


def test_without_a_pin_the_same_files_are_readable(worker: Device) -> None:
    """The search that finds nothing above finds what an app without a PIN keeps."""
    worker.new_inspection(f"{MARK} saved")
    worker.save()
    worker.kill()

    assert [] != files_with(worker.profile, MARK)


def test_wrong_pins_are_counted_slowed_and_wipe(pinned: Device) -> None:
    """Each is counted before it is looked at; closing the app helps nobody, and the fifth wipes."""
    pinned.new_inspection("Lost with the device")
    pinned.save()
    pinned.page.reload()
    for count in range(1, 5):
        if count == 4:
            pinned.kill()
            pinned.open().goto(pinned.origin + "/")
        page = pinned.page
        type_pin(page, WRONG)
        expect(page.get_by_role("alert")).to_contain_text("That is not the PIN", timeout=30_000)
        assert count == stored.read(page, "session", "pin")["wrong"]
        if count >= 3:
            expect(page.locator("main form button.primary")).to_contain_text("Wait")
    expect(page.get_by_role("alert")).to_contain_text("One try is left")
    type_pin(page, WRONG)
    expect(page.locator("main")).to_contain_text("Nothing is left", timeout=60_000)
    assert [0, 0, 0, 0, 0] == left_on(page)


def test_a_lock_that_is_lost_is_said_and_never_replaced(closed: Device) -> None:
    """It is kept twice; without both nothing opens, and no new PIN hides that (R26)."""
    page = closed.page
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=SETUP_MS)
    for part in ("garbage", {"sum": "garbage"}):
        stored.put(page, "session", "pin", {"pin": part})
        page.reload()
        type_pin(page, PIN)
        closed.wait_ready()
    words = page.get_by_role("heading", name="This device cannot be opened")
    for damage in ({"pin": "garbage"}, None):
        stored.put(page, "session", "pin", damage)
        stored.put(page, "session", "pin-again", damage)
        page.reload()
        words.wait_for(timeout=SETUP_MS)
    page.evaluate(FORGET_LOCK)
    page.reload()
    words.wait_for(timeout=SETUP_MS)
    page.get_by_role("button", name="Remove it and begin anew").click()
    expect(page.get_by_role("dialog")).to_contain_text("Everything that was saved here is at the")
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    words.wait_for()


def test_a_passkey_opens_it_too(
    playwright: Playwright,
    chromium_path: Path,
    line: FaultProxy,
    tmp_path: Path,
    browsers: list[Window],
) -> None:
    """A finger in place of the PIN, without a connection; taken back, it opens nothing (R55)."""
    origin = line.origin.replace("127.0.0.1", "localhost")
    device = Device(playwright, chromium_path, tmp_path / "worker", origin)
    browsers.append(device)
    page = device.page
    session = device.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "ctap2Version": "ctap2_1",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "hasPrf": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    device.sign_in("worker2")
    page.get_by_role("heading", name="Choose a PIN").wait_for(timeout=SETUP_MS)
    choose(page)
    page.get_by_role("button", name="Use it").click(timeout=60_000)
    device.wait_ready()
    line.target = None
    page.reload()
    by_finger = page.get_by_role("button", name="Use fingerprint, face or key")
    by_finger.click(timeout=SETUP_MS)
    device.wait_ready()
    page.locator("#account summary").click()
    page.get_by_role("button", name="Your PIN").click()
    dialog = page.get_by_role("dialog", name="Your PIN")
    dialog.get_by_role("checkbox").uncheck()
    dialog.get_by_label("Your PIN").fill(PIN)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0, timeout=60_000)
    page.reload()
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=SETUP_MS)
    expect(by_finger).to_have_count(0)


def test_nobody_there_locks_the_app_and_a_draft_stays(pinned: Device) -> None:
    """After the time that the app names, at once by its button; what was typed comes back."""
    page = pinned.page
    page.wait_for_function(IS_KEPT)
    pinned.new_inspection("Typed before the pause")
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=120_000)
    type_pin(page, PIN)
    expect(page.get_by_label("Remarks")).to_have_value("Typed before the pause", timeout=SETUP_MS)
    page.locator("#account summary").click()
    page.get_by_role("button", name="Lock now").click()
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=60_000)

    # what is seen before Python is there can be locked, too
    page = without_python(pinned, "/")
    type_pin(page, PIN)
    expect(page.get_by_role("navigation", name="Your work")).to_be_visible()
    assert page.locator("html[data-starting]").count() == 1
    page.locator("#account summary").click()
    page.get_by_role("button", name="Lock now").click()
    page.get_by_role("heading", name="Enter your PIN").wait_for(timeout=60_000)


def test_a_pin_is_changed_and_forgotten(pinned: Device) -> None:
    """Weak ones are refused, the former one opens nothing; who has none left begins anew."""
    page = pinned.page
    page.locator("#account summary").click()
    page.get_by_role("button", name="Your PIN").click()
    dialog = page.get_by_role("dialog", name="Your PIN")
    for former, new, words in (
        (PIN, "123456", "in a row"),
        (PIN, "123123", "in a row"),
        (PIN, "111111", "three different"),
        (PIN, "1234", "at least 6"),
        (WRONG, "630418", "not your PIN"),
    ):
        dialog.get_by_label("Your PIN").fill(former)
        dialog.get_by_label("New PIN", exact=True).fill(new)
        dialog.get_by_label("The new PIN again").fill(new)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_role("alert")).to_contain_text(words)
    dialog.get_by_label("Your PIN").fill(PIN)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0, timeout=30_000)
    page.reload()
    type_pin(page, PIN)
    expect(page.get_by_role("alert")).to_contain_text("That is not the PIN", timeout=30_000)
    page.get_by_role("button", name="I do not know it any more").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Remove everything")).to_be_disabled()
    dialog.get_by_role("textbox").fill("delete")
    dialog.get_by_role("button", name="Remove everything").click()
    expect(page.locator("main")).to_contain_text("Nothing is left", timeout=60_000)
    assert [0, 0, 0, 0, 0] == left_on(page)


def test_a_device_that_was_open_is_sealed_in_place(
    worker: Device, office: Office, proxy: FaultProxy, source: str
) -> None:
    """The app begins to ask for a PIN: what waits is sealed, whatever cuts it off, and arrives."""
    page = worker.page
    pinned = Office(office.data, {"PYTHONPATH": source})
    office.stop()
    proxy.target = pinned.start()
    try:
        worker.sync()
        update = page.get_by_role("button", name="Update")
        update.wait_for(timeout=SETUP_MS)
        proxy.target = None
        worker.new_inspection("Waits through the change")
        worker.save()
        update.click()
        page.get_by_role("heading", name="Choose a PIN").wait_for(timeout=SETUP_MS)
        choose(page)
        page.locator("[data-state=working] progress").first.wait_for()
        worker.kill()
        worker.open().goto(worker.origin + "/")
        type_pin(worker.page, PIN)
        worker.wait_ready()
        assert worker.page.evaluate(UNSEALED) == []
        proxy.target = pinned.port
        worker.sync()
        assert "clean" == worker.sync_state()
    finally:
        pinned.stop()
