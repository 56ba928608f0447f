"""Two tabs want to write: only the one that has the data does, and nothing of the other is lost.

R17, R21, R22, R56.
"""

import threading

import pytest
from playwright.sync_api import Page, expect

from browser import stored
from browser.device import Device
from browser.proxy import FaultProxy
from browser.window import SETUP_MS, Window

pytestmark = pytest.mark.browser

KEEPS_ITS_TAB = """() => {
  // a tab that does not hear that another one asks for the data, as a frozen one does
  BroadcastChannel.prototype.postMessage = () => {};
}"""


def in_tab(worker: Device, page: Page) -> Window:
    """Return a window of the same browser that works in another tab."""
    other = Window(worker.origin, width=390, height=780)
    other.context, other.page, other.closed = worker.context, page, True
    return other


@pytest.mark.parametrize("hears", [True, False])
def test_a_tab_that_lost_the_data_saves_nothing_and_keeps_its_form(
    worker: Device, proxy: FaultProxy, *, hears: bool
) -> None:
    """A sync is slow, a second tab takes over, both save: nothing is lost or overwritten (R21)."""
    page = worker.page
    worker.new_inspection("Before")
    worker.save()
    go_on = threading.Event()
    proxy.hold = ("/sync/", go_on)
    try:
        page.evaluate("document.getElementById('sync').click()")
        worker.new_inspection("Typed in the first tab")
        worker.until_count("drafts", 1)
        second = worker.context.new_page()
        second.goto(f"{worker.origin}/pages/inspection")
        if not hears:
            second.evaluate(KEEPS_ITS_TAB)
        second.get_by_role("button", name="Use it here").click()
        expect(second.locator("table.list")).to_be_visible(timeout=SETUP_MS)

        expect(page.get_by_text("is kept as a draft")).to_be_visible()
        other = in_tab(worker, second)
        other.go("/pages/inspection/new")
        expect(second.locator("#draft-note")).to_be_visible()
        expect(second.get_by_label("Remarks")).to_have_value("Typed in the first tab")
        other.save()
    finally:
        go_on.set()
        proxy.hold = None
    assert [True, True] == [stored.read(second, "outbox", n) is not None for n in (1, 2)]
    other.sync()
    assert other.sync_state() == "clean"


def test_whoever_lost_the_data_is_refused_by_the_store_itself(worker: Device) -> None:
    """Also a tab that never hears of it cannot write, says so, and keeps its form (R22)."""
    page = worker.page
    worker.new_inspection("Mine")
    stored.put(page, "session", "generation", 1_000_000)
    page.get_by_role("button", name="Save").last.click()

    expect(page.locator("main")).to_contain_text("opened in another tab")
    expect(page.get_by_label("Remarks")).to_have_value("Mine")
    assert 0 == worker.count("outbox")
    worker.until_count("drafts", 1)
