"""Checksums of a pull: what every table of a device must come to, without counting it each time.

A table is counted once, row by row. From then on only the rows that the change feed names are read:
each is taken out of the sum as it was and put in as it is. Positions of the feed take the same care
for transactions that commit late as the cursors of devices do.

What changed past the feed shows when a table is counted anew (`recount`): of what is asked for,
every hour. What was not counted for a day is not believed, and counted by the pull itself.
"""

import hashlib
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from logging import WARNING
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.checksum import row_digest
from fieldpost_server.feed.changes import Key, read_changes
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.horizon import Moment, current_moment
from fieldpost_server.feed.touched_rows import (
    Touched,
    chunks,
    is_one_of,
    touched_rows,
)
from fieldpost_server.log import log
from fieldpost_server.proofs.countings import Countings
from fieldpost_server.proofs.kept_sums import Kept, KeptSums
from fieldpost_server.proofs.row_sums import Counter, KeyNumbers, RowSums, Twice
from fieldpost_server.proofs.unsure_tables import unsure_tables
from fieldpost_server.scope.replication_plan import Plan, TablePlan, captured_tables
from fieldpost_server.storage.database import Database

KEEP_S = 3600
"""After so many seconds a table that is asked for is counted anew, beside the pulls."""
BELIEVE_S = 24 * 3600
"""After so many seconds a pull counts it itself."""
MOST_KEYS = 20_000
"""With more changed keys of one table than this it is counted anew."""
FEW_KEYS = 1_000
"""With more than this, and more than half of the rows, as well."""
MOST_DUE = 500


class _Snapshot:
    """What a session sees of the feed, each question asked once."""

    def __init__(self, session: Session, app: App, failed: FailedTables) -> None:
        self.session = session
        self.failed = failed
        self.moment = current_moment(session)
        self._app = app
        self._touched: dict[int, Touched] = {}
        self._instead: dict[int, Moment] = {}

    def knows(self, earlier: Moment) -> bool:
        """Say whether nothing that happened since is forgotten, or was not seen here."""
        return self.moment.keeps(earlier) and self.moment.sees(earlier)

    def will_ask(self, moments: Iterable[Moment]) -> None:
        """Prepare for the moments since which changes will be asked for.

        The feed is read twice at most: since the newest and since the oldest of them, which stands
        for those between. What is read of a change that was seen before does no harm.
        """
        by_position = {each.position: each for each in moments}
        for position in sorted(by_position)[1:-1]:
            self._instead[position] = by_position[min(by_position)]

    def touched_since(self, earlier: Moment) -> Touched:
        """Return the rows that changes since have touched."""
        earlier = self._instead.get(earlier.position, earlier)
        position = earlier.position
        if position not in self._touched:
            self._touched[position] = self._read(earlier)
        return self._touched[position]

    def _read(self, earlier: Moment) -> Touched:
        session, app, failed = self.session, self._app, self.failed
        tables = captured_tables(app)
        changes = read_changes(session, earlier.cursor(), tables, max_keys=MOST_KEYS)
        touched = touched_rows(session, app, failed, changes, max_keys=MOST_KEYS)
        touched.whole.update(unsure_tables(session, app, failed, touched, changes))
        return touched


