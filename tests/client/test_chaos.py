"""Chaos on the desk: seeded runs of saving and syncing, with a death or a cut anywhere.

Safety: nothing that the worker was told is saved is lost, doubled or torn. Liveness: after the last
fault everything is settled within three syncs. ``FIELDPOST_CHAOS=500`` tells 500 other runs.

R21, R22, R26, R32.
"""

import asyncio
import copy
import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from client_forms import posted
from fault_points import fault_points
from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from fieldpost_server.accounts.devices import find_device
from fieldpost_server.devices.revocations import revoke_device
from passed_points import passed_points

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("FIELDPOST_CHAOS", "12"))
FIRST = 0 if "FIELDPOST_CHAOS" not in os.environ else 1_000
STEPS = 14
NEW = "/pages/inspection/new"
PATHS = ("/sync/push", "/sync/pull", "/sync/attachments", "/sync/image", "/sync/device")
CLIENT = "pwa/py/fieldpost_client"


class Run:
    """One run: what the worker did, and what she was told."""

    def __init__(self, desk: Any, office: Any, seed: int) -> None:
        self.desk, self.office = desk, office
        self.rng = random.Random(seed)
        self.told: list[str] = []
        self.tried: list[str] = []
        self.pictures: list[str] = []

    def go(self) -> None:
        for number in range(STEPS):
            self.trouble()
            try:
                self.rng.choice([self.save, self.save, self.sync])(number)
            except Crash:
                self.desk.store.crash = {}
                assert self.desk.restart() is not None
            if self.rng.random() < 0.2:
                self.desk.restart()
        self.desk.store.crash, self.desk.store.fail = {}, {}
        self.desk.platform.faults.clear()

    def trouble(self) -> None:
        """Let something go wrong soon."""
        store, rng = self.desk.store, self.rng
        what = rng.random()
        if what < 0.35:
            store.crash = {store.writes + rng.randint(1, 4): rng.choice(["before", "after"])}
        elif what < 0.5:
            name = rng.choice(["QuotaExceededError", "AbortError", "TimeoutError"])
            store.fail = {store.writes + rng.randint(1, 3): name}
        elif what < 0.8:
            kind = rng.choice(["request", "answer"])
            fault = Fault(rng.choice(PATHS), kind, skip=rng.randint(0, 1))
            self.desk.platform.faults.append(fault)
        elif what < 0.9:
            self.desk.platform.faults.append(
                Fault("/sync/push", rng.choice(["lines", "death"]), lines=rng.randint(0, 2))
            )

    def save(self, number: int) -> None:
        remarks = f"Form {number}"
        fields = {**self.desk.form(NEW), "site": "1", "inspected_on": "2026-11-23"}
        fields["remarks"] = remarks
        fields |= {"findings[0]._key": "", "findings[0].severity": "3", "findings[0].note": remarks}
        if self.rng.random() < 0.5:
            content = f"\xff\xd8\xff picture {number}".encode("latin-1")
            sha = self.desk.store.stage(content, "image/jpeg")
            self.pictures.append(sha)
            signature = {"sha256": sha, "size": len(content), "type": "image/jpeg", "name": "p"}
            fields["signature"] = json.dumps(signature)
        self.tried.append(remarks)
        answer = asyncio.run(self.desk.client.request(posted(NEW, fields)))
        if answer["status"] == 303:
            self.told.append(remarks)

    def sync(self, _: int) -> None:
        self.desk.sync()

    def settle(self) -> list[str]:
        """Sync at most three times; return what the device says then."""
        if not self.desk.restart()["ready"]:
            assert "done" == self.desk.download()["outcome"]
        said = []
        for _ in range(3):
            said.append(self.desk.sync()["status"]["state"])
            if said[-1] == "clean":
                break
        return said


@pytest.fixture
def run_of(office: Any, make_desk: Callable[..., Any]) -> Callable[[int], Run]:
    """Return what makes a run on a device that has its data."""

    def make(seed: int) -> Run:
        desk = make_desk()
        assert "done" == desk.download()["outcome"]
        return Run(desk, office, seed)

    return make


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_nothing_is_lost_doubled_or_torn_and_all_settles(
    run_of: Callable[[int], Run], seed: int
) -> None:
    """Deaths and cuts anywhere: what she was told is at the office once, whole, in three syncs."""
    run = run_of(seed)
    run.go()
    said = run.settle()

    assert "clean" == said[-1], said
    arrived = [row.remarks for row in run.office.rows() if row.remarks.startswith("Form ")]
    assert sorted(set(arrived)) == sorted(arrived)
    assert set(run.told) <= set(arrived) <= set(run.tried)
    assert sorted(arrived) == sorted(r for r in run.desk.remarks() if r.startswith("Form "))
    for row in run.office.rows():
        if row.remarks.startswith("Form "):
            assert [row.remarks] == [finding.note for finding in notes_of(run.office, row.id)]


