"""Boxes that link rows, in a real browser: under a thumb, offline, and kept (R14, R17, R62)."""

import pytest
from playwright.sync_api import expect

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser


def test_equipment_is_ticked_without_a_signal_and_reaches_the_office(
    worker: Device, office: Office, proxy: FaultProxy
) -> None:
    """Wide boxes tick by their words, drafts and views keep them, a sync brings them in."""
    worker.page.set_viewport_size({"width": 360, "height": 640})
    office.stop()
    proxy.target = None
    worker.context.set_offline(True)
    worker.new_inspection("With tools")
    page = worker.page

    group = page.get_by_role("group", name="Equipment used")
    assert group.get_by_role("checkbox").count() == 12
    for label in group.locator("label").all():
        size = label.bounding_box()
        assert size is not None
        assert (size["height"] >= 48, size["width"] >= 200) == (True, True)
    group.get_by_text("Laser distance meter").click()
    group.get_by_text("Torque wrench").click()
    expect(group.get_by_role("checkbox", checked=True)).to_have_count(2)

    page.wait_for_timeout(600)  # a draft is written 300 ms after the last tap
    page.reload()
    expect(page.get_by_text("Your unsaved entries are back").first).to_be_visible()
    again = page.get_by_role("group", name="Equipment used")
    expect(again.get_by_role("checkbox", checked=True)).to_have_count(2)
    worker.save()
    expect(page.get_by_text("Laser distance meter, Torque wrench")).to_be_visible()

    proxy.target = office.start()
    worker.context.set_offline(False)
    worker.sync()
    assert worker.sync_state() == "clean"
    expect(page.get_by_text("Laser distance meter, Torque wrench")).to_be_visible()
