"""The main job, in a real browser, with the network cut and processes killed.

R1, R3, R6, R7, R9, R21, R23, R24, R26, R42, R43, R49, R64.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, expect

from browser.device import Device
from browser.filling import add_finding, draw_signature
from browser.office import Office
from browser.pictures import png
from browser.proxy import FaultProxy
from browser.window import Window

pytestmark = pytest.mark.browser

NewDevice = Callable[..., Device]
NewDesk = Callable[[str], Window]


def inspect_in_the_dark(worker: Device) -> None:
    """Fill in an inspection with two findings, a photo and a signature, and save it."""
    page = worker.page
    worker.new_inspection("Made in the dark")
    add_finding(page, 0, "Loose rail at the top")
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png())
    page.locator(".child-row").first.locator("input[type=file]").set_input_files([picture])
    expect(page.locator(".child-row .thumbs img")).to_have_count(1)
    add_finding(page, 1, "Paint is flaking")
    draw_signature(page)
    page.get_by_label("Status").select_option(label="Closed")
    worker.save()
    worker.go("/pages/inspection")
    expect(page.locator("tr.waiting")).to_have_count(1)
    expect(page.locator("tr.waiting .badge")).to_have_text("Waiting")


def expect_whole_and_once(page: Page) -> None:
    """Expect one row in the list, and all that was filled in, with its pictures, behind it."""
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    page.locator("table.list tbody a").first.click()
    for words in ("Made in the dark", "Loose rail at the top", "Paint is flaking"):
        expect(page.get_by_text(words)).to_be_visible()
    images = page.locator("main img")
    expect(images).to_have_count(2)
    for index in range(2):
        images.nth(index).scroll_into_view_if_needed()
        expect(images.nth(index)).not_to_have_js_property("naturalWidth", 0)


def test_an_inspection_made_without_a_signal_reaches_the_office_whole_and_once(
    new_device: NewDevice, new_desk: NewDesk, office: Office, proxy: FaultProxy
) -> None:
    """Sign in, lose the network, inspect, save, die, come back, sync: the office has it once."""
    worker = new_device()
    worker.set_up("worker1")
    expect(worker.page.locator("#private-window")).to_have_count(0)
    office.stop()
    proxy.target = None
    worker.context.set_offline(True)
    inspect_in_the_dark(worker)

    worker.kill()
    worker.open()
    worker.context.set_offline(True)
    worker.go("/pages/inspection")
    expect(worker.page.locator("tr.waiting")).to_have_count(1)
    worker.page.locator("tr.waiting a").first.click()
    expect(worker.page.get_by_text("Loose rail at the top")).to_be_visible()

    proxy.target = office.start()
    worker.context.set_offline(False)
    worker.sync()
    assert worker.sync_state() == "clean"
    worker.go("/pages/inspection")
    expect(worker.page.locator("tr.waiting")).to_have_count(0)
    desk = new_desk("office")
    desk.go("/pages/inspection?q=2026-11-23")
    expect_whole_and_once(desk.page)


def test_a_lost_answer_to_a_push_applies_nothing_twice(
    worker: Device, new_desk: NewDesk, proxy: FaultProxy
) -> None:
    """The server applies and answers, the answer is lost, Sync again: still once (R26, R32)."""
    worker.new_inspection("Answer lost")
    worker.save()
    proxy.lose_answer.append("/sync/push")
    worker.sync()
    assert proxy.lose_answer == []
    assert worker.sync_state() != "clean"
    worker.sync()
    assert worker.sync_state() == "clean"

    worker.go("/pages/inspection?q=2026-11-23")
    expect(worker.page.locator("table.list tbody tr")).to_have_count(1)
    desk = new_desk("office")
    desk.go("/pages/inspection?q=2026-11-23")
    expect(desk.page.locator("table.list tbody tr")).to_have_count(1)


def test_a_server_killed_in_the_middle_of_a_push_loses_and_doubles_nothing(
    worker: Device, new_desk: NewDesk, office: Office, proxy: FaultProxy
) -> None:
    """Ten envelopes, the server dies after the fourth receipt: all ten arrive once (R26)."""
    for number in range(10):
        worker.new_inspection(f"Visit {number}")
        worker.save()

    def die(line: int) -> None:
        if line == 4:
            office.kill()

    proxy.on_line = die
    worker.sync()
    assert worker.sync_state() != "clean"
    proxy.on_line = None
    proxy.target = office.start()
    worker.sync()
    assert worker.sync_state() == "clean"

    desk = new_desk("office")
    desk.go("/pages/inspection?q=2026-11-23")
    expect(desk.page.locator("table.list tbody tr")).to_have_count(10)


def problems_of(page: Page) -> list[tuple[str, str]]:
    """Return each field's problem as (id of the control, words)."""
    page.get_by_role("button", name="Save").last.click()
    page.locator(".problem-summary").wait_for()
    found: list[list[str]] = page.eval_on_selector_all(
        "[aria-invalid=true]",
        "all => all.map(e => [e.id, document.getElementById(e.id + '-problem').innerText])",
    )
    return [(field, words) for field, words in found]


