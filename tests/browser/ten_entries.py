"""Ten entries of every kind that a worker makes, and a look whether the office has them all."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page, expect

from browser.device import Device
from browser.filling import add_finding, draw_on_pad
from browser.pictures import png

SCORE = 17
TOOL = "Torque wrench"
NEW = 6
"""How many of the ten make a record; the others change what is there."""

_PICTURES = """
    select json_extract(photos, '$[0].sha256') from finding where note = 'Loose rail at the top'
    union select json_extract(signature, '$.sha256') from inspection where remarks = 'Entry 0'
    order by 1
"""
_MADE = """
    select remarks, count(*) from inspection join finding on inspection_id = inspection.id
    where remarks like 'Entry %' group by inspection.id order by remarks
"""
_TICKED = """
    select count(*) from inspection_equipment join equipment on equipment.id = equipment_id
    where inspection_id = ? and name = ?
"""


class TenEntries:
    """Six new inspections, three changed ones and a deleted one; none of them is sent.

    Args:
        worker: her device.
        data: the folder of the office, which has the records that she changes.
    """

    def __init__(self, worker: Device, data: Path) -> None:
        self.data = data
        worker.go("/pages/inspection")
        links = worker.page.locator("table.list tbody a")
        links.nth(3).wait_for()
        addresses = [str(links.nth(place).get_attribute("href")) for place in range(4)]
        self.keys = [int(address.rpartition("/")[2]) for address in addresses]
        self.before = self._counted()
        for number in range(NEW):
            _save_new(worker, f"Entry {number}", with_pictures=number == 0)
        _save_changes(worker, addresses)

    def _counted(self) -> tuple[int, int, int]:
        """Return how many inspections there are, and of two of them findings and ticks."""
        _, joined, ticked, _ = self.keys
        findings = "select count(*) from finding where inspection_id = ?"
        return (
            self._rows("select count(*) from inspection")[0][0],
            self._rows(findings, joined)[0][0],
            self._rows(_TICKED, ticked, TOOL)[0][0],
        )

    def expect_at_the_office(self, *, since: int = 0) -> None:
        """Look into the office's database: ten envelopes, each with its effect, once.

        Args:
            since: how many inspections were made afterwards.
        """
        ledger = self._rows("select number, outcome from fieldpost_envelope order by number")
        assert [(number, "accepted") for number in range(1, 11)] == ledger[:10]
        others = [(f"Entry {number}", 1) for number in range(1, NEW)]
        assert [("Entry 0", 2), *others] == self._rows(_MADE)
        edited, _, _, deleted = self.keys
        assert [(SCORE,)] == self._rows("select score from inspection where id = ?", edited)
        assert [] == self._rows("select id from inspection where id = ?", deleted)
        inspections, findings, ticks = self.before
        assert (inspections + NEW - 1 + since, findings + 1, 1 - ticks) == self._counted()
        self._expect_pictures()

    def _expect_pictures(self) -> None:
        pictures = self._rows(_PICTURES)
        assert 2 == len(pictures)
        for (sha256,) in pictures:
            content = (self.data / "attachments" / sha256[:2] / sha256).read_bytes()
            assert sha256 == hashlib.sha256(content).hexdigest()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "fieldpost.sqlite3")) as opened:
            return opened.execute(query, values).fetchall()


def add_mild_finding(page: Page, note: str) -> Locator:
    """Add a finding that needs no photo."""
    rows = page.locator(".child-row")
    add_finding(page, rows.count(), note)
    rows.last.get_by_label("Severity").fill("2")
    return rows.last


def photograph(row: Locator, shade: int) -> None:
    """Choose a photo for a finding."""
    picture = FilePayload(name="rail.png", mimeType="image/png", buffer=png(shade=shade))
    row.locator("input[type=file]").set_input_files([picture])
    expect(row.locator(".thumbs img")).to_have_count(1)


def _save_new(worker: Device, remarks: str, *, with_pictures: bool) -> None:
    worker.new_inspection(remarks)
    add_mild_finding(worker.page, "Paint is flaking")
    if with_pictures:
        photograph(add_mild_finding(worker.page, "Loose rail at the top"), shade=120)
        draw_on_pad(worker.page)
        worker.page.get_by_label("Status").select_option(label="Closed")
    worker.save()


def _save_changes(worker: Device, addresses: list[str]) -> None:
    edited, joined, ticked, deleted = addresses
    page = worker.page
    worker.go(f"{edited}/edit")
    page.get_by_label("Score").fill(str(SCORE))
    worker.save()
    worker.go(f"{joined}/edit")
    add_mild_finding(page, "Seen again")
    worker.save()
    worker.go(f"{ticked}/edit")
    page.get_by_role("group", name="Equipment used").get_by_text(TOOL).click()
    worker.save()
    worker.go(f"{deleted}/delete")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted")
