"""The timelines of a database: one after the other, a new one whenever it was put back.

Counted keys mean the same rows within one timeline only. Which one an envelope was made in, its
`base` says.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.restore.high_water_marks import lowest_marks, record_marks
from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import HISTORY, PRUNED

_HISTORY, _META = tables.history, tables.meta
_PRESENT = sa.select(_META.c.value).where(_META.c.name == HISTORY)
_IN_ORDER = sa.select(_HISTORY).order_by(_HISTORY.c.number)


def present_timeline(session: Session) -> str:
    """Return the id of the present timeline; empty where the feed is not installed."""
    return session.scalar(_PRESENT) or ""


def present_timeline_column() -> sa.Label[Any]:
    """Return what gives the same as a column of another query."""
    return _PRESENT.scalar_subquery().label("timeline")


def start(connection: sa.Connection, all_tables: Iterable[sa.Table] = (), former: str = "") -> None:
    """Begin the first timeline of a database, or the next one after `former` was taken away.

    The rows that are there are those of the former one, all of them.
    """
    made = uuid.uuid4().hex
    connection.execute(sa.insert(_META).values(name=HISTORY, value=made))
    if former:
        _append(connection, former)
    _append(connection, made)
    if former:
        record_marks(connection, made, all_tables)


def is_news(session: Session, proof: datetime) -> bool:
    """Say whether a proof is younger than every timeline: nobody has reported the same before."""
    # fault point: report-in-line — held until the transaction ends: two reports at the same time
    # are judged one after the other.
    present = session.connection().scalar(_PRESENT.with_for_update())
    rows = session.execute(_IN_ORDER).all()
    return bool(present) and all(row.began_at <= proof for row in rows)


def put_back(session: Session, proof: datetime, all_tables: Iterable[sa.Table]) -> None:
    """Begin a new timeline, since the database was put back to an earlier state.

    Nothing happens where the present one is younger than the proof: others have reported the same.

    Args:
        session: whose transaction it is part of.
        proof: when the server signed what it does not know any more: after the backup was made,
            and before the database was put back to it.
        all_tables: those whose keys devices may name.
    """
    connection = session.connection()
    # two devices that report at the same time begin one timeline
    # fault point: timeline-locked — held until the transaction ends: the later of two reports finds
    # the timeline that the earlier has begun. A death leaves the former one, and the device reports
    # again.
    present = connection.scalar(_PRESENT.with_for_update())
    rows = connection.execute(_IN_ORDER).all()
    if not present or any(row.began_at > proof for row in rows):
        return
    _append(connection, present, proof)
    _go_on(connection, all_tables, proof)


def begin_timeline(session: Session, all_tables: Iterable[sa.Table]) -> None:
    """Begin a new timeline of a database that was put back just now, before anybody changed it."""
    connection = session.connection()
    # fault point: timeline-begun-by-hand — one transaction: the command says 'Noted' only when it
    # is kept, and may be run again.
    if present := connection.scalar(_PRESENT.with_for_update()):
        _append(connection, present)
        _go_on(connection, all_tables)


def marks_since(session: Session, timeline: str) -> dict[str, int] | None:
    """Return up to which key the rows of each table are the same now as they were in a timeline.

    None where nothing is known of it.
    """
    rows = session.execute(_IN_ORDER).all()
    ids = [row.id for row in rows]
    if timeline not in ids:
        return None
    return lowest_marks(session, ids[ids.index(timeline) + 1 :])


def timeline_at(session: Session, moment: datetime) -> str:
    """Return the timeline that was the present one at a moment, as far as this database knows."""
    rows = session.execute(_IN_ORDER).all()
    before = [row.id for row in rows if row.began_at <= moment]
    return before[-1] if before else rows[0].id if rows else ""


def _go_on(
    connection: sa.Connection, all_tables: Iterable[sa.Table], proof: datetime | None = None
) -> None:
    made = uuid.uuid4().hex
    connection.execute(sa.update(_META).where(_META.c.name == HISTORY).values(value=made))
    # fault point: timeline-without-borders — name, place in the list and high-water marks are one
    # transaction: no key is ever read against half of them.
    _append(connection, made)
    record_marks(connection, made, all_tables, proof)
    if connection.dialect.name == "postgresql":
        _begin_positions(connection)


def _begin_positions(connection: sa.Connection) -> None:
    """Let nothing of the feed depend on the transaction ids of another server.

    A dump may be put back into a younger one: what was changed, and how far was forgotten, would
    lie in its future. No cursor of the new timeline is older than this.
    """
    connection.execute(sa.update(tables.change).values(transaction=0))
    connection.execute(sa.update(_META).where(_META.c.name == PRUNED).values(value="0"))


def _append(connection: sa.Connection, identity: str, moment: datetime | None = None) -> None:
    """Add a timeline to the list, unless it is in it."""
    rows = connection.execute(_IN_ORDER).all()
    if all(row.id != identity for row in rows):
        number = rows[-1].number + 1 if rows else 1
        began = moment or tables.utc_now()
        values = {"number": number, "id": identity, "began_at": began}
        connection.execute(sa.insert(_HISTORY).values(values))
