"""What may happen at the office, in words that a failure prints as a script."""

import json
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import rule

from apps.errands import CHIEF, Errand, Item, Memo, errand_stop
from convergence import acts
from convergence.history import PROGRAM
from convergence.machine import Machine, device, which
from fieldpost.odp.form.processor import Processed
from fieldpost.users import User
from fieldpost_server.storage import tables


class AtTheOffice(Machine):
    """Rules of somebody online, of other programs, and of the server itself."""

    @rule(which=which, what=st.sampled_from(["title", "note", "badge", "stops", "delete"]))
    def chief_saves_online(self, which: int, what: str) -> None:
        """Change or delete any errand online."""
        home, user = self.office.home, User(CHIEF)
        opened = acts.open_form(home, "errand", which)
        if opened is None:
            return
        if what == "delete":
            self._online(acts.delete_record(home, user, "errand", opened))
        else:
            self._online(acts.save_form(home, user, "errand", opened, self.change(what)))

    def _online(self, found: Processed) -> None:
        if found.receipt is None or not found.receipt.is_applied:
            return
        query = sa.select(tables.envelope.c.content)
        query = query.where(tables.envelope.c.id == found.receipt.envelope)
        (row,) = self.office.rows(query)
        self.saved(json.loads(row["content"]))

    @rule(
        which=which,
        what=st.sampled_from(["title", "note", "stop", "insert", "delete", "ann", "bob"]),
    )
    def program_writes(self, which: int, what: str) -> None:
        """Another program changes, inserts or deletes an errand, or gives it to somebody."""
        self.office.run(lambda connection: self._program(connection, which, what))

    def _program(self, connection: sa.Connection, which: int, what: str) -> None:
        if what == "insert":
            self.insert(connection, Errand, assignee="ann", title=self.word(), closed=False)
            return
        rows = connection.execute(sa.select(Errand.__table__)).mappings().all()
        if not rows:
            return
        row = sorted(rows, key=lambda r: int(r["mark"][1:]))[which % len(rows)]
        this, stops = Errand.id == row["id"], errand_stop.c.errand_id == row["id"]
        if what == "delete":
            self.history.died(PROGRAM, row["mark"])
            gone = {"after_id": None}
            connection.execute(sa.update(Errand).where(Errand.after_id == row["id"]).values(gone))
            connection.execute(
                sa.update(Memo).where(Memo.errand_id == row["id"]).values(errand_id=None)
            )
            connection.execute(sa.delete(errand_stop).where(stops))
            connection.execute(sa.delete(Item).where(Item.errand_id == row["id"]))
            connection.execute(sa.delete(Errand).where(this))
        elif what == "stop":
            stop = stops & (errand_stop.c.place_code == "P1")
            on = connection.execute(sa.delete(errand_stop).where(stop)).rowcount == 0
            if on:
                values = {"errand_id": row["id"], "place_code": "P1"}
                connection.execute(sa.insert(errand_stop).values(values))
            self.history.ticked(PROGRAM, row["mark"], "P1", on=on)
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
        self.edit(worker, opened, what)
        mark = opened["values"]["mark"]
        query = sa.select(Errand.__table__).where(Errand.mark == mark)
        for row in self.office.rows(query):
            word = self.word()
            self.history.changed(PROGRAM, mark, what, row[what], word)
            self._rewrite(mark, {what: word})

    def _rewrite(self, mark: str, values: dict[str, Any]) -> None:
        statement = sa.update(Errand).where(Errand.mark == mark).values(values)
        self.office.run(lambda connection: connection.execute(statement))

    @rule(device=device)
    def program_takes_its_time(self, device: str) -> None:
        """Another program commits an errand only after somebody has synchronised."""
        worker = self.worker(device)
        with self.office.engine.begin() as connection:
            self.insert(connection, Errand, assignee="ann", title=self.word(), closed=False)
            # SQLite has one writer: the sync would wait for this very transaction
            if connection.dialect.name == "postgresql":
                self.good(worker.synchronise())

    @rule()
    def office_restarts(self) -> None:
        """The server begins anew from its database."""
        self.office.restart()
