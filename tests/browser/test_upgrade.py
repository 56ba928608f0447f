"""A device of the former edition, with work that waits, goes on with this one (R21, R56)."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Playwright, expect
from playwright.sync_api import TimeoutError as TookTooLong

from browser.device import Device
from browser.former_edition import FormerOffice, unpack
from browser.office import Office
from browser.proxy import FaultProxy
from browser.ten_entries import TenEntries, add_mild_finding, photograph
from browser.window import SETUP_MS, Window
from evidence import Evidence

pytestmark = pytest.mark.browser

HELD = """async () => {
  const answer = (asked) => new Promise((done) => (asked.onsuccess = () => done(asked.result)));
  const db = await answer(indexedDB.open("fieldpost"));
  const place = (store) => db.transaction(store).objectStore(store);
  const keys = (store) => answer(place(store).getAllKeys());
  const held = {
    version: (await answer(place("session").get("shell"))).version,
    envelopes: (await answer(place("outbox").getAll())).map((entry) => entry.envelope),
    drafts: (await answer(place("drafts").getAll())).map((draft) => draft.fields),
    pictures: [await keys("attachments"), await keys("staged")],
    snapshots: await keys("snapshots"),
  };
  db.close();
  return held;
}"""


@dataclass(frozen=True)
class Former:
    """What the former edition has left: a device that it has set up, and its office's data."""

    source: Path
    data: Path
    profile: Path
    proxy: FaultProxy


@pytest.fixture(scope="module")
def former(
    playwright: Playwright, chromium_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Former]:
    """Set up a device with the former edition, once; tests work on copies."""
    folder = tmp_path_factory.mktemp("former")
    made = Former(unpack(folder / "source"), folder / "data", folder / "profile", FaultProxy())
    office = FormerOffice(made.data, made.source)
    made.proxy.target = office.start()
    worker = Device(playwright, chromium_path, made.profile, made.proxy.origin)
    worker.set_up("worker1")
    until(lambda: len(held(worker.page)["snapshots"]) == 1)
    worker.close()
    office.stop()
    yield made
    made.proxy.close()
    assert [] == worker.faults


@pytest.fixture
def proxy(former: Former, evidence: Evidence) -> Iterator[FaultProxy]:
    """Give browsers the address that they know; nothing answers there yet."""
    former.proxy.begin(None)
    evidence.add(former.proxy.keep_requests)
    yield former.proxy
    former.proxy.begin(None)


@pytest.fixture
def office(former: Former, tmp_path: Path, evidence: Evidence) -> Iterator[Office]:
    """Have an office of this edition on the former one's data; tests start it."""
    made = Office(shutil.copytree(former.data, tmp_path / "data"))
    evidence.add(made.keep_log)
    yield made
    made.stop()


@pytest.fixture
def worker(
    former: Former,
    proxy: FaultProxy,
    playwright: Playwright,
    chromium_path: str,
    tmp_path: Path,
    browsers: list[Window],
) -> Device:
    """Start a browser on a copy of the device."""
    profile = shutil.copytree(former.profile, tmp_path / "profile")
    made = Device(playwright, chromium_path, profile, proxy.origin)
    browsers.append(made)
    return made


