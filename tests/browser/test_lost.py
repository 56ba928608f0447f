"""A lost device, from the administrator's page to the last file of the browser (R46, R49, R52)."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser import stored
from browser.device import Device
from browser.proxy import FaultProxy
from browser.window import SETUP_MS, Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "lost-device.md"
MARK = "Zwiebelkuchen4711"
"""Stands in whatever the worker saves or types: no file of the browser may hold it afterwards."""

STEPS = [
    "The administrator finds the device.",
    "She revokes it, and decides about its work.",
    "Its sessions end at once.",
    "Without a connection nothing happens on the device yet.",
    "A network that answers in the office's place wipes nothing.",
    "At its next contact the device hands its work over.",
    "Then it wipes itself, and says what happened.",
    "The list shows that it is wiped.",
    "The work goes on elsewhere.",
]
"""Those of the page, see `test_the_page_has_the_steps_that_are_played_through`."""


def test_the_page_has_the_steps_that_are_played_through() -> None:
    """`docs/lost-device.md` says what the test does, step by step, and nothing else."""
    text = DOCUMENT.read_text("utf-8")
    listed = text.partition("<!-- steps")[2].partition("<!-- end of steps")[0]

    assert STEPS == re.findall(r"^\d+\. \*\*(.+?)\*\*", listed, re.MULTILINE)
    assert "tests/browser/test_lost.py" in text


def revoke(desk: Page, origin: str, work: str) -> None:
    desk.goto(f"{origin}/devices?q=worker1")
    desk.locator("details.asked > summary").click()
    desk.get_by_role("radio", name=work).check()
    desk.locator("details.asked button[type=submit]").click()
    expect(desk.locator(".badge")).to_have_text("Revoked")


def left_on(page: Page) -> list[int]:
    """Return how many databases, caches, service workers and stored values there are."""
    found: list[int] = page.evaluate(
        """async () => [(await indexedDB.databases()).length, (await caches.keys()).length,
          (await navigator.serviceWorker.getRegistrations()).length,
          localStorage.length, sessionStorage.length]"""
    )
    return found


def files_with(profile: Path, mark: str) -> list[str]:
    """Return the files of a browser's profile that hold a text, as bytes of UTF-8 or UTF-16."""
    wanted = [mark.encode(), mark.encode("utf-16-le")]
    found = []
    for path in sorted(profile.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if any(each in content for each in wanted):
                found.append(path.relative_to(profile).as_posix())
    return found


class Lost:
    """The worker's device, the administrator's desk, and the line between device and office."""

    def __init__(self, worker: Device, desk: Page, proxy: FaultProxy) -> None:
        self.worker, self.desk, self.proxy = worker, desk, proxy
        self.office = proxy.target

    @property
    def page(self) -> Page:
        return self.worker.page

    def find(self) -> None:
        self.desk.goto(f"{self.worker.origin}/devices?q=worker1")
        expect(self.desk.locator(".entry")).to_have_count(1)
        expect(self.desk.locator(".entry")).to_contain_text("It told")
        expect(self.desk.locator(".entry")).to_contain_text(re.compile("storage: .* used"))

    def revoke(self) -> None:
        revoke(self.desk, self.worker.origin, "It hands that over first")
        expect(self.desk.locator(".entry")).to_contain_text("after it has handed over its work")

    def look_for_sessions(self) -> None:
        self.desk.goto(f"{self.worker.origin}/people?user=worker1")
        expect(self.desk.locator("main")).to_contain_text("Nobody is signed in")

    def go_on_without_a_connection(self) -> None:
        self.proxy.target = None
        self.worker.restart("/pages/inspection")
        self.worker.wait_ready()
        assert (1, 1) == (self.worker.count("outbox"), self.worker.count("drafts"))
        self.proxy.target = self.office

    def meet_foreign_answers(self) -> None:
        order = {"kind": "wipe", "hand_over": False, "device": "d-1", "signature": "AAAA"}
        said = {"code": "device_revoked", "path": "", "message": "No.", "detail": {"order": order}}
        body = json.dumps({"error": {**said, "problems": [said]}}).encode()
        self.proxy.in_place = lambda path: (
            (403, "application/json", body) if path.startswith("/sync/") else None
        )
        self.worker.sync()
        self.proxy.in_place = lambda _: None
        self.proxy.is_portal = lambda _: True
        self.worker.sync()
        self.proxy.is_portal = lambda _: False
        assert (1, 1) == (self.worker.count("outbox"), self.worker.count("drafts"))

    def hand_over(self) -> None:
        again = "Try again now"
        first = ["/sync/push"]

        def is_cut(path: str) -> bool:
            # the first is the sync's own, which is answered with the order
            return path == "/sync/push" and not (first and first.pop())

        self.proxy.is_cut = is_cut
        self.page.get_by_role("button", name=re.compile("^Sync")).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(
            "This device was revoked", timeout=30_000
        )
        expect(self.page.get_by_role("button", name=again)).to_be_visible(timeout=60_000)
        # said before it is gone: nothing is removed yet
        expect(self.page.locator("main")).to_contain_text(
            "One form that was filled in and not saved cannot be handed over"
        )
        assert MARK not in self.page.content()
        self.worker.kill()
        self.worker.open()
        self.page.goto(f"{self.worker.origin}/pages/inspection")
        expect(self.page.get_by_role("heading", level=1)).to_have_text(
            "This device was revoked", timeout=30_000
        )
        assert MARK not in self.page.content()
        self.proxy.is_cut = lambda _: False

    def be_told(self) -> None:
        said = self.page.locator("main")
        expect(said).to_contain_text("One entry was handed over to the office", timeout=SETUP_MS)
        expect(said).to_contain_text("One thing that the office did not have is gone")
        assert [0, 0, 0, 0, 0] == left_on(self.page)
        self.worker.close()
        assert [] == files_with(self.worker.profile, MARK)

    def look_at_the_list(self) -> None:
        self.desk.goto(f"{self.worker.origin}/devices?q=worker1")
        expect(self.desk.locator(".badge")).to_have_text("Wiped")
        expect(self.desk.locator(".entry")).to_contain_text("it handed over 1 entry")
        expect(self.desk.locator(".entry")).to_contain_text("1 thing it could not")

    def find_the_work(self) -> None:
        self.desk.goto(f"{self.worker.origin}/envelopes?show=all")
        self.desk.locator(".entry a").first.click()
        expect(self.desk.locator("main")).to_contain_text(f"Saved {MARK}")


def test_a_device_is_lost(worker: Device, new_desk: NewDesk, proxy: FaultProxy) -> None:
    """The page *A device is lost* (`docs/lost-device.md`), played through (R46, R49, R52)."""
    worker.new_inspection(f"Saved {MARK}")
    worker.save()
    worker.new_inspection(f"Only typed {MARK}")
    worker.until_count("drafts", 1)
    lost = Lost(worker, new_desk("admin").page, proxy)
    plays = [
        lost.find,
        lost.revoke,
        lost.look_for_sessions,
        lost.go_on_without_a_connection,
        lost.meet_foreign_answers,
        lost.hand_over,
        lost.be_told,
        lost.look_at_the_list,
        lost.find_the_work,
    ]
    for name, play in zip(STEPS, plays, strict=True):
        print(f"step: {name}")
        play()


def test_a_device_in_wrong_hands_hands_over_nothing(
    worker: Device, new_desk: NewDesk, proxy: FaultProxy
) -> None:
    """It wipes itself at once, its session's cookie gone; a crash in between is gone on with."""
    page = worker.page
    worker.new_inspection(f"Junk {MARK}")
    worker.save()
    desk = new_desk("admin").page
    revoke(desk, worker.origin, "It hands over nothing")
    worker.context.clear_cookies()
    page.evaluate("IDBFactory.prototype.deleteDatabase = () => ({})")
    page.get_by_role("button", name=re.compile("^Sync")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "This device was revoked", timeout=30_000
    )
    deadline = time.monotonic() + 20
    while stored.read(page, "session", "leaving") is None:
        assert time.monotonic() < deadline
    worker.kill()
    proxy.target, office = None, proxy.target
    worker.open()
    page = worker.page
    page.goto(f"{worker.origin}/")
    expect(page.locator("main")).to_contain_text("Nothing was handed over", timeout=30_000)
    assert [0, 0, 0, 0, 0] == left_on(page)
    # the office is told at the next contact, whatever that is
    proxy.target = office
    page.goto(f"{worker.origin}/")
    worker.close()
    desk.reload()
    expect(desk.locator(".badge")).to_have_text("Wiped")
    desk.goto(f"{worker.origin}/envelopes?show=all")
    expect(desk.locator(".entry")).to_have_count(0)
    assert [] == files_with(worker.profile, MARK)
