"""Indexes of a replica in the order of the app's lists: their first rows are read, and not sorted.

They are a device's own: it makes them of whatever rows came, and SQLite keeps them.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping
from functools import cache

import sqlalchemy as sa

from fieldpost.app import App
from fieldpost.pages import Page
from fieldpost.replication.replica_tables import QuickSavepoints
from fieldpost.schema.fields import Field, Kind
from fieldpost.wording.places import in_database
from fieldpost.wording.text_order import begin_in_order, is_by_words, make_known, note_indexed

PREFIX = "fieldpost_list_"
_log = logging.getLogger("fieldpost")
_PLAIN = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.YES_NO})


def fit_list_indexes(connection: sa.Connection, app: App) -> bool:
    """Make the indexes that are not there, and drop those that no list needs any more.

    The order of texts is known to the connection afterwards, and has to be to whoever changes rows.
    A list without its index is sorted each time, and stops nobody.

    Returns:
        whether there was anything to do.
    """
    make_known(connection, app.order)
    found, wanted = set(_found(connection)), _wanted(app)
    try:
        with connection.begin_nested():
            for name in sorted(found - wanted.keys()):
                connection.exec_driver_sql(f"DROP INDEX {name}")
            for name in sorted(wanted.keys() - found):
                connection.exec_driver_sql(f"CREATE INDEX {name} ON {wanted[name]}")
    except (sa.exc.DatabaseError, MemoryError):
        _log.exception("lists have no index on this device")
        return False
    note_indexed(connection)
    return found != wanted.keys()


def drop_list_indexes(connection: sa.Connection, tables: Collection[str]) -> None:
    """Drop the indexes of tables whose rows are all replaced: made at once they take less."""
    for name, table in _found(connection).items():
        if table in tables:
            connection.exec_driver_sql(f"DROP INDEX {name}")


def _found(connection: sa.Connection) -> dict[str, str]:
    """Return the tables of our indexes by the indexes' names."""
    known = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"
    rows = connection.exec_driver_sql(known)
    return {name: table for name, table in rows if name.startswith(PREFIX)}


@cache
def _wanted(app: App) -> Mapping[str, str]:
    """Return by name what is in each index, as SQL; on a device it is in the memory snapshot."""
    orders = _orders(app, QuickSavepoints())
    return {PREFIX + hashlib.sha256(on.encode()).hexdigest()[:16]: on for on in orders}


def _orders(app: App, dialect: sa.Dialect) -> Iterator[str]:
    """Yield of each list's order: the table and what of it the list is sorted by."""
    for page in app.pages.values():
        sorted_by = list(_sorted_by(app, page))
        if not sorted_by:
            continue
        parts = sorted_by + [in_database(field, field.column) for field in _key(page)]
        options = {"include_table": False, "literal_binds": True}
        listed = ", ".join(str(p.compile(dialect=dialect, compile_kwargs=options)) for p in parts)
        yield f"{dialect.identifier_preparer.format_table(page.spec.table)} ({listed})"


def _sorted_by(app: App, page: Page) -> Iterator[sa.ColumnElement[object]]:
    """Yield what a list is sorted by, as far as a column alone says it."""
    for name in page.sort:
        plain = name.removeprefix("-")
        field = page.spec.fields.get(plain) or page.spec.by_attribute.get(plain)
        place = None if field is None else _place(app, field)
        if place is None:
            return
        yield place.desc() if name.startswith("-") else place.asc()
        if field is not None and is_by_words(field):
            return  # of texts only the beginning: what follows is sorted by where that is the same


def _place(app: App, field: Field) -> sa.ColumnElement[object] | None:
    # what stands in an index is longer than the text itself: of long texts there is none
    if is_by_words(field) and field.kind is Kind.TEXT:
        return begin_in_order(app.order, field.column)
    return field.column if field.kind in _PLAIN and not field.choices else None


def _key(page: Page) -> list[Field]:
    return [page.spec.by_attribute[attribute] for attribute in page.spec.key]
