"""Stalls of the change feed: which transaction holds back its horizon, and since when (R45).

On PostgreSQL no cursor passes a transaction that has written and not ended, prepared ones and those
of other databases of the cluster included. Readers and replication slots hold nothing back here:
they keep old rows from being cleaned away, but have no transaction id in anybody's snapshot.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from logging import INFO, WARNING
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.log import log
from fieldpost_server.storage.database import Database

_OLDEST = """
    SELECT *, extract(epoch FROM clock_timestamp() - began) AS age_s FROM (
      SELECT backend_xid AS xid, pid, application_name AS application, usename::text AS "user",
        state, query_start, xact_start AS began, NULL AS prepared
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL
      UNION ALL
      SELECT transaction, NULL, NULL, owner::text, NULL, NULL, prepared, gid FROM pg_prepared_xacts
    ) AS running ORDER BY age(xid) DESC LIMIT 1
"""
_HELD_BACK = """
    SELECT extract(epoch FROM clock_timestamp()) - min(at) FROM fieldpost_change
    WHERE transaction >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """The oldest transaction that has written and not ended.

    What the server's own role may not see of others is None; never the text of a query.

    Attributes:
        transaction: its id, as PostgreSQL's views show it.
        age_s: for how long it runs, in seconds; where that cannot be seen, for how long it has
            held back a change at least.
        pid: the session's process; None for a prepared transaction, which has none.
        application: how the session calls itself.
        user: whose it is.
        state: such as ``idle in transaction``.
        query_start: when its newest statement began.
        prepared: the name that PREPARE TRANSACTION gave it.
    """

    transaction: str
    age_s: float
    pid: int | None = None
    application: str | None = None
    user: str | None = None
    state: str | None = None
    query_start: datetime | None = None
    prepared: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is known of it, as plain data."""
        began = self.query_start
        found = {
            "age_s": round(self.age_s),
            "transaction": self.transaction,
            "pid": self.pid,
            "application": self.application,
            "user": self.user,
            "state": self.state,
            "query_start": began and began.astimezone(UTC).isoformat(timespec="seconds"),
            "prepared": self.prepared,
        }
        return {name: value for name, value in found.items() if value is not None}

    def __str__(self) -> str:
        if self.prepared is not None:
            return f"the prepared transaction '{self.prepared}'"
        began = self.to_json().get("query_start", "at a moment that is not shown")
        return (
            f"session {self.pid} ('{self.application or ''}', {self.state or 'state not shown'}, "
            f"newest statement {began})"
        )


def oldest_writer(session: Session) -> Holder | None:
    """Return the transaction that holds back the position of every cursor, if one does."""
    if session.connection().dialect.name != "postgresql":
        return None
    row = session.execute(sa.text(_OLDEST)).mappings().first()
    if row is None:
        return None
    parts = {name: row[name] for name in row if name not in ("xid", "began", "age_s")}
    # a role that is no member of pg_read_all_stats does not see when others have begun
    age = row["age_s"] if row["began"] else session.scalar(sa.text(_HELD_BACK))
    return Holder(str(row["xid"]), max(float(age or 0), 0.0), **parts)


class HorizonWatch:
    """Logs once when a transaction begins to hold back the feed for too long, and once at its end.

    Args:
        database: whose feed it is.
        stalled_after_s: how old a transaction may grow, in seconds.
    """

    def __init__(self, database: Database, stalled_after_s: float) -> None:
        self.database = database
        self.stalled_after_s = stalled_after_s
        self.holder: Holder | None = None

    def look(self) -> Holder | None:
        """Return who holds back the feed for too long now."""
        with self.database.read_session() as session:
            found = oldest_writer(session)
        if found is not None and found.age_s <= self.stalled_after_s:
            found = None
        before, self.holder = self.holder, found
        same = before and found and before.transaction == found.transaction
        if before is not None and not same:
            log("change feed released", level=INFO, **before.to_json())
        if found is not None and not same:
            log("change feed stalled", level=WARNING, **found.to_json())
        return found
