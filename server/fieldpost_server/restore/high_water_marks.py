"""High-water marks: up to which counted key a table's rows are those of before a restore.

Databases count up: what lies below a row that was there already is older than it. What lies above
the mark may be another row than the one that a device knows under that key.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.storage import tables
from fieldpost_server.storage.tables import PRUNED

_BORDER, _CHANGE, _META = tables.border, tables.change, tables.meta
_CHUNK_KEYS = 1_000
_NOTHING = -1
"""The mark of a table of which nothing is known."""


def record_marks(
    connection: sa.Connection,
    timeline: str,
    all_tables: Iterable[sa.Table],
    proof: datetime | None = None,
) -> None:
    """Write the marks of a timeline that begins.

    Args:
        connection: of the transaction in which it begins.
        timeline: its id.
        all_tables: those with counted keys get one.
        proof: a moment between the backup and when the database was put back to it; all rows are
            older where it is left out.
    """
    rows = [
        {
            "history": timeline,
            "table_name": table.name,
            "key": _high_water_mark(connection, table, proof),
        }
        for table in all_tables
        if table.autoincrement_column is not None
    ]
    if rows:
        connection.execute(sa.insert(_BORDER), rows)


def lowest_marks(session: Session, timelines: Sequence[str]) -> dict[str, int]:
    """Return the lowest mark of each table that has one in every one of some timelines."""
    query = sa.select(_BORDER.c.table_name, sa.func.min(_BORDER.c.key))
    query = query.where(_BORDER.c.history.in_(timelines)).group_by(_BORDER.c.table_name)
    every = sa.func.count() == len(timelines)
    return {row[0]: row[1] for row in session.execute(query.having(every))}


def young_keys(session: Session, table: sa.Table, keys: Iterable[int], mark: int) -> frozenset[int]:
    """Return those of the keys that lie above the mark and have a row."""
    column = table.autoincrement_column
    assert column is not None
    above = sorted(key for key in keys if key > mark)
    found = set[int]()
    for start in range(0, len(above), _CHUNK_KEYS):
        # PostgreSQL takes no more than 65,535 parameters
        some = column.in_(above[start : start + _CHUNK_KEYS])
        found.update(session.scalars(sa.select(column).where(some)))
    return frozenset(found)


def _high_water_mark(connection: sa.Connection, table: sa.Table, proof: datetime | None) -> int:
    column = table.autoincrement_column
    assert column is not None
    oldest = sa.select(sa.func.max(column))
    if proof is None:
        return connection.scalar(oldest) or 0
    # whole seconds: what was done in that of the proof may have been done after it
    since = _CHANGE.c.at >= int(proof.timestamp())
    changed = sa.select(_CHANGE.c.key).where(_CHANGE.c.table_name == table.name)
    if len(table.primary_key.columns) > 1 or _is_unknown(connection, changed, since):
        return _NOTHING
    named = changed.where(_CHANGE.c.key.is_not(None))
    key = sa.literal("[") + sa.cast(column, sa.Text) + sa.literal("]")
    is_old: sa.ColumnElement[bool] = key.not_in(named.where(since))
    if _counts_once(connection, table):
        is_old |= key.in_(named.where(~since))
    return connection.scalar(oldest.where(is_old)) or 0


def _is_unknown(
    connection: sa.Connection,
    changed: sa.Select[tuple[str | None]],
    since: sa.ColumnElement[bool],
) -> bool:
    """Say whether something may have changed of which no key is told."""
    whole = changed.where(since, _CHANGE.c.key.is_(None)).limit(1)
    if connection.execute(whole).first() is not None:
        return True
    pruned = sa.select(_META.c.value).where(_META.c.name == PRUNED)
    before = sa.select(_CHANGE.c.seq).where(~since).limit(1)
    # what was forgotten may be younger, where nothing older is left
    return bool(connection.scalar(pruned)) and connection.scalar(before) is None


def _counts_once(connection: sa.Connection, table: sa.Table) -> bool:
    """Say whether a database never gives out the key of a row that was deleted."""
    options = table.dialect_options["sqlite"]
    return connection.dialect.name != "sqlite" or bool(options["autoincrement"])
