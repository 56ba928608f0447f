"""Tapping *Update* while something does not answer: every wait ends, with a next step (R22)."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from browser import stored
from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy
from browser.window import SETUP_MS

pytestmark = pytest.mark.browser

QUICK = """() => {
  const real = window.setTimeout;
  window.setTimeout = (work, ms, ...how) => real(work, ms / 6, ...how);
}"""
"""Minutes pass in seconds: nobody waits here for the limits."""

DEAF = "() => { ServiceWorker.prototype.postMessage = () => {}; }"
UNREGISTERED = """() => {
  ServiceWorkerContainer.prototype.register = () => new Promise(() => {});
}"""
MUTE = """() => {
  const real = ServiceWorker.prototype.postMessage;
  ServiceWorker.prototype.postMessage = function (task) { real.call(this, task); };
}"""
"""It does what it is told, and nobody hears so."""
SILENT_PYTHON = "() => { Worker.prototype.postMessage = () => {}; }"
NOTE_TURN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const note = () => sessionStorage.setItem("waits", registration.waiting !== null);
  navigation.addEventListener("navigate", note); // at once when the page asks to be loaded anew
  await registration.update();
  const end = Date.now() + 60_000;
  while (!registration.waiting && Date.now() < end) await new Promise((go) => setTimeout(go, 20));
  return registration.waiting !== null;
}"""
"""Wait until a service worker waits; note whether one does when the page is loaded anew."""
LEAVE = "() => document.querySelector('main a').click()"


@pytest.fixture
def offered(
    worker: Device, office: Office, restyled: dict[str, str], proxy: FaultProxy
) -> Iterator[Callable[[], Locator]]:
    """Return what shows the button of an update, on a page where time is quick."""
    office.stop()
    newer = Office(office.data, restyled)
    proxy.target = newer.start()

    def offer() -> Locator:
        worker.page.evaluate(QUICK)
        worker.sync()
        button = worker.page.locator("#update button")
        expect(button).to_have_text("Update")
        return button

    yield offer
    newer.stop()


def version_shown(worker: Device) -> str:
    shown: str = stored.read(worker.page, "session", "shell")["version"]
    return shown


def expect_update(worker: Device, former: str) -> None:
    """Expect that the page is loaded anew, as the new version, and works."""
    expect(worker.page.locator("#update")).to_have_count(0, timeout=SETUP_MS)
    worker.page.locator("html:not([data-starting]) body[data-home=device] main h1").wait_for(
        timeout=SETUP_MS
    )
    assert former != version_shown(worker)
    worker.go("/")
    worker.new_inspection("After the update")
    worker.save()


def test_a_service_worker_that_does_not_answer_holds_nobody_up(
    worker: Device, offered: Callable[[], Locator]
) -> None:
    """Deaf or never there: it is said, the button is back; a lost answer is looked up (R22)."""
    button, former = offered(), version_shown(worker)
    page = worker.page
    for trouble in (DEAF, UNREGISTERED):
        page.reload()
        worker.wait_ready()
        button = offered()
        page.evaluate(trouble)
        button.dblclick()
        expect(button).to_have_text("Updating…")
        expect(button).to_have_text("Update")
        expect(button).to_be_enabled()
        expect(page.get_by_role("status")).to_contain_text("Nothing is lost")
        assert former == version_shown(worker)
        worker.go("/")

    page.reload()
    worker.wait_ready()
    button = offered()
    page.evaluate(MUTE)
    button.dblclick()
    expect_update(worker, former)


def test_an_update_stops_a_sync_that_does_not_end(
    worker: Device, offered: Callable[[], Locator], proxy: FaultProxy
) -> None:
    """A sync on a silent line is given up for it, and what waits is sent by the new version."""
    button, former = offered(), version_shown(worker)
    worker.new_inspection("Waits for the line")
    worker.save()
    silent = threading.Event()
    proxy.hold = ("/sync/push", silent)
    worker.page.get_by_role("button", name=re.compile("^Sync")).click()
    worker.page.wait_for_timeout(500)
    button.dblclick()

    expect_update(worker, former)
    silent.set()
    proxy.hold = None
    worker.sync()
    assert "clean" == worker.sync_state()


def test_a_python_that_does_not_answer_holds_no_update_up(
    worker: Device, offered: Callable[[], Locator]
) -> None:
    """What it was asked is never answered: the update does not wait for that."""
    button, former = offered(), version_shown(worker)
    worker.page.evaluate(SILENT_PYTHON)
    worker.page.evaluate(LEAVE)
    button.dblclick()

    expect_update(worker, former)


def test_a_form_that_is_opened_meanwhile_stays(
    worker: Device, offered: Callable[[], Locator], proxy: FaultProxy
) -> None:
    """Whoever goes on working while an update waits for a sync is not torn out of her form."""
    button, former = offered(), version_shown(worker)
    proxy.hold = ("/sync/pull", threading.Event())
    worker.page.get_by_role("button", name=re.compile("^Sync")).click()
    worker.page.wait_for_timeout(500)
    button.click()
    worker.new_inspection("Typed meanwhile")
    proxy.hold[1].set()
    proxy.hold = None

    expect(button).to_have_text("Update")
    expect(worker.page.get_by_label("Remarks")).to_have_value("Typed meanwhile")
    assert former == version_shown(worker)
    worker.save()
    worker.page.wait_for_timeout(100)
    expect(button).to_be_visible()
    button.click()
    expect_update(worker, former)


def test_two_tabs_and_one_update(worker: Device, offered: Callable[[], Locator]) -> None:
    """The tab that was taken over while it updates leaves the other one alone, which updates."""
    button, former = offered(), version_shown(worker)
    first = worker.page
    first.evaluate(SILENT_PYTHON)
    first.evaluate(LEAVE)
    button.click()
    second = worker.context.new_page()
    second.goto(worker.origin + "/")
    second.get_by_role("button", name="Use it here").click()
    worker.page = second
    worker.wait_ready()
    expect(first.get_by_role("heading")).to_contain_text("another tab")

    assert former == version_shown(worker)
    button = offered()
    button.dblclick()
    expect_update(worker, former)


def test_a_page_is_loaded_when_its_service_worker_has_taken_its_turn(
    worker: Device, offered: Callable[[], Locator]
) -> None:
    """Chromium may lose what a page asks for while one takes the place of another (R22, R56)."""
    button, former = offered(), version_shown(worker)
    assert worker.page.evaluate(NOTE_TURN)
    button.click()

    expect_update(worker, former)
    assert "false" == worker.page.evaluate("sessionStorage.getItem('waits')")
