"""Chaos in a real browser: seeded runs while things are killed and cut, and the store fails.

Safety: what the worker was told is saved is at the office once and whole. Liveness: after the last
fault all of it is there within three syncs. ``FIELDPOST_CHAOS=500`` tells 500 other runs.

R21, R26, R32.
"""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from browser.device import Device
from browser.filling import add_finding
from browser.office import Office
from browser.proxy import FaultProxy
from browser.store_faults import CACHES, FAULTS, FOR_EVER, StoreFault, mend
from browser.window import SETUP_MS

pytestmark = pytest.mark.browser

RUNS = int(os.environ.get("FIELDPOST_CHAOS", "1"))
FIRST = 1_000 if "FIELDPOST_CHAOS" in os.environ else 3
STEPS = 5
CACHE_CALLS = 40
TAP_AGAIN = """() => void setTimeout(() => [...document.querySelectorAll("button")]
  .find((each) => each.textContent === "Try again")?.click())"""
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
        self.faults: list[tuple[StoreFault, int]] = []

    def step(self, number: int) -> None:
        if self.rng.random() < 0.5:
            self.step_with_a_store_fault(
                f"Chaos {number}", StoreFault.chosen(self.rng), in_save=self.rng.random() < 0.5
            )
            return
        fault = self.rng.choice([self.lose_answer, self.cut, self.kill_office, self.kill_browser])
        self.save(f"Chaos {number}", dies=fault == self.kill_browser and self.rng.random() < 0.5)
        fault()
        self.tap_sync(dies=fault == self.kill_browser)
        self.heal()

    def step_with_a_store_fault(self, remarks: str, fault: StoreFault, *, in_save: bool) -> None:
        """The store fails somewhere in saving or syncing; it is mended, and she tries again."""
        page = self.worker.page
        self.fill_in(remarks)
        if in_save:
            fault.begin(page)
            page.get_by_role("button", name="Save").last.click()
            said = page.locator(".problem-summary, #status:not(:empty)").first
            expect(said).to_be_visible()
        thrown = 0
        if not page.get_by_role("status").filter(has_text="Saved").is_visible():
            thrown = mend(page)
            self.worker.save()
        self.told.append(remarks)
        if not in_save:
            fault.begin(page)
        self.worker.sync()
        thrown += mend(page)
        self.faults.append((fault, thrown))
        self.worker.faults.clear()  # the console says, too, what was thrown

    def fill_in(self, remarks: str) -> None:
        self.worker.new_inspection(remarks)
        add_finding(self.worker.page, 0, remarks)
        self.worker.page.locator(".child-row").first.get_by_label("Severity").fill("2")
        self.tried.append(remarks)

    def save(self, remarks: str, *, dies: bool) -> None:
        self.fill_in(remarks)
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
    try:
        for number in range(STEPS):
            run.step(number)
    finally:
        print(*run.faults, sep="\n")
    expect_all_arrived(run)


@pytest.mark.parametrize("in_save", [True, False], ids=["save", "sync"])
def test_every_fault_of_the_store_is_survived(
    worker: Device, office: Office, proxy: FaultProxy, *, in_save: bool
) -> None:
    """Each comes with the first call and stays; mended, all is as the worker was told (R22)."""
    run = Run(worker, office, proxy, seed=0)
    for kind in FAULTS:
        fault = StoreFault(kind, first=1, times=FOR_EVER, in_worker=True)
        run.step_with_a_store_fault(f"Chaos {kind}", fault, in_save=in_save)

    assert [] == [fault for fault, thrown in run.faults if not thrown]
    expect_all_arrived(run)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_a_first_start_arrives_whatever_the_caches_throw(
    new_device: Callable[..., Device], seed: int
) -> None:
    """A full disk and a cache that fails now and then cost time, and words: then it is there."""
    worker = new_device()
    worker.context.add_init_script(f"{CACHES}([{seed + 1}, {CACHE_CALLS}])")
    worker.sign_in("worker1")
    menu = worker.page.get_by_role("navigation", name="Pages")
    again = worker.page.get_by_role("button", name="Try again")
    for _ in range(CACHE_CALLS):
        expect(menu.or_(again).first).to_be_visible(timeout=SETUP_MS)
        if menu.is_visible():
            break
        worker.page.evaluate(TAP_AGAIN)
        worker.page.wait_for_timeout(500)
    worker.faults.clear()  # the console says, too, what was thrown
    worker.restart("/")
    worker.wait_ready()


def expect_all_arrived(run: Run) -> None:
    """Sync up to three times; then what was told is at the office, once and whole."""
    worker, office = run.worker, run.office
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
