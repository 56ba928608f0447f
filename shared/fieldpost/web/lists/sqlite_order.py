"""On SQLite the database itself sorts by what Python makes of a value: it keeps one page of rows.

The functions are the very ones that `TextQuery` sorts by on other databases. That of texts is
always the same, so that a device can keep an index in its order; one of looked-up titles is there
for one statement: nothing that is stored refers to it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.app import App
from fieldpost.schema.fields import Field, Kind
from fieldpost.wording.text_order import (
    as_bytes,
    begin_in_order,
    encoding,
    in_order,
    is_by_words,
    is_indexed,
    make_known,
)

_PLAIN = (sa.Integer, sa.String)
"""Types whose values SQLite hands to a function as Python has them."""


def can_sort(session: Session, fields: Sequence[Field]) -> bool:
    """Say whether the database is SQLite, and the fields hold what it can hand to a function."""
    if session.get_bind().dialect.name != "sqlite":
        return False
    return all(is_by_words(each) or _is_plain_lookup(each) for each in fields)


def _is_plain_lookup(field: Field) -> bool:
    type_ = field.column.type
    return (
        field.kind is Kind.LOOKUP and isinstance(type_, _PLAIN) and not isinstance(type_, sa.Enum)
    )


def with_function(
    session: Session, app: App, number: int, each: Field, column: Any, place: Callable[[Any], Any]
) -> list[Any]:
    """Return what SQLite sorts by: functions of a column, made known to the connection.

    Args:
        session, app: whose connection it is, and whose order.
        number: tells apart the functions of one statement.
        each, column: the field, and what the function is given.
        place: gives a text, or None.

    Raises:
        sqlite3.Error: a statement of this connection is still being read.
    """
    connection = session.connection()
    if is_by_words(each):
        make_known(connection, app.order)
        whole = in_order(app.order, column)
        # one of two functions is enough where nothing is read in order
        return [begin_in_order(app.order, column), whole] if is_indexed(connection) else [whole]
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    name = f"fieldpost_place_{number}"
    driver.create_function(name, 1, encoding(place), deterministic=True)
    given = as_bytes(column) if isinstance(column.type, sa.String) else column
    return [getattr(sa.func, name)(given, type_=sa.LargeBinary)]