class Checksums:
    """Checksums that this process keeps.

    Args:
        app: whose tables they are of.
        keep_s: after how many seconds a table is due to be counted anew.
        believe_s: for how many seconds what was counted is believed.
    """

    def __init__(self, app: App, keep_s: float = KEEP_S, believe_s: float = BELIEVE_S) -> None:
        self.app = app
        self.keep_s = keep_s
        self.believe_s = believe_s
        self._lock = threading.Lock()
        self._kept = KeptSums()
        self._due: dict[bytes, tuple[Plan, str]] = {}
        self._recounting = threading.Lock()
        self._countings = Countings()

    def wait_for_others(self, session: Session, failed: FailedTables) -> None:
        """Raise `BeingCounted` where another pull counts a table of this one just now.

        Whoever asks this first has read nothing yet that would be read again.
        """
        if not self._countings.is_idle:
            for query in self._queries(session, failed).values():
                self._countings.meet(query)

    def digests(
        self, session: Session, failed: FailedTables, *, patient: bool = False
    ) -> dict[str, dict[str, Any]]:
        """Return count and sum of every table in the session's snapshot that does not fail.

        Args:
            session, failed: the snapshot, and what somebody has.
            patient: raise `BeingCounted` where another one counts a table that has to be counted.
        """
        snapshot = _Snapshot(session, self.app, failed)
        queries = self._queries(session, failed)
        known = {name: self._believed(snapshot, name, query) for name, query in queries.items()}
        snapshot.will_ask(each.moment for each in known.values() if each is not None)
        found: dict[str, dict[str, Any]] = {}
        for name, query in queries.items():
            sums = self._sums(snapshot, name, query, known[name], patient=patient)
            # what others are asked of the feed may fail: then it is in `causes` by now
            if sums is not None and name not in failed.causes:
                found[name] = sums.digest
        return found

    @staticmethod
    def _queries(session: Session, failed: FailedTables) -> dict[str, bytes]:
        """Return by table what tells its query from others."""
        found = {
            name: failed.attempt(name, partial(_identity, session, entry))
            for name, entry in failed.plan.items()
            if name not in failed.causes
        }
        return {name: query for name, query in found.items() if query is not None}

    def recount(self, database: Database) -> list[str]:
        """Count anew what is due; returns the tables that had changed past the change feed."""
        # one at a time in a process: whoever comes second finds nothing to do
        if not self._recounting.acquire(blocking=False):
            return []
        try:
            # fault point: recount-begun — memory only: what was due is due again when somebody asks
            # the next process for it.
            with self._lock:
                due, self._due = self._due, {}
            return [
                name
                for query, (plan, name) in due.items()
                if self._differs(database, name, query, plan)
            ]
        finally:
            self._recounting.release()

    def _differs(self, database: Database, name: str, query: bytes, plan: Plan) -> bool:
        """Count a table, keep that, and say whether it is not what was kept."""
        failed = FailedTables(plan)
        with database.read_session() as session:
            snapshot = _Snapshot(session, self.app, failed)
            known = self._believed(snapshot, name, query)
            expected = None if known is None else self._brought_forward(snapshot, name, known)
            found = failed.read(session, name, partial(count, session, plan[name]))
        # fault point: recount-read — memory only, and nothing was written: see `recount-begun`.
        with self._lock:
            # what was asked for meanwhile is answered, or fails: that waits for the next round
            self._due.pop(query, None)
        if found is None:
            return False
        self._kept.keep(query, Kept(snapshot.moment, time.monotonic(), found), anew=True)
        if expected is None or expected.digest == found.digest:
            return False
        log("rows have changed past the change feed", level=WARNING, table=name)
        return True

    def _sums(
        self,
        snapshot: _Snapshot,
        name: str,
        query: bytes,
        known: Kept | None,
        *,
        patient: bool,
    ) -> RowSums | None:
        sums = self._brought_forward(snapshot, name, known) if known is not None else None
        if known is not None and sums is not None:
            self._kept.keep(query, replace(known, moment=snapshot.moment, sums=sums))
            return sums
        if name in snapshot.failed.causes:
            return None
        session, entry = snapshot.session, snapshot.failed.plan[name]
        with self._countings.one(query, patient=patient):
            counted = self._believed(snapshot, name, query)
            if counted is not None and counted is not known:
                # by another one, between the look and here
                return self._sums(snapshot, name, query, counted, patient=patient)
            sums = snapshot.failed.read(session, name, partial(count, session, entry))
            if sums is not None:
                self._kept.keep(query, Kept(snapshot.moment, time.monotonic(), sums), anew=True)
        return sums

    def _brought_forward(self, snapshot: _Snapshot, name: str, known: Kept) -> RowSums | None:
        """Return what a table comes to now; None where it has to be counted."""
        keys = snapshot.touched_since(known.moment).of(name)
        if keys == set():
            return known.sums
        if keys is None or name in snapshot.failed.causes or not known.sums.is_whole:
            return None
        if len(keys) > FEW_KEYS and len(keys) > known.sums.count / 2:
            return None
        session, entry = snapshot.session, snapshot.failed.plan[name]
        forward = partial(_changed, session, entry, known.sums, keys)
        return snapshot.failed.read(session, name, forward)

    def _believed(self, snapshot: _Snapshot, name: str, query: bytes) -> Kept | None:
        """Return what is kept of the newest moment that this snapshot knows."""
        kept = reversed(self._kept.of(query))
        known = next((each for each in kept if snapshot.knows(each.moment)), None)
        if known is None:
            return None
        age = time.monotonic() - known.counted_at
        if age > self.believe_s:
            return None
        # fault point: recount-due — memory only: it is due again when the next process is asked.
        with self._lock:
            if age > self.keep_s and len(self._due) < MOST_DUE:
                self._due[query] = snapshot.failed.plan, name
        return known


def count(session: Session, entry: TablePlan) -> RowSums:
    """Count one table's rows in the session's snapshot."""
    counter, numbers = Counter(), KeyNumbers(entry)
    for row in entry.read(session):
        wire = entry.to_wire(row)
        try:
            number = numbers.of_row(wire)
        except Twice:
            number = None
        counter.add(number, row_digest(wire))
    return counter.sums()


def _changed(session: Session, entry: TablePlan, known: RowSums, keys: set[Key]) -> RowSums | None:
    """Return the sums with these rows as they are now; None where keys do not tell rows apart."""
    numbers, put, columns, read = KeyNumbers(entry), dict[int, int](), entry.key_columns, 0
    try:
        gone = [numbers.of_key(key) for key in keys]
        for chunk in chunks(keys):
            for row in entry.read(session, is_one_of(columns, chunk)):
                wire = entry.to_wire(row)
                put[numbers.of_row(wire)] = row_digest(wire)
                read += 1
    except Twice:
        return None
    return known.changed(gone, put) if read == len(put) else None


def _identity(session: Session, entry: TablePlan) -> bytes:
    """Return what tells one query from another: all that it reads, and where, with all values."""
    compiled = entry.select().compile(dialect=session.connection().dialect)
    text = f"{entry.model.name} {compiled} {sorted(compiled.params.items())!r}"
    return hashlib.sha256(text.encode()).digest()
