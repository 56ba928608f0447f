"""A portal, a line that cuts, a slow line, damaged files: a real browser goes on (R7, R13, R43)."""

import random
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, expect

from browser.device import Device
from browser.pictures import png
from browser.proxy import FaultProxy
from browser.window import SETUP_MS, Window

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]

SPOIL = """async () => {
  const [name] = (await caches.keys()).filter((each) => each.startsWith("fieldpost-"));
  const cache = await caches.open(name);
  const urls = (await cache.keys()).map((each) => new URL(each.url).pathname);
  const page = () => new Response("<h1>Welcome to our Wi-Fi, please sign in here</h1>", {
    headers: { "Content-Type": "text/html" },
  });
  const wheel = urls.find((url) => url.includes("fieldpost") && url.endsWith(".whl"));
  await cache.put(wheel, new Response("", { headers: { "Content-Type": "application/zip" } }));
  await cache.put(urls.find((url) => url.endsWith(".wasm")), page());
  await cache.put(urls.find((url) => url.endsWith("/form/drafts.js")), page());
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  await new Promise((done) => {
    const change = db.transaction("snapshots", "readwrite");
    change.objectStore("snapshots").clear();
    change.oncomplete = done;
  });
  db.close();
}"""


def save(worker: Window, remarks: str) -> None:
    worker.new_inspection(remarks)
    worker.page.get_by_role("button", name="Save", exact=True).click()
    expect(worker.page.locator("#status")).to_contain_text("Saved")


def test_a_portal_changes_nothing(worker: Device, proxy: FaultProxy) -> None:
    """A network's page at sync and at sign-in is said to be one, and changes nothing (R22)."""
    save(worker, "Behind a portal")
    proxy.is_portal = lambda _: True
    worker.page.locator("#sync").click()
    status = worker.page.locator("#status")
    expect(status).to_contain_text("something between has answered")
    assert 1 == worker.count("outbox")

    proxy.is_portal = lambda path: path == "/sign-in"
    worker.context.clear_cookies()
    worker.page.locator("#sync").click()
    worker.page.get_by_label("Password").fill("demo")
    worker.page.get_by_role("button", name="Sign in", exact=True).click()
    dialog = worker.page.get_by_role("dialog")
    expect(dialog).to_contain_text("something between has answered")

    proxy.is_portal = lambda _: False
    worker.page.get_by_label("Password").fill("demo")
    worker.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(worker.page.locator("#sync")).to_contain_text("Everything synchronised")


def test_damaged_files_mend_themselves_with_work_waiting(worker: Device, proxy: FaultProxy) -> None:
    """An empty wheel and pages in the place of scripts are fetched anew; what waits stays."""
    worker.until_count("snapshots", 1)
    save(worker, "Waits through the mending")
    worker.page.evaluate(SPOIL)
    worker.close()

    worker.open()
    worker.page.goto(worker.origin + "/")
    worker.wait_ready()

    assert 1 == worker.count("outbox")
    worker.page.locator("#sync").click()
    expect(worker.page.locator("#sync")).to_contain_text("Everything synchronised")
    worker.faults[:] = [each for each in worker.faults if "MIME" not in each]
    assert proxy.target is not None


def test_a_line_that_cuts_brings_a_first_start(new_device: NewDevice, proxy: FaultProxy) -> None:
    """Where 30 % of answers are cut, files and data arrive all the same, resuming."""
    chance = random.Random(3)
    worker = new_device()
    worker.sign_in("worker1")
    proxy.is_cut = lambda path: path.startswith(("/assets/", "/sync/")) and chance.random() < 0.3

    worker.wait_ready()

    expect(worker.page.get_by_role("navigation", name="Pages")).to_be_visible(timeout=SETUP_MS)


def test_a_slow_sync_can_be_stopped_and_goes_on(worker: Device, proxy: FaultProxy) -> None:
    """While a photo goes slowly a person works; a tap on the pill offers to stop the sync (R43)."""
    worker.new_inspection("With a large photo")
    worker.page.get_by_role("button", name="Add finding").click()
    row = worker.page.locator(".child-row").first
    row.get_by_label("Note").fill("See the photo")
    row.get_by_label("Severity").fill("2")
    noise = FilePayload(name="a.png", mimeType="image/png", buffer=png(1600, 1200))
    row.locator("input[type=file]").set_input_files([noise])
    expect(row.locator(".thumbs img")).to_have_count(1)
    worker.page.get_by_role("button", name="Save", exact=True).click()
    expect(worker.page.locator("#status")).to_contain_text("Saved")
    proxy.bytes_a_second = 4_000
    worker.page.locator("#sync").click()
    expect(worker.page.locator("#sync")).to_contain_text("Sending pictures")
    worker.page.wait_for_timeout(2_500)

    worker.page.locator("#sync").click()
    worker.page.get_by_role("button", name="Stop this sync").click()

    expect(worker.page.locator("#status")).to_contain_text("The sync was stopped")
    proxy.bytes_a_second = None
    worker.page.locator("#sync").click()
    done = re.compile("Everything synchronised")
    expect(worker.page.locator("#sync")).to_contain_text(done, timeout=30_000)
