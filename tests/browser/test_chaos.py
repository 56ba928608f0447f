"""Chaos in a real browser: seeded runs of saving and syncing while things are killed and cut.

Safety: what the worker was told is saved is at the office once and whole. Liveness: after the last
fault all of it is there within three syncs. ``FIELDPOST_CHAOS=500`` tells 500 other runs.

R21, R26, R32.
"""

import os
import random
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import expect

from browser.device import Device
from browser.filling import add_finding
from browser.office import Office
from browser.proxy import FaultProxy

pytestmark = pytest.mark.browser

RUNS = int(os.environ.get("FIELDPOST_CHAOS", "1"))
FIRST = 1_000 if "FIELDPOST_CHAOS" in os.environ else 3
STEPS = 5
_ARRIVED = """
    select remarks, (select group_concat(note) from finding where inspection_id = inspection.id)
    from inspection where remarks like 'Chaos %' order by remarks
"""


class Run:
    """One run, with the ledger of what the worker was told."""

    def __init__(self, worker: Device, office: Office, proxy: FaultProxy, seed: int) -> None:
        self.worker, self.office, self.proxy = worker, office, proxy
        self.rng = random.Random(seed)
        self.told: list[str] = []
        self.tried: list[str] = []

    def step(self, number: int) -> None:
        fault = self.rng.choice([self.lose_answer, self.cut, self.kill_office, self.kill_browser])
        self.save(f"Chaos {number}", dies=fault == self.kill_browser and self.rng.random() < 0.5)
        fault()
        self.tap_sync(dies=fault == self.kill_browser)
        self.heal()

    def save(self, remarks: str, *, dies: bool) -> None:
        self.worker.new_inspection(remarks)
        add_finding(self.worker.page, 0, remarks)
        self.worker.page.locator(".child-row").first.get_by_label("Severity").fill("2")
        self.tried.append(remarks)
        if dies:
            self.worker.page.get_by_role("button", name="Save").last.click()
            self.worker.page.wait_for_timeout(self.rng.randint(0, 300))
            self.restart()
            return
        self.worker.save()
        self.told.append(remarks)

    def tap_sync(self, *, dies: bool) -> None:
        if not dies:
            self.worker.sync()
            return
        self.worker.page.evaluate("document.getElementById('sync').click()")
        self.worker.page.wait_for_timeout(self.rng.randint(0, 800))
        self.restart()

    def restart(self) -> None:
        self.worker.kill()
        self.worker.open()
        self.worker.page.goto(self.worker.origin + "/")
        self.worker.wait_ready()

    def lose_answer(self) -> None:
        self.proxy.lose_answer.append("/sync/push")

    def cut(self) -> None:
        self.proxy.target = None

    def kill_office(self) -> None:
        line = self.rng.randint(1, 2)
        self.proxy.on_line = lambda count: self.office.kill() if count == line else None

    def kill_browser(self) -> None:
        """The sync itself is what it dies in."""

    def heal(self) -> None:
        self.proxy.on_line = None
        self.proxy.lose_answer.clear()
        if self.office.process is None:
            self.office.start()
        self.proxy.target = self.office.port


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_what_a_worker_was_told_is_true_whatever_dies(
    worker: Device, office: Office, proxy: FaultProxy, seed: int
) -> None:
    """Browser and server are killed, lines are cut: each told entry is there once, and whole."""
    run = Run(worker, office, proxy, seed)
    for number in range(STEPS):
        run.step(number)
    for _ in range(3):
        worker.sync()
        if worker.sync_state() == "clean":
            break
    assert worker.sync_state() == "clean"
    expect(worker.page.locator("body")).to_have_attribute("data-home", "device")

    with closing(sqlite3.connect(office.data / "fieldpost.sqlite3")) as opened:
        rows = opened.execute(_ARRIVED).fetchall()
    arrived = [remarks for remarks, _ in rows]
    assert sorted(set(arrived)) == arrived
    assert set(run.told) <= set(arrived) <= set(run.tried)
    assert arrived == [notes for _, notes in rows]
