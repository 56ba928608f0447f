"""On SQLite the database itself sorts by what Python makes of a value: it keeps one page of rows.

The functions are the very ones that `TextQuery` sorts by on other databases, and they are there for
one connection: nothing that is stored refers to them.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.schema.fields import Field, Kind

_PLAIN = (sa.Integer, sa.String)
"""Types whose values SQLite hands to a function as Python has them."""


def can_sort(session: Session, fields: Sequence[Field]) -> bool:
    """Say whether the database is SQLite, and the fields hold what it can hand to a function."""
    if session.get_bind().dialect.name != "sqlite":
        return False
    return all(
        each.kind in (Kind.TEXT, Kind.LONG_TEXT, Kind.LOOKUP)
        and isinstance(each.column.type, _PLAIN)
        and not isinstance(each.column.type, sa.Enum)
        for each in fields
    )


def with_function(session: Session, number: int, column: Any, place: Callable[[Any], Any]) -> Any:
    """Return what SQLite sorts by: a function of a column, made known to the connection.

    Args:
        session: whose connection it is.
        number: tells apart the functions of one statement.
        column: what it is given.
        place: gives a text, or None.

    Raises:
        sqlite3.Error: a statement of this connection is still being read.
    """
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)

    def encoded(value: Any) -> bytes | None:
        # bytes are compared one by one, and in UTF-8 they stand as the characters do
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        found = place(value)
        return None if found is None else found.encode("utf-8", "surrogatepass")

    name = f"fieldpost_place_{number}"
    driver.create_function(name, 1, encoded, deterministic=True)
    # as bytes: a function never gets to see a text that is none, the statement fails before
    given = sa.cast(column, sa.LargeBinary) if isinstance(column.type, sa.String) else column
    return getattr(sa.func, name)(given, type_=sa.LargeBinary)