def notes_of(office: Any, inspection: int) -> list[Any]:
    from inspections.models import Finding

    return [f for f in office.rows(Finding) if f.inspection_id == inspection]


def every_write(desk: Any, work: Callable[[], Any], moment: str) -> int:
    """Die at the first write of some work, then at the second, until it goes through."""
    for number in range(1, 40):
        desk.store.crash = {desk.store.writes + number: moment}
        try:
            work()
        except Crash:
            desk.store.crash = {}
            desk.restart()
            continue
        desk.store.crash = {}
        return number - 1
    raise AssertionError("the work never ends")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_death_at_each_write_loses_nothing(
    make_desk: Callable[..., Any], office: Any, moment: str
) -> None:
    """A death before and after each write of a first download, of saving and of syncing."""
    desk = make_desk()
    deaths = every_write(desk, lambda: desk.restart() and desk.download(), moment)
    assert "done" == desk.download()["outcome"]
    deaths += every_write(desk, lambda: desk.add("One"), moment)
    deaths += every_write(desk, desk.sync, moment)
    office.change(1, score=5)
    deaths += every_write(desk, desk.sync, moment)
    deaths += every_write(desk, desk.sync, moment)

    assert "clean" == desk.sync()["status"]["state"]
    assert deaths > 8


def save_with_a_picture(desk: Any, remarks: str) -> None:
    content = f"\xff\xd8\xff {remarks}".encode("latin-1")
    sha256 = desk.store.stage(content, "image/jpeg")
    reference = {"sha256": sha256, "size": len(content), "type": "image/jpeg", "name": "p"}
    desk.add(remarks, signature=json.dumps(reference))


def a_day(desk: Any, office: Any) -> None:
    """Saving with pictures, syncing, a change by the office, and a sync in which nothing is new."""
    desk.download()
    save_with_a_picture(desk, "One")
    desk.sync()
    office.change(1, score=5)
    desk.sync()
    desk.sync()


def a_second_device(desk: Any) -> None:
    """A download that arrives damaged and begins anew, and the pictures of the first."""
    pace = desk.client.sync.contact.down
    pace.smallest = pace.largest = pace.piece = 500
    desk.platform.faults.append(Fault("/sync/image", "request", skip=1, times=99))
    desk.download()
    desk.platform.faults.clear()
    pieces = desk.store.tables["pieces"]
    pieces["incoming-0"] = b"\0" + pieces["incoming-0"][1:]
    desk.download()
    desk.sync()


def a_copy_that_came_back(desk: Any) -> None:
    """The device's own data was put back, and what it sent since is at the office."""
    desk.add("Before the copy")
    before = copy.deepcopy(desk.store.tables)
    desk.sync()
    desk.add("Sent since")
    desk.sync()
    desk.store.tables = before
    desk.restart()
    desk.add("After the copy")
    desk.sync()


def a_lost_name(desk: Any) -> None:
    """The device has lost its id."""
    del desk.store.tables["session"]["device"]
    desk.restart()
    desk.sync()


def an_office_put_back(desk: Any, backup: Any) -> None:
    """The office has forgotten what it had applied."""
    desk.add("Forgotten")
    desk.sync()
    backup.restore(desk)
    desk.sync()


def a_lost_device(desk: Any, office: Any) -> None:
    """A device is revoked with work and a picture, hands both over and is told that it may go."""
    assert "done" == desk.download()["outcome"]
    save_with_a_picture(desk, "Handed over")
    device = desk.home.state.device
    office.write(
        lambda session: revoke_device(session, find_device(session, device), hand_over=True)
    )
    assert asyncio.run(desk.client.synchronise(signed_in=False))["revoked"]
    assert "handed_over" == asyncio.run(desk.client.revocation.hand_over(0))["outcome"]


def test_every_fault_point_of_the_device_is_passed(
    make_desk: Callable[..., Any], office: Any, back_up: Callable[[], Any]
) -> None:
    """Each place where a device's Python may die is come by in a run that loses nothing."""
    with passed_points() as passed:
        first, second = make_desk(), make_desk()
        a_day(first, office)
        a_second_device(second)
        a_copy_that_came_back(first)
        a_lost_name(second)
        an_office_put_back(first, back_up())
        a_lost_device(make_desk(), office)

    every = {point.name for point in fault_points() if point.package == CLIENT}
    assert set() == every - passed
    said = {row.remarks for row in office.rows()}
    told = {"One", "Before the copy", "Sent since", "After the copy", "Forgotten", "Handed over"}
    assert told <= said
    for desk in (first, second):
        assert "clean" == desk.sync()["status"]["state"]
        assert said - {"Of bob"} == set(desk.remarks())


def test_a_point_that_is_not_passed_is_not_in_the_list(desk: Any) -> None:
    """The check can fail: what nobody does is not noted."""
    with passed_points() as passed:
        desk.add("One")

    assert "replica-stored" not in passed
    assert passed
