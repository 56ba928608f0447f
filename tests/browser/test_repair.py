"""Repair, discard, supervision and work saved as a file, in a browser (R38, R39, R54, R59)."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from browser.device import Device
from browser.pictures import png
from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]


def a_record(worker: Device) -> str:
    """Return the address of the worker's first inspection."""
    worker.go("/pages/inspection")
    worker.page.locator("table.list tbody a").first.click()
    worker.page.get_by_role("link", name="Edit").wait_for()
    return worker.page.url.removeprefix(worker.origin)


def edit(device: Window, address: str, **values: str) -> None:
    """Fill in some fields of a record, by label, and save."""
    device.go(f"{address}/edit")
    for label, value in values.items():
        device.page.get_by_label(label.replace("_", " "), exact=False).first.fill(value)
    device.save()


def a_conflict(worker: Device, new_desk: NewDesk) -> tuple[Window, str]:
    """Return a desk and the address of a record: it and the worker have changed the same fields."""
    address = a_record(worker)
    worker.context.set_offline(True)
    edit(worker, address, Score="11", Remarks="Mine", Next_due_on="2027-05-01")
    desk = new_desk("office")
    edit(desk, address, Score="22", Remarks="Theirs")
    worker.context.set_offline(False)
    worker.sync()
    assert worker.sync_state() == "attention"
    return desk, address


def open_repair(device: Window) -> None:
    device.go("/sync")
    device.page.locator(".entry[data-state=attention]").first.get_by_text("Repair").click()
    device.page.get_by_role("heading", name="Repair inspection").wait_for()


def version(page: Page, field: str, name: str) -> Locator:
    return page.locator(f'[data-versions="{field}"] button.version.{name}')


def test_a_worker_repairs_a_conflict_without_a_connection(
    worker: Device, new_desk: NewDesk
) -> None:
    """She takes theirs for one field, types another, is called away, saves, syncs (R17, R38)."""
    desk, address = a_conflict(worker, new_desk)
    worker.context.set_offline(True)
    open_repair(worker)
    page = worker.page

    expect(page.locator("#f-score")).to_be_focused()
    expect(version(page, "score", "mine")).to_have_attribute("aria-pressed", "true")
    version(page, "score", "theirs").click()
    expect(page.locator("#f-score")).to_have_value("22")
    expect(version(page, "score", "theirs")).to_have_attribute("aria-pressed", "true")
    expect(version(page, "score", "mine")).to_have_attribute("aria-pressed", "false")
    page.locator("#f-remarks").fill("Both of us")
    page.wait_for_timeout(600)
    page.get_by_role("link", name="Site inspections").click()
    page.get_by_role("navigation", name="Pages").wait_for()
    open_repair(worker)
    expect(page.locator("#f-remarks")).to_have_value("Both of us")
    expect(page.locator("#f-score")).to_have_value("22")
    expect(version(page, "score", "theirs")).to_have_attribute("aria-pressed", "true")
    expect(version(page, "remarks", "mine")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("status")).to_contain_text("Repaired")
    worker.context.set_offline(False)
    worker.sync()
    assert worker.sync_state() == "clean"

    for device in (worker, desk):
        device.go(address)
        for words in ("22", "Both of us", "1 May 2027"):
            expect(device.page.locator("main")).to_contain_text(words)


def test_a_signature_is_chosen_by_looking_at_it(worker: Device, new_desk: NewDesk) -> None:
    """Pictures of both sides stand beside the field, and a tap puts one of them in (R38, R42)."""
    address = a_record(worker)
    worker.context.set_offline(True)
    sign(worker, address, 40)
    desk = new_desk("office")
    sign(desk, address, 90)
    worker.context.set_offline(False)
    worker.sync()
    open_repair(worker)
    page = worker.page
    hidden = page.locator('input[type=hidden][name="signature"]')
    mine = hidden.input_value()
    for name in ("mine", "theirs"):
        expect(version(page, "signature", name).locator("img")).to_have_count(1)
    version(page, "signature", "theirs").click()
    expect(version(page, "signature", "theirs")).to_have_attribute("aria-pressed", "true")
    theirs = hidden.input_value()
    version(page, "signature", "mine").click()

    assert mine != theirs
    assert json.loads(mine) == json.loads(hidden.input_value())
    expect(version(page, "signature", "mine")).to_have_attribute("aria-pressed", "true")


def sign(device: Window, address: str, shade: int) -> None:
    """Put a picture of one's own in the place of the signature."""
    device.go(f"{address}/edit")
    widget = device.page.locator("[data-attachment=signature]")
    remove = widget.get_by_role("button", name="Remove")
    if remove.count():
        remove.click()
    picture = FilePayload(name="s.png", mimeType="image/png", buffer=png(shade=shade))
    widget.locator("input[type=file]").set_input_files([picture])
    expect(widget.locator(".thumbs img")).to_have_count(1)
    device.save()


