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


RUNTIME = "pyodide.asm.wasm"
FILES = """async () =>
  (await (await caches.match("/assets/manifest.json")).json()).pyodide.files"""
HALVES = """async () => {
  if (!(await caches.has("fieldpost-half-files"))) return [];
  return (await (await caches.open("fieldpost-half-files")).keys()).map(({ url }) => url);
}"""
SPOIL_A_PIECE = """async () => {
  const cache = await caches.open("fieldpost-half-files");
  const [first] = await cache.keys();
  const size = (await (await cache.match(first)).arrayBuffer()).byteLength;
  await cache.put(first, new Response(new Uint8Array(size)));
}"""


def _cut(proxy: FaultProxy, name: str, times: int) -> None:
    """Cut so many answers for a file in their middle; then have no line at all."""
    left, target = [times], proxy.target

    def is_cut(path: str) -> bool:
        if not path.endswith(name):
            return False
        left[0] -= 1
        proxy.target = target if left[0] > 0 else None
        return left[0] >= 0

    proxy.is_cut = is_cut


def test_a_file_that_is_cut_goes_on_where_it_was(new_device: NewDevice, proxy: FaultProxy) -> None:
    """Cut three times, then a portal, then the browser is killed: no byte is fetched twice (R7)."""
    target = proxy.target
    worker = new_device()
    _cut(proxy, RUNTIME, 3)
    worker.sign_in("worker1")
    expect(worker.page.get_by_text("There is no connection")).to_be_visible(timeout=SETUP_MS)
    files = worker.page.evaluate(FILES)
    size = next(each["size"] for each in files if each["url"].endswith(RUNTIME))
    proxy.is_cut = lambda _: False
    proxy.is_portal = lambda _: True
    proxy.target = target
    expect(worker.page.get_by_text("something between has answered")).to_be_visible()
    halves = worker.page.evaluate(HALVES)
    assert halves
    assert all(RUNTIME in each for each in halves)
    worker.kill()
    proxy.is_portal = lambda _: False
    worker.open()
    worker.page.goto(worker.origin + "/")
    worker.go_on_setting_up("worker1")

    firsts = [first for path, first, _ in proxy.begun if path.endswith(RUNTIME)]
    assert 4 == len(firsts)
    assert sorted(set(firsts)) == firsts
    assert 0 == firsts[0]
    assert firsts[3] < size
    worker.until_whole()  # packages come beside the work
    assert [] == worker.page.evaluate(HALVES)


def test_a_piece_that_is_damaged_is_not_believed(new_device: NewDevice, proxy: FaultProxy) -> None:
    """The digest of the whole file decides: it is fetched once more, and it starts (R64)."""
    target = proxy.target
    worker = new_device()
    _cut(proxy, RUNTIME, 1)
    worker.sign_in("worker1")
    expect(worker.page.get_by_text("There is no connection")).to_be_visible(timeout=SETUP_MS)
    worker.page.evaluate(SPOIL_A_PIECE)
    proxy.is_cut = lambda _: False
    proxy.target = target
    worker.wait_ready()

    firsts = [first for path, first, _ in proxy.begun if path.endswith(RUNTIME)]
    assert [0, 0] == [firsts[0], firsts[2]]
    assert firsts[1] > 0
    worker.until_whole()  # packages come beside the work
    assert [] == worker.page.evaluate(HALVES)


def _save_with_a_large_photo(worker: Device) -> None:
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


@pytest.mark.parametrize("width", [360, 1280])
def test_the_sync_page_shows_how_far_a_sync_is_and_stops_it(
    worker: Device, proxy: FaultProxy, width: int
) -> None:
    """It says what is sent, offers to stop after a while, and to start again (R23, R43)."""
    page = worker.page
    page.set_viewport_size({"width": width, "height": 780})
    _save_with_a_large_photo(worker)
    proxy.bytes_a_second = 4_000
    worker.go("/sync")
    start = page.get_by_role("button", name="Start a sync")
    progress = page.get_by_role("region", name="This sync")
    expect(progress).to_be_hidden()
    start.click()

    expect(progress).to_contain_text("Sending pictures")
    expect(progress.get_by_role("progressbar")).to_be_visible()
    expect(start).to_be_disabled()
    stop = progress.get_by_role("button", name="Stop this sync")
    expect(stop).to_be_in_viewport()
    # other pages are there meanwhile, and the way back finds the sync as it is
    worker.go("/pages/site")
    worker.go("/sync")
    expect(progress).to_contain_text("Sending pictures")
    stop.focus()
    stop.press("Enter")

    expect(page.locator("#status")).to_contain_text("The sync was stopped")
    expect(progress).to_be_hidden()
    expect(start).to_be_enabled()
    assert 1 == worker.count("outbox")
    proxy.bytes_a_second = None
    start.click()
    expect(page.locator("#sync")).to_contain_text("Everything synchronised")


def test_a_slow_sync_can_be_stopped_and_goes_on(worker: Device, proxy: FaultProxy) -> None:
    """While a photo goes slowly a person works; a tap on the pill offers to stop the sync (R43)."""
    _save_with_a_large_photo(worker)
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
    expect(worker.page.locator("#sync")).to_contain_text(done)
