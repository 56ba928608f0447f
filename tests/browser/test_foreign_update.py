"""Something between answers while an update comes: the device goes on as it is (R7, R22, R56)."""

import json
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from browser.device import Device
from browser.office import Office
from browser.proxy import WELCOME, FaultProxy

pytestmark = pytest.mark.browser

KEPT = "async () => (await caches.keys()).filter((each) => each.startsWith('fieldpost-')).sort()"

Foreign = tuple[int, str, bytes]
FOREIGN: list[Callable[[int], Foreign]] = [
    # a portal; one with a page as long as the file; one that says that it is the file
    lambda _: (200, "text/html", WELCOME),
    lambda size: (200, "text/html", WELCOME + b" " * (size - len(WELCOME))),
    lambda size: (200, "application/zip", b"\0" * size),
    lambda _: (200, "application/zip", b""),
    # a filter that does not know it, and one that is broken
    lambda _: (404, "text/html", b"<h1>Not found</h1>"),
    lambda _: (500, "text/html", b"<h1>Internal error</h1>"),
]


def _wheel(office: Office) -> tuple[str, int, str]:
    """Return path and size of the app's wheel, and the version of which it is."""
    with urllib.request.urlopen(f"http://127.0.0.1:{office.port}/assets/manifest.json") as answer:
        manifest = json.load(answer)
    wheel = manifest["wheels"][-1]
    return wheel["url"], wheel["size"], manifest["version"]


def _works(worker: Device, remarks: str) -> None:
    """Save an entry and send it: the device goes on."""
    worker.new_inspection(remarks)
    worker.save()
    worker.sync()
    assert "clean" == worker.sync_state()


def test_a_foreign_answer_during_an_update_changes_nothing(
    worker: Device, office: Office, newer: Office, proxy: FaultProxy
) -> None:
    """The former version works, restarts and syncs; the update comes by itself later."""
    page = worker.page
    old = page.evaluate(KEPT)
    office.stop()
    try:
        proxy.target = newer.start()
        path, size, version = _wheel(newer)
        for make in FOREIGN:
            asked: list[str] = []
            foreign = make(size)

            def in_place(
                wanted: str, asked: list[str] = asked, foreign: Foreign = foreign
            ) -> Foreign | None:
                if wanted != path:
                    return None
                asked.append(wanted)
                return foreign

            proxy.in_place = in_place
            worker.sync()
            assert "clean" == worker.sync_state()
            _until_asked(page, asked)
            expect(page.get_by_role("button", name="Update")).to_have_count(0)
            expect(page.get_by_role("status")).not_to_have_attribute("data-kind", "problem")
        worker.restart("/")
        worker.wait_ready()
        _works(worker, "With the former version")
        assert old[0] in page.evaluate(KEPT)

        proxy.in_place = lambda _: None
        worker.sync()
        expect(page.get_by_role("button", name="Update")).to_be_visible()
        assert sorted([*old, f"fieldpost-{version}"]) == page.evaluate(KEPT)
    finally:
        newer.stop()
    # a browser itself notes every 404 and 500
    worker.faults[:] = [each for each in worker.faults if "Failed to load resource" not in each]


def _until_asked(page: Page, asked: list[str]) -> None:
    """Wait until the device has given up: attempts that bring nothing are few."""
    for _ in range(300):
        if len(asked) >= 3:
            return
        page.wait_for_timeout(100)
    raise AssertionError("the update was not asked for")