def test_a_worker_discards_what_she_saved_and_what_came_on_top(
    worker: Device, new_desk: NewDesk
) -> None:
    """What was saved twice before a sync is one entry; after a warning it is gone (R18, R39)."""
    address = a_record(worker)
    worker.context.set_offline(True)
    edit(worker, address, Score="11")
    edit(worker, address, Remarks="On top")
    desk = new_desk("office")
    edit(desk, address, Score="22")
    worker.context.set_offline(False)
    worker.sync()
    worker.go("/sync")
    page = worker.page
    expect(page.locator(".entry[data-state=waiting]")).to_have_count(0)
    page.locator(".entry[data-state=attention]").get_by_text("Discard").click()
    page.get_by_role("heading", name="Discard this entry?").wait_for()
    for words in ("11", "On top"):
        expect(page.locator("main")).to_contain_text(words)
    page.get_by_role("button", name="Discard for good").click()
    expect(page.get_by_role("status")).to_contain_text("Discarded")
    worker.sync()
    assert worker.sync_state() == "clean"
    worker.go(address)
    expect(page.locator("main")).to_contain_text("22")
    expect(page.locator("main")).not_to_contain_text("On top")


def test_a_supervisor_repairs_and_the_worker_sees_it_settled(
    worker: Device, new_desk: NewDesk
) -> None:
    """The same form at the office; at her next sync the worker reads who did it (R38, R59)."""
    _, address = a_conflict(worker, new_desk)
    lead = new_desk("lead")
    lead.go("/envelopes")
    lead.page.get_by_role("link", name="Repair").first.click()
    lead.page.get_by_role("heading", name="Repair inspection").wait_for()
    lead.page.locator("#f-score").fill("33")
    version(lead.page, "remarks", "theirs").click()
    lead.page.get_by_role("button", name="Save").last.click()
    expect(lead.page.get_by_role("status")).to_contain_text("Repaired")
    worker.sync()
    assert worker.sync_state() == "clean"
    worker.go("/sync")
    expect(worker.page.locator("main")).to_contain_text("Repaired by lead")
    worker.page.get_by_role("link", name="Details").first.click()
    expect(worker.page.locator(".trail")).to_contain_text("Repaired by lead")
    worker.go(address)
    for words in ("33", "Theirs"):
        expect(worker.page.locator("main")).to_contain_text(words)


def saved_file(device: Window) -> zipfile.ZipFile:
    """Ask for the file and open it."""
    with device.page.expect_download() as waiting:
        device.page.get_by_role("button", name="Save my work as a file").click()
    file = zipfile.ZipFile(io.BytesIO(waiting.value.path().read_bytes()))
    assert file.testzip() is None
    return file


def test_unsent_work_is_saved_as_a_file(worker: Device) -> None:
    """Envelopes as they are sent, with pictures, and what cannot be read any more (R54)."""
    worker.context.set_offline(True)
    worker.new_inspection("In the file")
    picture = FilePayload(name="s.png", mimeType="image/png", buffer=png())
    worker.page.locator("[data-attachment=signature] input[type=file]").set_input_files([picture])
    expect(worker.page.locator("[data-attachment=signature] .thumbs img")).to_have_count(1)
    worker.save()
    worker.go("/sync")
    file = saved_file(worker)
    envelope = json.loads(file.read("envelopes/000001.json"))
    (sha256,) = envelope["attachments"]
    worker.page.evaluate(BREAK)
    broken = saved_file(worker)

    assert "In the file" == envelope["operations"][0]["set"]["remarks"]
    assert [n for n in file.namelist() if n.startswith(f"attachments/{sha256}.")]
    assert "1 saved forms, 1 pictures" in file.read("summary.txt").decode()
    assert file.read("envelopes/000001.json") == broken.read("envelopes/000001.json")
    assert '"not an entry"' == broken.read("unreadable/000002.json").decode()


BREAK = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const work = db.transaction("outbox", "readwrite");
  work.objectStore("outbox").put("not an entry", 2);
  await new Promise((done) => (work.oncomplete = done));
  db.close();
}"""
"""Takes Python's runtime away, and damages an entry."""


def test_work_can_be_had_as_a_file_when_python_does_not_start(worker: Device) -> None:
    """A start that never ends does not lock in what was saved (R54)."""
    worker.context.set_offline(True)
    worker.new_inspection("Locked in")
    worker.save()
    worker.page.evaluate(SPOIL)
    worker.page.reload()
    worker.page.get_by_role("button", name="Save my work as a file").wait_for()
    expect(worker.page.locator("body")).to_have_attribute("data-home", "shell")
    file = saved_file(worker)
    worker.faults.clear()  # a start that fails reports itself

    assert b"Locked in" in file.read("envelopes/000001.json")


SPOIL = """async () => {
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    const runtime = (await cache.keys()).filter(({ url }) => url.endsWith(".wasm"));
    for (const request of runtime) await cache.put(request, new Response(new Uint8Array(8)));
  }
}"""
"""Spoils Python's runtime where the device keeps it."""
