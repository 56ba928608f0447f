"""Proof of a pull: what every table of a device must come to, and what need not be counted again.

Counting reads every row that a device has. A table in which nothing has changed since it was
counted is not counted again: the change feed says so, with the same care for transactions that
commit late. After `KEEP_S` it is counted all the same, so that a fault of the feed itself shows.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.proof import table_digest
from fieldpost_server.changes import Cursor, current_cursor, has_changed
from fieldpost_server.replication import Plan, TablePlan, captured_tables, deciding_tables

KEEP_S = 3600
MOST = 2_000
"""Tables, each for one user, of which a process remembers the digest."""

CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class _Proof:
    cursor: Cursor
    counted_at: float
    digest: Mapping[str, Any]


class Proofs:
    """Digests that this process has counted.

    Args:
        app: whose tables they are of.
        keep_s: for how long one is believed, in seconds.
    """

    def __init__(self, app: App, keep_s: float = KEEP_S) -> None:
        self.keep_s = keep_s
        self._captured = {table.name for table in captured_tables(app)}
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Proof] = OrderedDict()

    def digests(self, session: Session, plan: Plan) -> dict[str, Mapping[str, Any]]:
        """Return count and sum of every table in the session's snapshot."""
        now = current_cursor(session)
        found: dict[str, Mapping[str, Any]] = {}
        for name, entry in plan.items():
            query = _text(session, entry)
            proof = self._recall(query)
            if proof is None or self._is_outdated(session, plan, name, proof):
                proof = _Proof(now, time.monotonic(), count(session, entry))
                self._remember(query, proof)
            found[name] = proof.digest
        return found

    def _is_outdated(self, session: Session, plan: Plan, name: str, proof: _Proof) -> bool:
        if time.monotonic() - proof.counted_at > self.keep_s:
            return True
        deciding = deciding_tables(plan, name)
        return bool(deciding - self._captured) or has_changed(session, proof.cursor, deciding)

    def _recall(self, query: str) -> _Proof | None:
        with self._lock:
            proof = self._known.get(query)
            if proof is not None:
                self._known.move_to_end(query)
            return proof

    def _remember(self, query: str, proof: _Proof) -> None:
        with self._lock:
            self._known[query] = proof
            self._known.move_to_end(query)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def count(session: Session, entry: TablePlan) -> dict[str, Any]:
    """Count one table's rows in the session's snapshot."""
    found = session.execute(entry.select(), execution_options={"yield_per": CHUNK_ROWS})
    return table_digest(map(entry.to_wire, found))


def _text(session: Session, entry: TablePlan) -> str:
    """Return what tells one query from another: its SQL and its values."""
    compiled = entry.select().compile(dialect=session.connection().dialect)
    return f"{compiled} {sorted(compiled.params.items())!r}"
