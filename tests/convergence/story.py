"""The state machine: what may happen, in words that a failure prints as a script."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from apps.errands import CHIEF, Errand, Item, Memo, Place
from convergence import acts
from convergence.checks import check_story
from convergence.history import PROGRAM, History
from convergence.office import Office
from convergence.worker import Worker
from fieldpost.odp.processor import Processed
from fieldpost.odp.rows import Row
from fieldpost.users import User
from fieldpost_client.platform.host import Fault
from fieldpost_server import tables

ROUNDS = 2
DEVICES = {"ann's phone": "ann", "ann's tablet": "ann", "bob's phone": "bob"}
TROUBLES = {
    "push is lost": Fault("/sync/push", "request"),
    "answer to push is lost": Fault("/sync/push", "answer"),
    "answer to push breaks off after 1 line": Fault("/sync/push", "lines", lines=1),
    "server dies after 1 line": Fault("/sync/push", "death", lines=1),
    "pull is lost": Fault("/sync/pull", "request"),
    "answer to pull is lost": Fault("/sync/pull", "answer"),
}
device = st.sampled_from(list(DEVICES))
# mostly the same one: only where people meet can anything go wrong
which = st.sampled_from([0, 0, 0, 1, 2])


class Story(RuleBasedStateMachine):
    """Several devices, somebody online and another program, against one server."""

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
        self._insert(connection, Place, code="P1", name=self.word())
        for assignee in ("ann", "ann", "bob"):
            self._insert(connection, Errand, assignee=assignee, title=self.word(), closed=False)

    def _insert(self, connection: sa.Connection, model: Any, **values: Any) -> None:
        mark = self.word("m")
        connection.execute(sa.insert(model).values(mark=mark, **values))
        self.history.born(PROGRAM, model.__tablename__, mark, values)

    def worker(self, name: str) -> Worker:
        if name not in self.workers:
            number = list(DEVICES).index(name) + 1
            self.workers[name] = Worker(self.office, DEVICES[name], number, self._saved)
        return self.workers[name]

    def _saved(self, envelope: Any) -> None:
        self.history.saved(envelope)
        does = [(o["do"], o["model"], o["key"], o.get("set", {})) for o in envelope["operations"]]
        note(f"    envelope {envelope['number']} of {envelope['device'][-1]}: {does}")

    # on a device

    @rule(device=device, badge=st.sampled_from(["", "A", "B"]), items=st.integers(0, 2))
    def adds_errand(self, device: str, badge: str, items: int) -> None:
        """Save a new errand with items, at the known place, after the first errand there is."""
        worker, mark = self.worker(device), self.word("m")

        def fill(row: Row) -> None:
            row.texts |= {"mark": mark, "title": self.word(), "badge": badge, "place": "P1"}
            first = acts.open_form(worker.home, "errand", 0)
            row.texts["after"] = str(first["key"][0]) if first and items else ""
            for _ in range(items):
                acts.add_item(row, self.word(f"{mark}.i"), self.word())

        worker.save(lambda: acts.add_record(worker.home, worker.user, "errand", fill))

    @rule(device=device, which=which, what=st.sampled_from(["title", "note", "badge", "closed"]))
    def edits(self, device: str, which: int, what: str) -> None:
        """Change one field of an errand."""
        worker = self.worker(device)
        self._edit(worker, acts.open_form(worker.home, "errand", which), what)

    def _edit(self, worker: Worker, opened: Any, what: str) -> None:
        if opened is not None:
            change = self._change(what)
            worker.save(lambda: acts.save_form(worker.home, worker.user, "errand", opened, change))

    def _change(self, what: str) -> Callable[[Row], None]:
        word = {"badge": "A", "closed": "on"}.get(what) or self.word()
        return lambda row: row.texts.__setitem__(what, word)

    @rule(device=device, which=which, does=st.sampled_from(["add", "edit", "delete"]))
    def edits_items(self, device: str, which: int, does: str) -> None:
        """Add an item to an errand; change or delete its first."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, "errand", which)
        if opened is None:
            return

        def change(row: Row) -> None:
            if does == "add" or not row.lists["items"]:
                acts.add_item(row, self.word(f"{opened['values']['mark']}.i"), self.word())
            elif does == "edit":
                row.lists["items"][0].texts["name"] = self.word()
            else:
                row.lists["items"][0].deleted = True

        worker.save(lambda: acts.save_form(worker.home, worker.user, "errand", opened, change))

    @rule(device=device, model=st.sampled_from(["errand", "memo"]), which=which)
    def deletes(self, device: str, model: str, which: int) -> None:
        """Delete a record."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, model, which)
        if opened is not None:
            worker.save(lambda: acts.delete_record(worker.home, worker.user, model, opened))

    @rule(device=device, which=which)
    def adds_memo(self, device: str, which: int) -> None:
        """Write a memo on an errand, which may be new here itself."""
        worker = self.worker(device)
        about = acts.open_form(worker.home, "errand", which)
        texts = {"mark": self.word("m"), "text": self.word()}
        texts["errand"] = str(about["key"][0]) if about else ""
        worker.save(
            lambda: acts.add_record(
                worker.home, worker.user, "memo", lambda row: row.texts.update(texts)
            )
        )

    @rule(device=device, code=st.sampled_from(["P2", "P3"]))
    def adds_place(self, device: str, code: str) -> None:
        """Add a place under a code that others may choose as well."""
        worker, texts = self.worker(device), {"mark": self.word("m"), "name": self.word()}
        texts["code"] = code
        worker.save(
            lambda: acts.add_record(
                worker.home, worker.user, "place", lambda row: row.texts.update(texts)
            )
        )

    @rule(device=device, which=which)
    def opens_a_form(self, device: str, which: int) -> None:
        """Open an errand and put the device into the pocket."""
        self.left_open[device] = acts.open_form(self.worker(device).home, "errand", which)

    @rule(device=device, what=st.sampled_from(["title", "note"]))
    def saves_the_form_left_open(self, device: str, what: str) -> None:
        """Save it, whatever has happened since."""
        self._edit(self.worker(device), self.left_open.pop(device, None), what)

    @rule(device=device, moment=st.sampled_from(["before", "after", "full"]))
    def saves_with_a_failing_store(self, device: str, moment: str) -> None:
        """The power is cut before or after the write of a save, or the store is full."""
        worker = self.worker(device)
        store = worker.road.store
        if moment == "full":
            store.fail = {store.writes + 1: "QuotaExceededError"}
        else:
            store.crash = {store.writes + 1: moment}
        self._edit(worker, acts.open_form(worker.home, "errand", 0), "note")
        worker.heal()

    @rule(device=device)
    def restarts(self, device: str) -> None:
        """Begin anew from the store."""
        self.worker(device).restart()

    # on the road

    @rule(device=device, disorder=st.sampled_from(["", "reversed", "doubled", "twice"]))
    def syncs(self, device: str, disorder: str) -> None:
        """Sync, with the push in order or not."""
        worker = self.worker(device)
        worker.road.disorder = disorder
        self._good(worker.synchronise())
        worker.heal()

    @rule(
        device=device,
        trouble=st.sampled_from(list(TROUBLES)),
        disorder=st.sampled_from(["", "reversed", "twice"]),
    )
    def syncs_badly(self, device: str, trouble: str, disorder: str) -> None:
        """Sync over a connection that breaks."""
        worker, fault = self.worker(device), TROUBLES[trouble]
        worker.road.disorder = disorder
        worker.road.faults = [Fault(fault.path, fault.kind, fault.lines)]
        report = worker.synchronise()
        assert report is not None
        assert report["outcome"] in ("done", "offline"), report
        worker.heal()

    @rule(
        device=device,
        write=st.integers(1, 4),
        how=st.sampled_from(["power cut before", "power cut after", "store full"]),
    )
    def sync_dies(self, device: str, write: int, how: str) -> None:
        """The power is cut around a write of a sync, or the store refuses it."""
        worker = self.worker(device)
        store = worker.road.store
        if how == "store full":
            store.fail = {store.writes + write: "QuotaExceededError"}
        else:
            store.crash = {store.writes + write: how.rsplit(maxsplit=1)[-1]}
        worker.synchronise()
        worker.heal()

    @rule(device=device, which=which, what=st.sampled_from(["title", "note"]))
    def edits_during_a_sync(self, device: str, which: int, what: str) -> None:
        """Save between the push and the pull of a sync."""
        worker = self.worker(device)

        async def edit() -> None:
            opened = acts.open_form(worker.home, "errand", which)
            if opened is not None:
                change = self._change(what)
                await worker.save_now(
                    lambda: acts.save_form(worker.home, worker.user, "errand", opened, change)
                )

        worker.road.before_pull = edit
        self._good(worker.synchronise())
        worker.heal()

    @rule(device=device, which=which)
    def old_push_arrives_again(self, device: str, which: int) -> None:
        """The network delivers an old push, perhaps one that was thought lost."""
        road = self.worker(device).road
        if road.pushes:
            self.office.runner.run(road.deliver_again(which))

    def _good(self, report: Any) -> None:
        assert report is not None
        assert report["outcome"] == "done", report
        assert ([], [], False) == (report["repaired"], report["unproven"], report["full"]), report
        doubtful = (report["unknown"], report["unreadable"], report["unverified"])
        assert ([], 0, 0) == doubtful, report

    # at the office

    @rule(which=which, what=st.sampled_from(["title", "note", "badge", "delete"]))
    def chief_saves_online(self, which: int, what: str) -> None:
        """Change or delete any errand online."""
        home, user = self.office.home, User(CHIEF)
        opened = acts.open_form(home, "errand", which)
        if opened is None:
            return
        if what == "delete":
            self._online(acts.delete_record(home, user, "errand", opened))
        else:
            self._online(acts.save_form(home, user, "errand", opened, self._change(what)))

    def _online(self, found: Processed) -> None:
        if found.receipt is None or not found.receipt.is_applied:
            return
        query = sa.select(tables.envelope.c.content)
        query = query.where(tables.envelope.c.id == found.receipt.envelope)
        (row,) = self.office.rows(query)
        self._saved(json.loads(row["content"]))

    @rule(which=which, what=st.sampled_from(["title", "note", "insert", "delete", "ann", "bob"]))
    def program_writes(self, which: int, what: str) -> None:
        """Another program changes, inserts or deletes an errand, or gives it to somebody."""
        self.office.run(lambda connection: self._program(connection, which, what))

    def _program(self, connection: sa.Connection, which: int, what: str) -> None:
        if what == "insert":
            self._insert(connection, Errand, assignee="ann", title=self.word(), closed=False)
            return
        rows = connection.execute(sa.select(Errand.__table__)).mappings().all()
        if not rows:
            return
        row = sorted(rows, key=lambda r: int(r["mark"][1:]))[which % len(rows)]
        this = Errand.id == row["id"]
        if what == "delete":
            self.history.died(PROGRAM, row["mark"])
            gone = {"after_id": None}
            connection.execute(sa.update(Errand).where(Errand.after_id == row["id"]).values(gone))
            connection.execute(
                sa.update(Memo).where(Memo.errand_id == row["id"]).values(errand_id=None)
            )
            connection.execute(sa.delete(Item).where(Item.errand_id == row["id"]))
            connection.execute(sa.delete(Errand).where(this))
        elif what in ("ann", "bob"):
            connection.execute(sa.update(Errand).where(this).values(assignee=what))
        else:
            word = self.word()
            self.history.changed(PROGRAM, row["mark"], what, row[what], word)
            connection.execute(sa.update(Errand).where(this).values({what: word}))

    @rule(device=device, what=st.sampled_from(["title", "note"]))
    def edits_what_the_program_edits(self, device: str, what: str) -> None:
        """Change a field that another program changes before anybody synchronises."""
        worker = self.worker(device)
        opened = acts.open_form(worker.home, "errand", 0)
        if opened is None:
            return
        self._edit(worker, opened, what)
        mark = opened["values"]["mark"]
        query = sa.select(Errand.__table__).where(Errand.mark == mark)
        for row in self.office.rows(query):
            word = self.word()
            self.history.changed(PROGRAM, mark, what, row[what], word)
            self._rewrite(mark, {what: word})

    def _rewrite(self, mark: str, values: dict[str, Any]) -> None:
        statement = sa.update(Errand).where(Errand.mark == mark).values(values)
        self.office.run(lambda connection: connection.execute(statement))

    @rule()
    def office_restarts(self) -> None:
        """The server begins anew from its database."""
        self.office.restart()

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
                self._good(worker.synchronise())
        self.told.update(check_story(self.office, self.workers.values(), self.history))
        self.told["sequences"] += 1
