"""What may become of an envelope that could not be applied, in words that a failure prints."""

from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import rule

from apps.errands import CHIEF, Errand
from convergence import acts
from convergence.at_the_office import AtTheOffice
from convergence.history import PROGRAM
from convergence.machine import device, which
from convergence.mending import mend
from convergence.worker import Worker
from fieldpost.users import SUPERVISOR, User
from fieldpost_client.outbox.outbox import ATTENTION, PENDING
from fieldpost_client.platform.host import Fault
from fieldpost_server.inbox.dependencies import open_rows

how = st.sampled_from(["mine", "theirs", "discard"])


class OnTroubles(AtTheOffice):
    """Rules of repairs and discards, on devices and at the office."""

    @rule(device=device, how=how, then=st.sampled_from(["", "", "title", "before", "after"]))
    def mends(self, device: str, how: str, then: str) -> None:
        """Repair or discard what needs attention; then edit on top, or have the power cut."""
        worker = self.worker(device)
        refused = self._refused(worker)
        if refused is None:
            return
        store = worker.road.store
        if then in ("before", "after"):
            store.crash = {store.writes + 1: then}
        self._mend(worker, refused, how)
        worker.heal()
        if then == "title":
            self.edit(worker, acts.open_form(worker.home, "errand", 0), "title")

    @rule(device=device, which=which, lost=st.booleans())
    def discards_what_waits(self, device: str, which: int, lost: bool) -> None:
        """Discard what was only saved, perhaps after it was sent and the answer was lost."""
        worker = self.worker(device)
        if not worker.home.outbox.of_state(PENDING):
            self.edit(worker, acts.open_form(worker.home, "errand", which), "note")
        if lost:
            worker.road.faults = [Fault("/sync/push", "answer")]
            worker.synchronise()
            worker.heal()
        pending = [e for e in worker.home.outbox.of_state(PENDING) if not e.is_void]
        if pending:
            self._mend(worker, pending[which % len(pending)].envelope.id, "discard")

    @rule(which=which, how=how)
    def chief_mends(self, which: int, how: str) -> None:
        """A supervisor repairs or discards what a device could not get applied."""
        with self.office.home.session() as session:
            devices = [w.home.state.device for w in self.workers.values()]
            rows = [row for name in devices for row in open_rows(session, name)]
        ids = [row.id for row in rows if not row.void]
        if ids:
            self._chief_mends(ids[which % len(ids)], how)

    @rule(device=device, first=how, second=how, late=st.booleans())
    def both_mend(self, device: str, first: str, second: str, late: bool) -> None:
        """A supervisor and the worker mend the same; late, and both make known who was first."""
        worker = self.worker(device)
        refused = self._refused(worker)
        if refused is None:
            return
        self._chief_mends(refused, first)
        self._mend(worker, refused, second)
        if late:
            worker.road.faults = [Fault("/sync/push", "answer")]
            worker.synchronise()
            worker.heal()

    def _mend(self, worker: Worker, envelope: str, how: str) -> None:
        worker.save(
            lambda: mend(worker.home, worker.user, envelope, how, self.word), repairs=envelope
        )

    def _chief_mends(self, envelope: str, how: str) -> None:
        user = User(CHIEF, roles=frozenset({SUPERVISOR}))
        self._online(mend(self.office.home, user, envelope, how, self.word))

    def _refused(self, worker: Worker) -> str | None:
        """Return what needs attention on a device; there is something soon."""
        if not worker.home.outbox.of_state(ATTENTION):
            opened: Any = acts.open_form(worker.home, "errand", 0)
            if opened is None:
                return None
            self.edit(worker, opened, "title")
            mark, word = opened["values"]["mark"], self.word()
            query = sa.select(Errand.title).where(Errand.mark == mark)
            for row in self.office.rows(query):
                self.history.changed(PROGRAM, mark, "title", row["title"], word)
                self._rewrite(mark, {"title": word})
            self.good(worker.synchronise())
        refused = worker.home.outbox.of_state(ATTENTION)
        return refused[0].envelope.id if refused else None
