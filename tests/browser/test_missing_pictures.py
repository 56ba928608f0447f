"""A picture that is not on the device says what it is and where (R43, R22)."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from browser import stored
from browser.device import Device
from browser.filling import add_finding
from browser.office import Office
from browser.pictures import png
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser

FORGET = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const change = db.transaction("attachments", "readwrite");
  change.objectStore("attachments").clear();
  await new Promise((done) => (change.oncomplete = done));
  db.close();
}"""
RECORD = re.compile(r"/records/[^?/]+$")
ONLINE = "() => window.dispatchEvent(new Event('online'))"


def anew(worker: Device, record: str) -> Page:
    """Open a record in a browser that has no pictures in its own memory."""
    worker.close()
    worker.open()
    worker.restart(record)
    worker.page.locator(".thumbs").first.scroll_into_view_if_needed()
    return worker.page


def test_a_picture_at_the_office_is_named_while_there_is_no_connection(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """Name, size and where it is; with a connection it is shown; one that is lost says so."""
    page = worker.page
    worker.new_inspection("With a photo")
    add_finding(page, 0, "Loose rail")
    picture = FilePayload(name="rail at the gate.png", mimeType="image/png", buffer=png())
    page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(page.locator(".child-row .thumbs img")).to_have_count(1)
    worker.save()
    worker.sync()
    assert "clean" == worker.sync_state()
    shown = page.locator(".child-row .thumbs img")
    expect(shown).not_to_have_js_property("naturalWidth", 0)
    expect(page).to_have_url(RECORD)
    record = page.url.removeprefix(worker.origin)

    page.evaluate(FORGET)
    proxy.target = None
    page = anew(worker, record)
    shown = page.locator(".child-row .thumbs img")
    words = page.locator(".child-row .missing-picture")
    expect(words).to_contain_text("rail at the gate.jpg 1 KB")
    expect(words).to_contain_text("At the office; shown when there is a connection.")
    expect(page.locator(".child-row .thumbs a")).to_have_count(0)
    worker.go(f"{record}/edit")
    page.locator(".child-row .thumbs").first.scroll_into_view_if_needed()
    expect(words).to_contain_text("At the office")
    expect(page.get_by_role("button", name="Remove Photos 1")).to_be_visible()

    proxy.target = office.port
    page.evaluate(ONLINE)
    expect(shown).not_to_have_js_property("naturalWidth", 0)
    expect(words).to_have_count(0)


def test_a_picture_that_is_gone_from_the_device_says_so(worker: Device) -> None:
    """What has not been sent is not said to be at the office (R22)."""
    page = worker.page
    worker.new_inspection("Its photo is lost")
    add_finding(page, 0, "Loose rail")
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png())
    page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(page.locator(".child-row .thumbs img")).to_have_count(1)
    worker.save()
    expect(page).to_have_url(RECORD)
    record = page.url.removeprefix(worker.origin)
    address = page.locator(".child-row .thumbs img").get_attribute("src") or ""
    sha256 = address.split("/")[-1]
    kept = {"type": "image/jpeg", "size": 700, "name": "rail.jpg", "state": "pending"}
    stored.put(page, "attachments", sha256, kept)
    page = anew(worker, record)
    page.locator(".thumbs").first.scroll_into_view_if_needed()

    words = page.locator(".child-row .missing-picture")
    expect(words).to_contain_text("Its content is gone from this device.")
    # a browser itself notes what the office does not have
    worker.faults[:] = [each for each in worker.faults if "status of 404" not in each]
