"""The state machine without rules: who takes part, what a story begins with, and how it ends."""

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from apps.errands import Errand, Place
from convergence import acts
from convergence.checks import check_story
from convergence.history import PROGRAM, History
from convergence.office import Office
from convergence.worker import Worker
from fieldpost.odp.form.rows import Row

ROUNDS = 2
DEVICES = {"ann's phone": "ann", "ann's tablet": "ann", "bob's phone": "bob"}
device = st.sampled_from(list(DEVICES))
# mostly the same one: only where people meet can anything go wrong
which = st.sampled_from([0, 0, 0, 1, 2])


class Machine(RuleBasedStateMachine):
    """Several devices, somebody online and another program, against one server.

    Rules are in the classes that derive from it. A rule saves through a `Worker`, which takes down
    every envelope, or tells `history` what it did itself; the end checks the rest.
    """

    office: ClassVar[Office]
    told: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.workers: dict[str, Worker] = {}
        self.left_open: dict[str, Any] = {}
        self.history = History()
        self.words = 0
        self.office.empty()
        self.office.run(self._begin)

    def word(self, kind: str = "w") -> str:
        self.words += 1
        return f"{kind}{self.words}"

    def _begin(self, connection: sa.Connection) -> None:
        for code in ("P0", "P1"):
            self.insert(connection, Place, code=code, name=self.word())
        for assignee in ("ann", "ann", "bob"):
            self.insert(connection, Errand, assignee=assignee, title=self.word(), closed=False)

    def insert(self, connection: sa.Connection, model: Any, **values: Any) -> None:
        mark = self.word("m")
        connection.execute(sa.insert(model).values(mark=mark, **values))
        self.history.born(PROGRAM, model.__tablename__, mark, values)

    def worker(self, name: str) -> Worker:
        if name not in self.workers:
            number = list(DEVICES).index(name) + 1
            self.workers[name] = Worker(self.office, DEVICES[name], number, self.saved)
        return self.workers[name]

    def saved(self, envelope: Any) -> None:
        self.history.saved(envelope)
        does = [(o["do"], o["model"], o["key"], o.get("set", {})) for o in envelope["operations"]]
        note(f"    envelope {envelope['number']} of {envelope['device'][-1]}: {does}")

    def edit(self, worker: Worker, opened: Any, what: str) -> None:
        if opened is not None:
            change = self.change(what)
            worker.save(lambda: acts.save_form(worker.home, worker.user, "errand", opened, change))

    def change(self, what: str) -> Callable[[Row], None]:
        if what == "stops":
            return lambda row: acts.tick(row, "P1")
        word = {"badge": "A", "closed": "on"}.get(what) or self.word()
        return lambda row: row.texts.__setitem__(what, word)

    def good(self, report: Any) -> None:
        assert report is not None
        assert report["outcome"] == "done", report
        assert ([], [], False) == (report["repaired"], report["unproven"], report["full"]), report
        doubtful = (report["unknown"], report["unreadable"], report["unverified"])
        assert ([], 0, 0, []) == (*doubtful, report["lacking"]), report

    def teardown(self) -> None:
        """Let everybody synchronise, and compare."""
        try:
            self._end()
        finally:
            for worker in self.workers.values():
                worker.close()

    def _end(self) -> None:
        for round_ in range(ROUNDS):
            for worker in self.workers.values():
                worker.heal()
                if round_ < ROUNDS - 1 and not worker.home.outbox.entries:
                    continue  # nothing to give: taking once, when all have given, is enough
                self.good(worker.synchronise())
        self.told.update(check_story(self.office, self.workers.values(), self.history))
        self.told["sequences"] += 1
