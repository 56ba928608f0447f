"""A device without contact for too long is locked, whatever its clock says (R49)."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser import stored
from browser.device import Device
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser

HOUR = 3_600_000
DAY = 24 * HOUR
IS_OVER = """async (cases) => {
  const { urls } = await (await fetch("/assets/manifest.json")).json();
  const { isOver } = await import(urls["shell/leaving/locked.js"]);
  return cases.map(([contact, now, longest]) => isOver(contact, now, longest));
}"""
CASES: list[tuple[str, tuple[int, int, bool], int, bool]] = [
    ("just now", (0, 0, False), 0, False),
    ("within the time", (0, 0, False), DAY, False),
    ("over", (0, 0, False), DAY + 1, True),
    ("put back after it was over", (0, DAY + 1, False), 0, True),
    ("put back, before it was over", (0, DAY, False), DAY - 2 * HOUR, True),
    ("put back before the contact", (0, 0, False), -2 * HOUR, True),
    ("put right by minutes", (0, HOUR, False), HOUR - 300_000, False),
    ("put forward", (0, 0, False), 400 * DAY, True),
    ("put forward and back again", (0, 400 * DAY, False), HOUR, True),
    ("locked, at any time", (0, 0, True), 0, True),
    ("locked, and put back", (0, DAY + 1, True), 1, True),
]


def lock_after(page: Page, seconds: int) -> None:
    """Have the office allow so much, as it says in the settings of the device."""
    settings = stored.read(page, "session", "settings")
    stored.put(page, "session", "settings", {**settings, "lock_after_s": seconds})


def contact(page: Page, **parts: Any) -> None:
    now = int(time.time() * 1000)
    known = {"at": now, "seen": now, "isLocked": False}
    moved = {name: now + part if name != "isLocked" else part for name, part in parts.items()}
    stored.put(page, "session", "contact", {**known, **moved})


def test_no_clock_opens_what_is_locked(worker: Device) -> None:
    """Put forward, put back, or both: what was without contact for too long stays closed."""
    begin = 1_700_000_000_000
    cases = [
        [{"at": begin + at, "seen": begin + seen, "isLocked": locked}, begin + now, DAY]
        for _, (at, seen, locked), now, _ in CASES
    ]
    found = worker.page.evaluate(IS_OVER, cases)

    assert {name: over for name, *_, over in CASES} == dict(
        zip([name for name, *_ in CASES], found, strict=True)
    )


def test_a_device_without_contact_is_locked_until_its_user_signs_in(
    worker: Device, proxy: FaultProxy
) -> None:
    """It shows nothing and loses nothing; a contact alone does not open it, a sign-in does."""
    page = worker.page
    worker.new_inspection("Nobody sees this")
    worker.save()
    lock_after(page, 3600)
    contact(page, at=-2 * HOUR)
    office, proxy.target = proxy.target, None
    for _ in range(2):
        page.goto(f"{worker.origin}/pages/inspection")
        expect(page.get_by_role("heading")).to_have_text("This device is locked")
        assert "Nobody sees this" not in page.content()
        # the clock is put back; it stays locked
        locked = stored.read(page, "session", "contact")
        stored.put(page, "session", "contact", {**locked, "at": locked["seen"]})
    page.get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("demo")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("cannot be reached")
    proxy.target = office
    dialog.get_by_role("button", name="Sign in").click()
    worker.wait_ready()
    assert 1 == worker.count("outbox")
    worker.restart("/pages/inspection")
    worker.wait_ready()


def test_it_locks_while_it_is_open(worker: Device) -> None:
    """What is shown when the time is over goes, and what was typed is kept (R17)."""
    page = worker.page
    worker.new_inspection("Half a sentence")
    worker.until_count("drafts", 1)
    lock_after(page, 3600)
    contact(page, at=-2 * HOUR)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("heading")).to_have_text("This device is locked")
    assert "Half a sentence" not in page.content()
    assert 1 == worker.count("drafts")


def test_most_apps_lock_nothing(worker: Device) -> None:
    """Without the setting a device opens after months (R1)."""
    contact(worker.page, at=-400 * DAY, seen=-400 * DAY)
    worker.restart("/pages/inspection")
    expect(worker.page.get_by_role("heading")).to_have_text("Inspections")
