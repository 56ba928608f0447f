"""The change feed: what changed since a cursor, with nothing ever skipped (R45).

Up to where a snapshot may be read, `horizon.py` decides. The next reading takes everything from
there on that its own snapshot sees, which may be something for a second time and is never
something too little.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.feed.cursor import Cursor
from fieldpost_server.feed.horizon import current_moment
from fieldpost_server.storage import tables as own
from fieldpost_server.storage.tables import PRUNED

UNDECODABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the types of SQLAlchemy and of authors raise for a value that is none of theirs."""

_POSTGRESQL_NUMERIC = 1700
_POSTGRESQL_FLOAT = 701

Key = tuple[Any, ...]
"""A primary key: one value for each of its columns, as the column's type gives it."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What changed between a cursor and a snapshot.

    Attributes:
        cursor: continues after this change set.
        changed: keys by table that were inserted, changed or deleted; the rows tell which.
        whole: tables of which anything may have changed, or too much to name it.
        reset: the cursor says nothing here (another timeline, or too old): read everything.
    """

    cursor: Cursor
    changed: dict[str, set[Key]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    reset: bool = False


def read_changes(
    session: Session, cursor: Cursor, tables: Iterable[sa.Table], *, max_keys: int = 5_000
) -> ChangeSet:
    """Return the changes that the session's snapshot sees since `cursor`.

    Rows read in the same snapshot and put in the place of the old ones make the reader equal to
    the snapshot. Tables that are not among `tables` are left out. However much has changed, no
    more than one key above `max_keys` is read of each table.
    """
    now = current_moment(session)
    if not now.keeps(cursor):
        return ChangeSet(now.cursor(), reset=True)
    by_name, readers = {table.name: table for table in tables}, dict[str, KeyReader]()
    changes = ChangeSet(now.cursor(cursor.plan))
    keys = _changed_keys(session, cursor.position, max_keys + 1)
    for name, key in session.connection().execute(keys):
        table = by_name.get(name)
        if table is None:
            continue
        if key is None:
            changes.whole.add(name)
        else:
            readers.setdefault(name, KeyReader(session, table))
            try:
                changes.changed.setdefault(name, set()).add(readers[name].exact(key))
            except UNDECODABLE:
                # nobody finds its row by it, and it may be that of a row on devices
                changes.whole.add(name)
    many = {name for name, keys in changes.changed.items() if len(keys) > max_keys}
    for name in many:
        del changes.changed[name]
    changes.whole.update(many)
    return changes


def changed_tables(session: Session, position: int) -> set[str]:
    """Return the tables in which something has changed since a position that is kept."""
    query = sa.select(own.change.c.table_name).distinct().where(_since(session, position))
    return set(session.connection().scalars(query))


def _changed_keys(session: Session, position: int, most: int) -> sa.Select[Any]:
    """Return the query for at most so many keys of each table, each once."""
    table = own.change.c.table_name
    query = sa.select(table, own.change.c.key).distinct().where(_since(session, position))
    keys = query.subquery()
    number = sa.func.row_number().over(partition_by=keys.c.table_name).label("number")
    numbered = sa.select(keys, number).subquery()
    return sa.select(numbered.c.table_name, numbered.c.key).where(numbered.c.number <= most)


def prune_changes(session: Session, *, older_than: datetime, at_least: int = 10_000) -> int:
    """Forget changes older than a moment, but keep the newest `at_least`; returns how many went.

    A cursor from before that gets a reset.
    """
    postgresql = _is_postgresql(session)
    column = own.change.c.transaction if postgresql else own.change.c.seq
    newest = sa.select(sa.func.max(own.change.c.seq)).scalar_subquery()
    kept = sa.or_(
        own.change.c.at >= int(older_than.timestamp()), own.change.c.seq > newest - at_least
    )
    first = session.scalar(sa.select(sa.func.min(column)).where(kept))
    position = current_moment(session).position + (not postgresql)
    # never beyond the horizon: a transaction still running may write below
    limit = position if first is None else min(first, position)
    deleted = session.connection().execute(sa.delete(own.change).where(column < limit)).rowcount
    # fault point: changes-pruned-unmarked — the changes are gone and how far is not noted, in one
    # transaction: both or neither, so no cursor is taken for complete that is not.
    if deleted:
        _set_meta(session, PRUNED, str(limit))
    return deleted


class KeyReader:
    """Reads the keys of one table that triggers wrote as JSON lists."""

    def __init__(self, session: Session, table: sa.Table) -> None:
        dialect = session.connection().dialect
        self._parts = [_Part(dialect, column.type) for column in table.primary_key.columns]

    def read(self, text: str) -> Key:
        """Return a key, as values of the columns' types; raises one of `UNDECODABLE`."""
        values: Sequence[Any] = json.loads(text, parse_float=Decimal)
        return tuple(p.read(p.given(v)) for p, v in zip(self._parts, values, strict=True))

    def exact(self, text: str) -> Key:
        """Return a key by which its row is found again; raises as `read`."""
        values: Sequence[Any] = json.loads(text, parse_float=Decimal)
        return tuple(part.exact(value) for part, value in zip(self._parts, values, strict=True))


class _Part:
    """One column of a key, from the feed and back to the database."""

    def __init__(self, dialect: sa.Dialect, kind: sa.types.TypeEngine[Any]) -> None:
        self._is_postgresql = dialect.name == "postgresql"
        self._stored = stored_type(kind)
        # psycopg's processors for numbers ask which type of the database they come from
        sort = _POSTGRESQL_FLOAT if isinstance(self._stored, sa.Float) else _POSTGRESQL_NUMERIC
        impl = kind.dialect_impl(dialect)
        self._read = impl.result_processor(dialect, sort)
        self._write = impl.bind_processor(dialect)

    def given(self, value: Any) -> Any:
        """Return what the driver gives for what a trigger wrote."""
        if not self._is_postgresql:
            return float(value) if isinstance(value, Decimal) else value
        if isinstance(self._stored, sa.Float):
            return float(value)
        if isinstance(self._stored, sa.Numeric):
            return Decimal(value)
        return _driver_value(self._stored, value) if isinstance(value, str) else value

    def read(self, given: Any) -> Any:
        """Return the value of the column's type."""
        return given if self._read is None else self._read(given)

    def exact(self, value: Any) -> Any:
        """Return the value; raises where the database would not find by it what it wrote."""
        given = self.given(value)
        read = self.read(given)
        if not _is_same(given, read if self._write is None else self._write(read)):
            raise ValueError(f"{value!r} is not how this value is written")
        return read


def _is_same(given: Any, written: Any) -> bool:
    if isinstance(given, int | float) and isinstance(written, str):
        # decimals, which SQLite is given as text
        return Decimal(str(given)) == Decimal(written)
    return bool(given == written)


def stored_type(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return the type below those that authors put around it."""
    while isinstance(kind, sa.types.TypeDecorator):
        kind = kind.impl_instance
    return kind


def _driver_value(kind: sa.types.TypeEngine[Any], value: str) -> Any:
    """Return what psycopg gives for a value that PostgreSQL wrote into JSON as text."""
    if isinstance(kind, sa.Uuid) and kind.native_uuid:
        return UUID(value)
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date):
        return date.fromisoformat(value)
    return time.fromisoformat(value) if isinstance(kind, sa.Time) else value


def _since(session: Session, position: int) -> sa.ColumnElement[bool]:
    if _is_postgresql(session):
        return own.change.c.transaction >= position
    return own.change.c.seq > position


def _is_postgresql(session: Session) -> bool:
    return _dialect(session) == "postgresql"


def _dialect(session: Session) -> str:
    return session.connection().dialect.name


def _set_meta(session: Session, name: str, value: str) -> None:
    where = own.meta.c.name == name
    changed = session.connection().execute(sa.update(own.meta).where(where).values(value=value))
    if changed.rowcount == 0:
        session.execute(sa.insert(own.meta).values(name=name, value=value))
