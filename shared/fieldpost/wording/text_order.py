"""The order of texts as a function of SQLite, which then sorts and keeps an index as Python does.

The function's name holds a digest of what it makes of a probe. Where a language or this module
changes, an index that was made with the former function is no index of the new one.
"""

import hashlib
import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy as sa

from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.places import place_of
from fieldpost.text.collation import Order

PREFIX = "fieldpost_order_"
BEGIN_BYTES = 32
"""What of a place stands in an index: most texts differ by then, and the whole is twice as long."""
_PROBE = "".join(map(chr, [*range(0x20, 0x250), *range(0x370, 0x590), *range(0x1E00, 0x2020)]))


def is_by_words(field: Field) -> bool:
    """Say whether a field is sorted by its text, and SQLite hands that to a function as it is."""
    return (
        field.kind in (Kind.TEXT, Kind.LONG_TEXT)
        and not field.choices
        and isinstance(field.column.type, sa.String)
        and not isinstance(field.column.type, sa.Enum)
    )


@cache
def function_name(order: Order) -> str:
    """Return what the function of an order is called."""
    # letters that are outside the probe have the place that their number gives them
    made = "\n".join(order.key(each) for each in (_PROBE, *_PROBE, *order.digraphs))
    return PREFIX + hashlib.sha256(made.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def make_known(connection: sa.Connection, order: Order) -> None:
    """Make the functions of an order known to a connection of SQLite, once.

    Raises:
        sqlite3.Error: a statement of this connection is still being read.
    """
    name = function_name(order)
    if name in connection.info:
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    whole = encoding(lambda value: place_of(order, "" if value is None else str(value)))

    def begin(value: Any) -> bytes | None:
        place = whole(value)
        return None if place is None else place[:BEGIN_BYTES]

    driver.create_function(name, 1, whole, deterministic=True)
    driver.create_function(_begin_name(order), 1, begin, deterministic=True)
    connection.info[name] = True


def note_indexed(connection: sa.Connection) -> None:
    """Note that the lists of a connection's database have indexes in their order."""
    connection.info[PREFIX] = True


def is_indexed(connection: sa.Connection) -> bool:
    """Say whether they have."""
    return PREFIX in connection.info


def in_order(order: Order, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return what SQLite sorts a column of texts by."""
    return _called(function_name(order), column)


def begin_in_order(order: Order, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the beginning of that: what stands in an index, and is sorted by before the whole."""
    return _called(_begin_name(order), column)


def _begin_name(order: Order) -> str:
    return f"{function_name(order)}_{BEGIN_BYTES}"


def _called(name: str, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    # as bytes: a function never gets to see a text that is none, the statement fails before
    function: sa.ColumnElement[Any] = getattr(sa.func, name)(as_bytes(column), type_=sa.LargeBinary)
    return function


def as_bytes(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a column of texts as a function of SQLite is to get it."""
    return sa.cast(column, sa.LargeBinary)


def encoding(place: Callable[[Any], str | None]) -> Callable[[Any], bytes | None]:
    """Return a function for SQLite that gives what a value is sorted by, in bytes.

    Bytes are compared one by one, and in UTF-8 they stand as the characters do.
    """

    def encoded(value: Any) -> bytes | None:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        found = place(value)
        return None if found is None else found.encode("utf-8", "surrogatepass")

    return encoded
