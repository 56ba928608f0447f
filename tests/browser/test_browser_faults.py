"""What a browser can throw, thrown in a browser: each ends in words and a way on, within seconds.

R22, R46, R56.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.filling import draw_signature
from browser.proxy import FaultProxy
from browser.store_faults import python_of

pytestmark = pytest.mark.browser


@contextmanager
def full(page: Page, origin: str) -> Iterator[None]:
    """Use up the origin's quota, as a device without space does."""
    session = page.context.new_cdp_session(page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1})
    try:
        yield
    finally:
        session.send("Storage.overrideQuotaForOrigin", {"origin": origin})


LOST = """() => {
  const Real = Worker;
  const places = ["/lost"];
  self.Worker = class extends Real {
    constructor(place, how) { super(places.pop() ?? place, how); }
  };
}"""
"""The first worker of a page asks for its script, and no answer ever comes."""


def tap_save(page: Page) -> None:
    page.get_by_role("button", name="Save").last.click()


def test_a_full_device_says_so_and_goes_on_when_there_is_space(worker: Device) -> None:
    """It starts; Save and Sync end in words; the form stays, and is saved when there is space."""
    worker.new_inspection("Waits")
    worker.save()
    # a browser remembers how much space there was, so it begins without any
    worker.close()
    worker.arguments.append("--disable-features=StaticStorageQuota")
    page = worker.open()
    with full(page, worker.origin):
        worker.restart("/pages/inspection/new")
        page.get_by_label("Site").select_option(index=1)
        page.get_by_label("Inspected on").fill("2026-11-23")
        page.get_by_label("Remarks").fill("On a full device")
        tap_save(page)
        expect(page.locator(".problem-summary")).to_contain_text("no space left")
        expect(page.get_by_label("Remarks")).to_have_value("On a full device")
        draw_signature(page, is_kept=False)
        expect(page.locator(".attachment-problem")).to_contain_text("no space left")
        worker.sync()
        assert worker.sync_state() == "attention"
        expect(page.get_by_role("status")).to_contain_text("no space left")
    worker.save()
    worker.sync()
    assert worker.sync_state() == "clean"


THROWS = {
    "a quota of its own class": "throw new QuotaExceededError('full')",
    "an abort": "throw new DOMException('gone', 'AbortError')",
    "an unknown error of the disk": "throw new DOMException('disk', 'UnknownError')",
    "text": "throw 'no exception at all'",
    "nothing": "throw undefined",
}


@pytest.mark.parametrize("what", THROWS)
def test_whatever_the_store_throws_the_form_stays(worker: Device, what: str) -> None:
    """No way in which a transaction fails leaves the button working for ever (R22)."""
    page = worker.page
    worker.new_inspection("Thrown at")
    python_of(page).evaluate(
        f"""() => {{
          self.real = IDBObjectStore.prototype.add;
          IDBObjectStore.prototype.add = () => {{ {THROWS[what]}; }};
        }}"""
    )
    tap_save(page)
    expect(page.locator(".problem-summary")).to_be_visible()
    expect(page.get_by_label("Remarks")).to_have_value("Thrown at")

    python_of(page).evaluate("() => { IDBObjectStore.prototype.add = self.real; }")
    worker.save()
    assert 1 == worker.count("outbox")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("QuotaExceededError", "no space left"),
        ("UnknownError", "could not be kept by this browser"),
    ],
)
def test_only_a_full_device_is_said_to_be_full(worker: Device, name: str, words: str) -> None:
    """A picture that the browser does not keep is refused with the reason that it gave (R22)."""
    page = worker.page
    worker.new_inspection("With a signature")
    page.evaluate(
        """(name) => {
          IDBObjectStore.prototype.put = () => { throw new DOMException("not kept", name); };
        }""",
        name,
    )
    draw_signature(page, is_kept=False)
    expect(page.locator(".attachment-problem")).to_contain_text(words)


CLOSES = """() => {
  const real = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function (...how) {
    IDBDatabase.prototype.transaction = real;
    this.close();
    return real.apply(this, how);
  };
}"""


def test_a_connection_that_the_browser_has_closed_is_opened_again(worker: Device) -> None:
    """In the worker and in the page: nobody notices (R22)."""
    page = worker.page
    worker.new_inspection("Through a closed connection")
    python_of(page).evaluate(CLOSES)
    worker.save()
    assert 1 == worker.count("outbox")


def test_data_that_was_removed_is_no_empty_device(worker: Device) -> None:
    """The browser's own menu removed it all: nothing is saved into an empty store (R46)."""
    page = worker.page
    worker.new_inspection("Into nothing")
    page.evaluate(
        """() => new Promise((done) => {
          const deleting = indexedDB.deleteDatabase("fieldpost");
          deleting.onsuccess = () => done();
        })"""
    )
    tap_save(page)
    expect(page.locator(".problem-summary")).to_contain_text("removed")
    expect(page.get_by_label("Remarks")).to_have_value("Into nothing")


def test_a_newer_database_and_one_that_does_not_open_are_said(worker: Device) -> None:
    """A version from the future, or an upgrade that another tab blocks: words, not a blank page."""
    page = worker.page
    page.evaluate(
        """() => new Promise((done, failed) => {
          const opening = indexedDB.open("fieldpost", 99);
          opening.onsuccess = () => { opening.result.close(); done(); };
          opening.onerror = () => failed(opening.error);
        })"""
    )
    page.reload()
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert worker.faults
    worker.faults.clear()  # the console says it, too


def test_without_digests_or_an_answer_of_the_network_sync_ends(worker: Device) -> None:
    """`crypto.subtle` is missing, or `fetch` throws what is no error: Sync says so and ends."""
    page = worker.page
    worker.new_inspection("Waits")
    worker.save()
    for broken, mended in (
        ("self.fetch = () => Promise.reject('nothing')", "delete self.fetch"),
        (
            "Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true })",
            "delete crypto.subtle",
        ),
    ):
        python_of(page).evaluate(f"() => {{ {broken}; }}")
        worker.sync()
        expect(page.locator("#status")).not_to_have_text("")
        python_of(page).evaluate(f"() => {{ {mended}; }}")
    worker.sync()
    assert worker.sync_state() == "clean"
    expect(page.get_by_role("button", name=re.compile("^Sync"))).to_have_attribute(
        "aria-busy", "false"
    )
    worker.faults.clear()  # Python's log shows in the console what it could not do


def test_whoever_waits_for_a_python_that_has_died_hears_of_it(worker: Device) -> None:
    """What ends Python inside of the browser ends no person's patience: Sync says so (R22)."""
    page = worker.page
    worker.new_inspection("Saved before")
    worker.save()
    python_of(page).evaluate(
        "() => Object.defineProperty(self, 'crypto', { value: {}, configurable: true })"
    )
    worker.sync()
    expect(page.get_by_role("status")).to_contain_text("is lost; try again")
    worker.faults.clear()  # the console says it, too
    worker.restart("/")
    worker.wait_ready()
    worker.sync()
    assert worker.sync_state() == "clean"


def test_a_worker_whose_script_never_comes_is_begun_again(
    worker: Device, proxy: FaultProxy
) -> None:
    """Chromium may lose its request while an update takes effect: the start goes on (R9, R22)."""
    asked = threading.Event()
    proxy.hold = ("/lost", asked)
    worker.context.add_init_script(f"({LOST})()")
    worker.restart("/")
    worker.wait_ready()
    assert "GET /lost" in proxy.seen
    asked.set()
    worker.new_inspection("After a worker that was lost")
    worker.save()
