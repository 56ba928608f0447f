"""Statements that replay runs again and again, made once: making one costs more than running it.

What they depend on besides the models (the user's scope) is kept with a session, and no longer.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from fieldpost.schema.associations import Association
from fieldpost.schema.models import Key, Model

T = TypeVar("T")

KEPT = "fieldpost_statements"
"""Where `Session.info` keeps them; sessions that share the value share the statements."""

SOME = "fieldpost_some"
"""The parameter for several keys of one part."""

_PART = "fieldpost_key_"
"""Begins the names of parameters: SQLAlchemy takes one that is named as a column for its value."""


def kept(session: Session, what: Hashable, make: Callable[[], T]) -> T:
    """Return what a session keeps under a name, made where it is not there yet."""
    found: dict[Hashable, T] = session.info.setdefault(KEPT, {})
    if what not in found:
        found[what] = make()
    return found[what]


def has_key(columns: Sequence[Any]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that columns hold a key, which `key_values` gives at each run."""
    return [column == sa.bindparam(f"{_PART}{n}") for n, column in enumerate(columns)]


def key_values(key: Key) -> dict[str, Any]:
    """Return the parameters for `has_key`."""
    return {f"{_PART}{n}": part for n, part in enumerate(key)}


def rows_of(
    session: Session, query: sa.Select[Any], values: Mapping[str, Any]
) -> Sequence[sa.Row[Any]]:
    """Return the rows of a query for columns; what the session has not written, it does not see.

    The connection does without what a session does for mapped objects, in half of the time.
    """
    return session.connection().execute(query, values).all()


def find(session: Session, model: Model, key: Key, *, locking: bool = False) -> Any:
    """Return the mapped object with a key, or None: `Session.get`, which makes its statement anew.

    Args:
        session: where it is looked for.
        model: whose row it is.
        key: typed.
        locking: keep other transactions from changing the row.
    """
    if model.mapper.identity_key_from_primary_key(key) in session.identity_map:
        # fault point: row-locked — the row is locked until the envelope's transaction ends, however
        # it ends: nobody changes it between what the merge compares and what it writes.
        return session.get(model.cls, key, with_for_update=True if locking else None)
    found = session.scalars(_row_with_key(model, locking=locking), key_values(key))
    return found.unique().first()


@cache
def _row_with_key(model: Model, *, locking: bool) -> sa.Select[Any]:
    query = sa.select(model.cls).where(*has_key([model.column(a) for a in model.key]))
    # fault point: row-found-locked — as row-locked; where two envelopes wait for each other's rows,
    # the database ends one of the transactions, and that is tried again from the start.
    return query.with_for_update() if locking else query


def is_one_of(table: Any, names: Sequence[str], keys: Sequence[Key]) -> sa.ColumnElement[bool]:
    """Return the condition that columns hold one of several keys."""
    columns: list[sa.Column[Any]] = [table.c[name] for name in names]
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return sa.or_(*(sa.and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys))


@cache
def insert_links(table: sa.Table, dialect: str) -> Any:
    """Return an insert that another program's same link does not stop."""
    if dialect != "postgresql":
        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql  # not on devices

    return postgresql.insert(table).on_conflict_do_nothing()


def delete_links(how: Association, keys: Sequence[Key]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield deletes of one row's links to others, with their parameters but the row's own key."""
    delete = _delete(how.link.table, how.owner_columns)
    if len(how.target_columns) > 1:
        yield delete.where(is_one_of(how.link.table, how.target_columns, keys)), {}
        return
    yield (
        _delete_some(how.link.table, how.owner_columns, how.target_columns[0]),
        {SOME: [key[0] for key in keys]},
    )


@cache
def _delete(table: sa.Table, owner: tuple[str, ...]) -> sa.Delete:
    return sa.delete(table).where(*has_key([table.c[name] for name in owner]))


@cache
def _delete_some(table: sa.Table, owner: tuple[str, ...], target: str) -> sa.Delete:
    some = table.c[target].in_(sa.bindparam(SOME, expanding=True))
    return _delete(table, owner).where(some)


@cache
def touch_row(model: Model) -> sa.Update | None:
    """Return what writes a row itself as it is.

    Whoever changes its links at the same time has to begin anew on PostgreSQL, and a column's
    `onupdate` sees that the record was changed.
    """
    plain = [c for c in model.table.columns if c.computed is None and c.identity is None]
    plain.sort(key=lambda c: c.primary_key)
    if not plain:
        return None
    same = has_key(list(model.table.primary_key.columns))
    return sa.update(model.table).where(*same).values({plain[0]: plain[0]})


@cache
def hold_row(model: Model) -> sa.Update | None:
    """Return what writes a row itself as it is, and lets no `onupdate` see it.

    Two envelopes that write child rows of one record meet in it, and on PostgreSQL the later one
    has to begin anew: a lock alone would let it go on with the child rows that were there before.
    """
    plain = [c for c in model.table.columns if c.computed is None and c.identity is None]
    plain.sort(key=lambda c: c.primary_key)
    if not plain:
        return None
    columns = [sa.column(c.name, c.type) for c in (plain[0], *model.table.primary_key.columns)]
    table = sa.table(model.table.name, *columns, schema=model.table.schema)
    same = has_key([table.c[c.name] for c in model.table.primary_key.columns])
    return sa.update(table).where(*same).values({table.c[plain[0].name]: columns[0]})