def until(is_true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + SETUP_MS / 1_000
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def held(page: Page) -> dict[str, Any]:
    """Return what the device holds of the worker's, and the version that it shows."""
    found: dict[str, Any] = page.evaluate(HELD)
    return found


def version_of(office: Office) -> str:
    """Return the version of the app's files that an office serves."""
    address = f"http://127.0.0.1:{office.port}/assets/manifest.json"
    with urllib.request.urlopen(address) as answer:
        return str(json.load(answer)["version"])


def leave_a_draft(worker: Device) -> None:
    """Fill in half of a form, and go elsewhere without saving it."""
    worker.go("/pages/inspection/new")
    worker.page.get_by_label("Remarks").fill("Half a sentence")
    photograph(add_mild_finding(worker.page, "Unfinished"), shade=10)
    until(lambda: "sha256" in json.dumps(held(worker.page)["drafts"]))
    worker.page.get_by_role("link", name="Site inspections").click()
    worker.page.get_by_role("navigation", name="Pages").wait_for()


def expect_entries(worker: Device, count: int, state: str) -> None:
    """Expect so many entries on the sync page, all in one state, and nothing that is in doubt."""
    worker.go("/sync")
    expect(worker.page.locator(f".entry[data-state={state}]")).to_have_count(count)
    # a draft is listed there, too, and is no entry of the outbox
    expect(worker.page.locator(".entry:not([data-state=draft])")).to_have_count(count)
    for words in ("Differs from the office", "Put right", "Never arrived", "Unreadable"):
        expect(worker.page.locator(".facts")).not_to_contain_text(words)


def expect_sound(office: Office, count: int) -> None:
    """Expect that the chain of the device holds, and the signature of every receipt."""
    said = subprocess.run(
        [sys.executable, "-m", "fieldpost_server.cli", "envelopes", "verify"],
        env={**os.environ, "FIELDPOST_DATA": str(office.data)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (0, "") == (said.returncode, said.stderr)
    assert f"{count} envelopes up to number {count}, sound" in said.stdout


def begin_to_update(worker: Device, office: Office, proxy: FaultProxy) -> None:
    """Meet an office of this edition, and die while the files of the update arrive."""
    page = worker.page
    proxy.target = office.start()
    worker.go("/")
    former_version = held(page)["version"]
    assert version_of(office) != former_version
    proxy.seen.clear()
    page.get_by_role("button", name=re.compile("^Sync")).click()
    until(lambda: any("fieldpost_client-" in line for line in proxy.seen))
    worker.kill()
    worker.open()
    worker.go("/")
    assert former_version == held(worker.page)["version"]


def tap_update_and_die(worker: Device) -> None:
    """Tap *Update* without a network, and die before the new page is there."""
    page = worker.page
    with page.expect_request(lambda request: request.is_navigation_request()):
        page.get_by_role("button", name="Update").click()
    worker.kill()
    worker.open()
    worker.go("/")


def take_the_update(worker: Device, office: Office) -> None:
    """Sync and tap *Update*; where nothing comes of it load the page again, as a person does.

    On a slow machine Chromium may lose, without an answer, what is asked for while one service
    worker takes the place of another: a script of the new one, and the former edition's update
    waits a minute or more for that, or a script of the page, which then stays at "Preparing…".
    """
    page = worker.page
    home = page.locator("html:not([data-starting]) body[data-home=device] main h1")
    wanted = version_of(office)
    for _ in range(4):
        if held(page)["version"] != wanted:
            worker.sync()
            page.get_by_role("button", name="Update").click(timeout=SETUP_MS)
        with suppress(TookTooLong):
            expect_update_taken(page, wanted)
            return
        with suppress(Error):  # it may be loading by itself just now
            page.reload()
        home.wait_for(timeout=SETUP_MS)
    expect_update_taken(page, wanted)


def expect_update_taken(page: Page, wanted: str) -> None:
    """Expect the page of a version within a person's patience."""
    page.locator(
        "html:not([data-starting]) body[data-home=device]:not(:has(#update)) main h1"
    ).wait_for()
    assert wanted == held(page)["version"]


def save_the_draft(worker: Device) -> None:
    """Go on with the form that was left half filled in: all of it is there, its photo too."""
    page = worker.page
    worker.go("/pages/inspection/new")
    expect(page.get_by_label("Remarks")).to_have_value("Half a sentence")
    row = page.locator(".child-row").first
    expect(row.get_by_label("Note")).to_have_value("Unfinished")
    expect(row.locator(".thumbs img")).not_to_have_js_property("naturalWidth", 0)
    page.get_by_label("Site").select_option(index=1)
    worker.save()


def test_ten_entries_and_a_draft_wait_through_an_update(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """Killed while it updates, without a network, a device starts anew with all that it held."""
    begin_to_update(worker, office, proxy)
    worker.sync()
    expect(worker.page.get_by_role("button", name="Update")).to_be_visible()
    proxy.target = None
    ten = TenEntries(worker, office.data)
    leave_a_draft(worker)
    before = held(worker.page)
    assert (10, 1) == (len(before["envelopes"]), len(before["drafts"]))
    tap_update_and_die(worker)

    now = held(worker.page)
    assert version_of(office) == now["version"]
    for kind in ("envelopes", "drafts", "pictures"):
        assert before[kind] == now[kind]
    expect_entries(worker, 10, "waiting")
    worker.go("/pages/inspection")
    expect(worker.page.locator("tr.waiting")).to_have_count(9)

    proxy.target = office.port
    worker.sync()
    assert "clean" == worker.sync_state()
    ten.expect_at_the_office()
    expect_entries(worker, 10, "done")
    save_the_draft(worker)
    worker.sync()
    assert "clean" == worker.sync_state()
    ten.expect_at_the_office(since=1)
    expect_entries(worker, 11, "done")
    expect_sound(office, 11)


def test_a_former_device_sends_its_work_to_an_office_of_this_edition(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """The former edition syncs with this one's office, updates afterwards, and goes on."""
    page = worker.page
    worker.go("/")
    former_version = held(page)["version"]
    ten = TenEntries(worker, office.data)
    proxy.target = office.start()
    worker.sync()
    assert "clean" == worker.sync_state()
    assert former_version == held(page)["version"]
    ten.expect_at_the_office()
    expect_entries(worker, 10, "done")

    # asked for past the service worker, the page is this edition's, and the files are not
    proxy.seen.clear()
    with page.expect_navigation():
        worker.context.new_cdp_session(page).send("Page.reload", {"ignoreCache": True})
    page.locator("html:not([data-starting]) body[data-home=device] main h1").wait_for(
        timeout=SETUP_MS
    )
    assert "GET /sync" in proxy.seen
    assert former_version == held(page)["version"]

    take_the_update(worker, office)
    assert version_of(office) == held(page)["version"]
    expect_entries(worker, 10, "done")
    worker.new_inspection("The first of this edition")
    worker.save()
    worker.sync()
    assert "clean" == worker.sync_state()
    expect_entries(worker, 11, "done")
    expect_sound(office, 11)


def test_a_first_download_that_an_update_overtakes_goes_on(
    former: Former,
    office: Office,
    proxy: FaultProxy,
    new_device: Callable[..., Device],
) -> None:
    """What the former edition's page has begun ends with the files of this one (R7)."""
    first = FormerOffice(office.data, former.source)
    proxy.seen.clear()
    proxy.target = first.start()
    new_worker = new_device()
    new_worker.sign_in("worker1")
    until(lambda: any("pyodide.asm.wasm" in line for line in proxy.seen))
    proxy.target = None
    first.stop()
    page = new_worker.page
    expect(page.get_by_text("There is no connection")).to_be_visible(timeout=SETUP_MS)
    proxy.target = office.start()
    new_worker.wait_ready()
    assert version_of(office) == held(page)["version"]