def test_a_rule_says_the_same_at_the_same_field_offline_and_online(
    worker: Device, new_desk: NewDesk
) -> None:
    """The same wrong form gives the same messages at the same fields (R16)."""
    worker.context.set_offline(True)
    desk = new_desk("office")
    said = []
    for device in (worker, desk):
        device.go("/pages/inspection/new")
        device.page.get_by_label("Site").select_option(index=2)
        device.page.get_by_label("Inspected on").fill("1950-01-01")
        device.page.get_by_label("Score").fill("101")
        device.page.get_by_label("Next due on").fill("1949-01-01")
        device.page.get_by_label("Status").select_option(label="Closed")
        add_finding(device.page, 0, "x")
        said.append(problems_of(device.page))
    assert said[0] == said[1]
    fields = {field for field, _ in said[0]}
    assert {"f-score", "f-inspected_on", "f-next_due_on"} <= fields
    assert any(field.startswith("f-findings-0-") for field in fields)


def test_a_conflict_is_kept_and_shown_and_overwrites_nothing(
    worker: Device, new_desk: NewDesk
) -> None:
    """Both changed the score: the office's stays, the worker's is kept for repair (R37)."""
    worker.go("/pages/inspection")
    worker.page.locator("table.list tbody a").first.click()
    worker.page.get_by_role("link", name="Edit").wait_for()
    address = worker.page.url.removeprefix(worker.origin)
    worker.context.set_offline(True)
    worker.go(f"{address}/edit")
    worker.page.get_by_label("Score").fill("11")
    worker.save()

    desk = new_desk("office")
    desk.go(f"{address}/edit")
    desk.page.get_by_label("Score").fill("22")
    desk.save()

    worker.context.set_offline(False)
    worker.sync()
    assert worker.sync_state() == "attention"
    worker.go("/sync")
    expect(worker.page.locator(".entry[data-state=attention]")).to_have_count(1)
    expect(worker.page.locator(".entry[data-state=attention]")).to_contain_text("22")
    worker.go(address)
    expect(worker.page.locator("main")).to_contain_text("22")
    desk.go(address)
    expect(desk.page.locator("main")).to_contain_text("22")


def test_the_designer_brings_a_page_to_a_device_and_takes_it_away(
    worker: Device, new_desk: NewDesk
) -> None:
    """Switched on, a page works without a network after the next sync; off, it goes (R57)."""
    desk = new_desk("admin")
    for wanted in ("true", "false"):
        desk.go("/designer")
        switch = desk.page.get_by_role("switch", name="Offline: Contractors")
        switch.click()
        expect(switch).to_have_attribute("aria-checked", wanted)
        worker.context.set_offline(False)
        worker.sync()
        assert worker.sync_state() == "clean"
        worker.context.set_offline(True)
        worker.go("/pages/contractor")
        if wanted == "true":
            expect(worker.page.locator("table.list tbody tr").first).to_be_visible()
        else:
            expect(worker.page.locator("main")).to_contain_text("needs a connection")


@pytest.mark.parametrize("settings", [{"FIELDPOST_SEATS": "2"}])
def test_a_field_worker_without_a_seat_is_refused_in_words(new_desk: NewDesk) -> None:
    """With all seats taken the role is refused, and nobody who has one loses it (R5)."""
    desk = new_desk("admin")
    desk.go("/designer")
    expect(desk.page.locator(".seats")).to_contain_text("2 of 2 field-worker seats are taken")
    desk.page.get_by_role("switch", name="Offline: office").click()
    expect(desk.page.get_by_role("alert")).to_contain_text("All 2 field-worker seats are taken")
    for name, has in (("office", "false"), ("worker1", "true"), ("worker2", "true")):
        switch = desk.page.get_by_role("switch", name=f"Offline: {name}")
        expect(switch).to_have_attribute("aria-checked", has)


NO_SNAPSHOT = """
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message.do !== "snapshot") postMessage.call(this, message, ...rest);
  };
"""
"""Lets whoever makes the snapshot never come to an end."""


def test_signing_out_waits_for_no_snapshot(worker: Device) -> None:
    """What is busy making the next start quick ends with the session, and holds nothing (R49)."""
    worker.page.evaluate(FORGET_SNAPSHOTS)
    worker.page.add_init_script(NO_SNAPSHOT)
    worker.restart("/")
    worker.wait_ready()
    assert 2 == len(worker.page.workers)
    worker.page.locator("#account summary").click()
    worker.page.get_by_role("button", name="Sign out").click()
    expect(worker.page.locator("body")).to_contain_text("Nothing is left")
    assert [] == worker.page.workers


FORGET_SNAPSHOTS = """async () => {
  const db = await new Promise((done) => {
    const opening = indexedDB.open("fieldpost");
    opening.onsuccess = () => done(opening.result);
  });
  const work = db.transaction("snapshots", "readwrite");
  work.objectStore("snapshots").clear();
  await new Promise((done) => (work.oncomplete = done));
  db.close();
}"""


def test_signing_out_leaves_nothing_behind(worker: Device) -> None:
    """Databases, caches and service workers are gone afterwards: counted, not assumed (R49)."""
    worker.page.locator("#account summary").click()
    worker.page.get_by_role("button", name="Sign out").click()
    expect(worker.page.locator("body")).to_contain_text(
        re.compile("Nothing is left|nothing is left")
    )
    left = worker.page.evaluate(
        """async () => ({
          databases: (await indexedDB.databases()).length,
          caches: (await caches.keys()).length,
          workers: (await navigator.serviceWorker.getRegistrations()).length,
          local: localStorage.length, session: sessionStorage.length,
          used: (await (await navigator.storage.getDirectory()).keys().next()).done,
        })"""
    )
    expected = {"databases": 0, "caches": 0, "workers": 0, "local": 0, "session": 0, "used": True}
    assert expected == left
