"""Checksums of a pull: what every table of a device must come to, and what need not be counted.

Counting reads every row that a device has. A table in which nothing has changed since it was
counted is not counted again: the change feed says so, with the same care for transactions that
commit late. After `KEEP_S` it is counted all the same, so that a fault of the feed itself shows.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.replication.checksum import table_digest
from fieldpost_server.feed.changes import changed_tables
from fieldpost_server.feed.failed_tables import FailedTables
from fieldpost_server.feed.horizon import Moment, current_moment
from fieldpost_server.scope.replication_plan import (
    TablePlan,
    captured_tables,
    deciding_tables,
)

KEEP_S = 3600
MOST = 2_000
"""Tables, each for one user, of which a process remembers the digest."""


@dataclass(frozen=True, slots=True)
class _Counted:
    moment: Moment
    counted_at: float
    digest: Mapping[str, Any]


class _Snapshot:
    """What a session sees of the feed, each question asked once."""

    def __init__(self, session: Session, moment: Moment) -> None:
        self.session = session
        self.moment = moment
        self._changed: dict[int, set[str]] = {}

    def knows(self, earlier: Moment) -> bool:
        """Say whether nothing that happened since is forgotten, or was not seen here."""
        return self.moment.keeps(earlier) and self.moment.sees(earlier)

    def changed_since(self, earlier: Moment) -> set[str]:
        """Return the tables in which something has changed since."""
        position = earlier.position
        if position not in self._changed:
            self._changed[position] = changed_tables(self.session, position)
        return self._changed[position]


class Checksums:
    """Checksums that this process has counted.

    Args:
        app: whose tables they are of.
        keep_s: for how long one is believed, in seconds.
    """

    def __init__(self, app: App, keep_s: float = KEEP_S) -> None:
        self.keep_s = keep_s
        self._captured = {table.name for table in captured_tables(app)}
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Counted] = OrderedDict()

    def digests(self, session: Session, failed: FailedTables) -> dict[str, Mapping[str, Any]]:
        """Return count and sum of every table in the session's snapshot that does not fail."""
        snapshot = _Snapshot(session, current_moment(session))
        found: dict[str, Mapping[str, Any]] = {}
        for name, entry in failed.plan.items():
            if name in failed.causes:
                continue
            query = failed.attempt(name, partial(_text, session, entry))
            if query is None:
                continue
            known = self._believed(query, snapshot, deciding_tables(failed.plan, name))
            if known is None:
                known = failed.read(session, name, partial(_counted, snapshot, entry))
            if known is not None:
                # what was believed is true of this snapshot, too: the next reader has less to do
                self._remember(query, replace(known, moment=snapshot.moment))
                found[name] = known.digest
        return found

    def _believed(self, query: str, snapshot: "_Snapshot", deciding: set[str]) -> _Counted | None:
        """Return what was counted before, if it holds in this snapshot."""
        known = self._recall(query)
        if known is None or time.monotonic() - known.counted_at > self.keep_s:
            return None
        if deciding - self._captured or not snapshot.knows(known.moment):
            return None
        return None if deciding & snapshot.changed_since(known.moment) else known

    def _recall(self, query: str) -> _Counted | None:
        # fault point: checksum-looked-up — memory only: the next process counts every table once
        # more.
        with self._lock:
            known = self._known.get(query)
            if known is not None:
                self._known.move_to_end(query)
            return known

    def _remember(self, query: str, known: _Counted) -> None:
        # fault point: checksum-remembered — memory only, and of a snapshot that was read to its
        # end: a checksum that is lost costs time.
        with self._lock:
            self._known[query] = known
            self._known.move_to_end(query)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def _counted(snapshot: _Snapshot, entry: TablePlan) -> _Counted:
    return _Counted(snapshot.moment, time.monotonic(), count(snapshot.session, entry))


def count(session: Session, entry: TablePlan) -> dict[str, Any]:
    """Count one table's rows in the session's snapshot."""
    return table_digest(map(entry.to_wire, entry.read(session)))


def _text(session: Session, entry: TablePlan) -> str:
    """Return what tells one query from another: all that it reads, and where, with all values."""
    compiled = entry.select().compile(dialect=session.connection().dialect)
    return f"{entry.model.name} {compiled} {sorted(compiled.params.items())!r}"
