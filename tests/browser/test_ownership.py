"""A device's data belongs to its user, whoever is signed in and whatever page is open.

R17, R49, R50.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from browser import stored
from browser.device import Device
from browser.proxy import FaultProxy
from browser.window import PATIENCE_MS, SETUP_MS

pytestmark = pytest.mark.browser


@contextmanager
def past_the_service_worker(page: Page) -> Iterator[None]:
    """Load pages as after a hard reload: from the server, although the app is installed."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setBypassServiceWorker", {"bypass": True})
    yield
    session.detach()


def sign_out(page: Page) -> None:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()


def fill_in(page: Page, name: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Sign in").click()


def sign_in_in_the_dialog(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    page.locator("html:not([data-starting]) body[data-home=device]").wait_for(timeout=SETUP_MS)


def test_somebody_elses_sign_out_leaves_the_owners_work(worker: Device) -> None:
    """The office signs in past the app and out again: what a worker saved and typed stays (R50)."""
    page = worker.page
    worker.new_inspection("Saved without a connection")
    worker.save()
    worker.new_inspection("Only typed")
    worker.until_count("drafts", 1)
    worker.context.clear_cookies()
    with past_the_service_worker(page):
        page.goto(f"{worker.origin}/")
        fill_in(page, "office")
        page.get_by_role("navigation", name="Pages").wait_for()
        sign_out(page)
        expect(page.get_by_text("It keeps the data of worker1")).to_be_visible()
    assert (1, 1) == (worker.count("outbox"), worker.count("drafts"))

    page.goto(f"{worker.origin}/")
    expect(page.get_by_role("heading", name="This device is worker1's")).to_be_visible()
    page.get_by_role("button", name="Sign in as worker1").click()
    sign_in_in_the_dialog(page)
    worker.go("/sync")
    expect(page.get_by_role("link", name="Go on with New inspection")).to_be_visible()
    worker.sync()
    assert worker.sync_state() == "clean"


def test_another_worker_is_told_whose_it_is_and_sees_nothing(worker: Device) -> None:
    """Who signs in on somebody's device sees none of it, works online, and cannot delete it."""
    page = worker.page
    worker.new_inspection("Nobody else's business")
    worker.save()
    worker.context.clear_cookies()
    worker.go("/sign-in")
    fill_in(page, "worker2")

    expect(page.get_by_role("heading", name="This device is worker1's")).to_be_visible()
    expect(page.locator("body")).to_contain_text("One thing of it is not at the office yet")
    assert "Nobody else" not in page.content()
    expect(page.get_by_role("button", name="Remove it")).to_have_count(0)
    page.get_by_role("button", name="Go on as worker2").click()
    page.get_by_role("navigation", name="Pages").wait_for()
    expect(page.locator("body")).to_have_attribute("data-user", "worker2")
    sign_out(page)
    expect(page.get_by_text("It keeps the data of worker1")).to_be_visible()

    page.goto(f"{worker.origin}/")
    page.get_by_role("button", name="Sign in as somebody else").click()
    fill_in(page, "office")
    expect(page.get_by_text("You are signed in as office")).to_be_visible()
    page.get_by_role("button", name="Sign in as worker1").click()
    sign_in_in_the_dialog(page)
    worker.sync()
    assert worker.sync_state() == "clean"


def test_the_owner_without_a_connection_is_told_and_loses_nothing(
    worker: Device, proxy: FaultProxy
) -> None:
    """A device that another has used stays closed in the field, says why, and keeps all (R49)."""
    page = worker.page
    worker.new_inspection("Waits for a connection")
    worker.save()
    worker.context.clear_cookies()
    worker.go("/sign-in")
    fill_in(page, "worker2")
    expect(page.get_by_role("heading", name="This device is worker1's")).to_be_visible()
    worker.context.clear_cookies()
    office, proxy.target = proxy.target, None

    page.goto(f"{worker.origin}/sync")
    expect(page.get_by_role("heading", name="This device is worker1's")).to_be_visible()
    expect(page.locator("body")).to_contain_text("signs in, which needs a connection")
    assert "Waits for a connection" not in page.content()
    expect(page.get_by_role("button", name="Remove it")).to_have_count(0)
    page.get_by_role("button", name="Sign in as worker1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("cannot be reached")
    assert (1, True) == (worker.count("outbox"), stored.read(page, "session", "locked"))

    proxy.target = office
    sign_in_in_the_dialog(page)
    worker.sync()
    assert worker.sync_state() == "clean"


def test_a_device_without_unsent_work_can_change_hands(worker: Device) -> None:
    """Where the office has everything, the next worker makes the device hers."""
    page = worker.page
    worker.context.clear_cookies()
    worker.go("/sign-in")
    fill_in(page, "worker2")
    page.get_by_role("button", name="Remove it and use this device as worker2").click()
    page.locator("html:not([data-starting]) body[data-home=device][data-user=worker2]").wait_for(
        timeout=SETUP_MS
    )


def test_a_draft_counts_at_sign_out(worker: Device, proxy: FaultProxy) -> None:
    """What is typed and not saved is asked about, also without a connection (R50)."""
    page = worker.page
    worker.new_inspection("Half a sentence")
    proxy.target = None
    sign_out(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 form is filled in and not saved")
    expect(dialog.get_by_role("button", name="Sync first")).to_have_count(0)
    dialog.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("link", name="Go on with New inspection")).to_be_visible()


def test_an_entry_in_trouble_is_not_said_to_be_sendable(worker: Device) -> None:
    """Where a sync settles nothing, signing out offers repair, file, word or staying (R50)."""
    page = worker.page
    worker.new_inspection("In conflict")
    worker.save()
    stored.put(page, "outbox", 1, {**stored.read(page, "outbox", 1), "state": "attention"})
    worker.restart("/")
    worker.wait_ready()
    sign_out(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 entry needs attention: a sync alone does not settle it")
    expect(dialog.get_by_role("button", name="Sync first")).to_have_count(0)
    expect(dialog.get_by_role("button", name="Save as an encrypted file")).to_be_visible()
    dialog.get_by_role("button", name="Repair or look at it").click()
    expect(page.locator(".entry[data-state=attention]")).to_have_count(1)


def test_sync_first_says_what_it_came_to(worker: Device, proxy: FaultProxy) -> None:
    """Without a connection "Sync first" says so, and the person decides anew (R50)."""
    page = worker.page
    worker.new_inspection("Cannot go")
    worker.save()
    proxy.target = None
    sign_out(page)
    page.get_by_role("dialog").get_by_role("button", name="Sync first").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be reached")
    page.get_by_role("dialog").get_by_role("button", name="Stay signed in").click()
    assert 1 == worker.count("outbox")


def test_a_removal_that_was_cut_off_goes_on(worker: Device) -> None:
    """A crash in the middle of signing out: the next start shows nothing, and ends it (R49)."""
    page = worker.page
    page.evaluate("IDBFactory.prototype.deleteDatabase = () => ({})")
    sign_out(page)
    expect(page.get_by_role("heading", name="Signing out")).to_be_visible()
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while stored.read(page, "session", "leaving") is None:
        assert time.monotonic() < deadline
    worker.kill()
    worker.open()
    worker.page.goto(f"{worker.origin}/")
    expect(worker.page.locator("body")).to_contain_text(re.compile("Nothing is left|User name"))
    left = worker.page.evaluate(
        """async () => [(await indexedDB.databases()).length, (await caches.keys()).length,
          (await navigator.serviceWorker.getRegistrations()).length]"""
    )
    assert [0, 0, 0] == left
