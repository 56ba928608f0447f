"""Chaos on the desk: seeded runs of saving and syncing, with a death or a cut anywhere.

Safety: nothing that the worker was told is saved is lost, doubled or torn. Liveness: after the last
fault everything is settled within three syncs. ``FIELDPOST_CHAOS=500`` tells 500 other runs.

R21, R22, R26, R32.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client_forms import posted
from fault_points import FaultPoint, fault_points
from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash, HostStore

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("FIELDPOST_CHAOS", "12"))
FIRST = 0 if "FIELDPOST_CHAOS" not in os.environ else 1_000
STEPS = 14
NEW = "/pages/inspection/new"
CLIENT = "pwa/py/fieldpost_client"
PATHS = ("/sync/push", "/sync/pull", "/sync/attachments", "/sync/image", "/sync/device")

ELSEWHERE = {
    "enrolled-anew": "tests/client/sync/test_enrolment.py dies there",
    "named-anew-unregistered": "tests/client/test_damage.py restarts after it",
    "recalled-stored": "tests/client/test_restored.py dies there",
    "server-keys-stored": "no key changes in these runs: tests/client/sync/test_server_keys.py",
    "cursor-noted": "no run of these has an office in which nothing happens",
    "damaged-download-forgotten": "nothing is damaged here: tests/client/sync/test_slow_line.py",
}
"""Fault points that these runs do not come by, each with where it is tried instead."""


def writing_points() -> list[FaultPoint]:
    """Return the fault points of the device's Python that stand beside a write to the store."""
    found = []
    for point in fault_points():
        source = Path(__file__).parents[2] / point.path
        near = source.read_text("utf-8").splitlines()[max(point.line - 8, 0) : point.line + 12]
        if point.package == CLIENT and any("store.write(" in line for line in near):
            found.append(point)
    return found


class Mortal(HostStore):
    """A store that notes which fault points its writes are next to, and dies when it is told."""

    def __init__(self, points: list[FaultPoint]) -> None:
        super().__init__()
        self.points = points
        self.hit: set[str] = set()

    async def write(self, operations: Any) -> None:
        """Write as ever; note where the writer stands."""
        frame: Any = sys._getframe(1)
        code = frame.f_code
        lines = [n for _, _, n in code.co_lines() if n]
        if code.co_filename.endswith(".py"):
            self.hit |= {
                p.name
                for p in self.points
                if code.co_filename.endswith(p.path) and min(lines) - 8 <= p.line <= max(lines) + 8
            }
        await super().write(operations)


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
        desk.platform.store = Mortal(writing_points())
        desk.restart()
        assert "done" == desk.download()["outcome"]
        return Run(desk, office, seed)

    return make


HIT: set[str] = set()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_nothing_is_lost_doubled_or_torn_and_all_settles(
    run_of: Callable[[int], Run], seed: int
) -> None:
    """Deaths and cuts anywhere: what she was told is at the office once, whole, in three syncs."""
    run = run_of(seed)
    run.go()
    said = run.settle()
    HIT.update(run.desk.store.hit)

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
def test_every_fault_point_beside_a_write_is_come_by(
    run_of: Callable[[int], Run], moment: str
) -> None:
    """A death before and after each write of a first download, of saving and of syncing."""
    run = run_of(1)
    desk = run.desk
    fresh = Mortal(writing_points())
    desk.platform.store = fresh
    desk.restart()
    deaths = every_write(desk, lambda: desk.restart() and desk.download(), moment)
    assert "done" == desk.download()["outcome"]

    deaths += every_write(desk, lambda: desk.add("One"), moment)
    deaths += every_write(desk, desk.sync, moment)
    run.office.change(1, score=5)
    deaths += every_write(desk, desk.sync, moment)
    deaths += every_write(desk, desk.sync, moment)

    assert "clean" == desk.sync()["status"]["state"]
    assert deaths > 8
    expected = {p.name for p in writing_points()} - ELSEWHERE.keys()
    assert set() == expected - fresh.hit
