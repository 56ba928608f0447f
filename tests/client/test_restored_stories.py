"""Random stories of an office that is put back while devices and people online work on.

The remarks of each record say which one it is, and its score is only ever set to the same number:
whatever happens, no other number may stand beside it.
"""

import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from fieldpost_client.platform.host import Fault
from fieldpost_client.platform.memory import Crash
from fieldpost_server.restore.timelines import begin_timeline
from fieldpost_server.scope.replication_plan import captured_tables
from inspections.app import app as inspections
from inspections.models import Inspection

pytestmark = pytest.mark.long

STORIES = 12
_CALLS = ("/sync/push", "/sync/device", "/sync/pull", "/sync/image")


class Story:
    """Several devices of one worker, others online, and what they do at random."""

    def __init__(self, office: Any, desks: list[Any], seed: int) -> None:
        self.office, self.desks = office, desks
        self.random = random.Random(seed)
        self.number = 0
        self.open: list[tuple[Any, str, dict[str, str]]] = []

    def next(self) -> str:
        self.number += 1
        return f"R{self.number}"

    def steps(self, most: int) -> None:
        doings = [self.add, self.add, self.edit, self.edit, self.edit, self.save_late]
        doings += [self.sync, self.sync, self.sync, self.add_online, self.delete_online]
        for _ in range(self.random.randrange(3, most)):
            self.random.choice(doings)(self.random.choice(self.desks))

    def add(self, desk: Any) -> None:
        desk.add(self.next())

    def edit(self, desk: Any) -> None:
        rows = [row for row in desk.rows() if row.remarks.startswith("R")]
        if not rows:
            return
        path = f"/pages/inspection/records/{self.random.choice(rows).id}/edit"
        form = desk.form(path)
        form["score"] = form["remarks"][1:]
        if self.random.random() < 0.2:
            self.open.append((desk, path, form))
        else:
            desk.post(path, form)

    def save_late(self, _: Any) -> None:
        if self.open:
            desk, path, form = self.open.pop()
            desk.post(path, form)

    def sync(self, desk: Any) -> None:
        trouble = self.random.random()
        if trouble < 0.15:
            kind, skip = self.random.choice(["request", "answer"]), self.random.randrange(2)
            desk.platform.faults = [Fault(self.random.choice(_CALLS), kind, skip=skip)]
        elif trouble < 0.3:
            write = desk.store.writes + self.random.randrange(1, 9)
            desk.store.crash = {write: self.random.choice(["before", "after"])}
        try:
            desk.sync()
        except Crash:
            desk.restart()
        desk.platform.faults, desk.store.crash = [], {}

    def add_online(self, _: Any = None) -> None:
        values = {"site_id": 1, "inspected_on": date(2026, 11, 23), "assignee": "ann"}
        row = Inspection(**values, remarks=self.next())
        self.office.write(lambda session: session.add(row))

    def delete_online(self, _: Any) -> None:
        if keys := [row.id for row in self.office.rows() if row.remarks.startswith("R")]:
            gone = sa.delete(Inspection).where(Inspection.id == self.random.choice(keys))
            self.office.write(lambda session: session.execute(gone))

    def put_back(self, backup: Any, *, told: bool) -> None:
        backup.restore(*self.desks)
        if told:
            self.office.write(lambda s: begin_timeline(s, captured_tables(inspections)))
        for _ in range(self.random.randrange(3)):
            self.add_online()

    def check(self) -> None:
        for _ in range(3):
            for desk in self.desks:
                desk.sync()
        found = [(r.remarks, r.score) for r in self.office.rows() if r.remarks.startswith("R")]
        assert [] == [each for each in found if each[1] not in (None, int(each[0][1:]))]
        assert len(found) == len({remarks for remarks, _ in found})


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("seed", range(STORIES))
def test_no_work_reaches_the_record_of_another(
    make_desk: Callable[..., Any],
    office: Any,
    back_up: Callable[[], Any],
    seed: int,
    *,
    told: bool,
) -> None:
    """Nothing is mixed up or doubled, put back once or twice, cut off or not (R21, R26, R31)."""
    story = Story(office, [make_desk("ann") for _ in range(1 + seed % 3)], seed)
    for desk in story.desks:
        desk.download()
    story.steps(8)
    backup = back_up()
    if not told:
        # what none of its own envelopes proves a device cannot report
        for desk in story.desks:
            desk.add(story.next())
            desk.sync()
    story.steps(16)
    story.put_back(backup, told=told)
    story.steps(16)
    if seed % 4 == 0:
        story.put_back(backup, told=told)
        story.steps(12)
    story.check()
