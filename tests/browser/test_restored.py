"""The office is put back to a backup while a worker is out, in a browser (R26)."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.device import Device
from browser.office import Office
from browser.proxy import FaultProxy
from browser.window import Window

pytestmark = pytest.mark.browser

NewDesk = Callable[[str], Window]


def test_her_edit_finds_her_record_and_not_the_one_that_got_its_key(
    worker: Device, new_desk: NewDesk, office: Office, proxy: FaultProxy, tmp_path: Path
) -> None:
    """What was forgotten comes back under a new key, with what she changed of it since (R26)."""
    office.stop()
    shutil.copytree(office.data, tmp_path / "backup")
    proxy.target = office.start()
    worker.new_inspection("Forgotten by the office")
    worker.save()
    worker.sync()
    (address,) = made_that_day(worker)

    office.stop()
    shutil.rmtree(office.data)
    shutil.copytree(tmp_path / "backup", office.data)
    proxy.target = office.start()
    desk = new_desk("office")
    desk.new_inspection("Of the desk")
    desk.save()
    expect(desk.page).to_have_url(re.compile(re.escape(desk.origin + address) + r"(\?.*)?$"))

    worker.go(f"{address}/edit")
    worker.page.get_by_label("Score").fill("17")
    worker.save()
    worker.sync()
    assert worker.sync_state() == "clean"

    desk.go(address)
    expect(desk.page.locator("main")).to_contain_text("Of the desk")
    expect(desk.page.locator("main")).not_to_contain_text("17")
    (hers,) = made_that_day(worker)
    assert hers != address
    assert {hers, address} == set(made_that_day(desk))
    for device in (worker, desk):
        device.go(hers)
        expect(device.page.locator("main")).to_contain_text("Forgotten by the office")
        expect(device.page.locator("main")).to_contain_text("17")


def made_that_day(device: Window) -> list[str]:
    """Return where the records are that the form of `new_inspection` makes."""
    device.go("/pages/inspection?q=2026-11-23")
    links = device.page.locator("table.list tbody a")
    links.first.wait_for()
    found: list[str] = links.evaluate_all("all => all.map((link) => link.getAttribute('href'))")
    return found
