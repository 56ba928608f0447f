"""Rows as they travel in a download: one JSON object for each row, by column name.

Unlike an envelope's values these are never typed by a person: they are not checked against the
form's rules, because the database holds what it holds.
"""

import base64
import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from fieldpost.schema.associations import LinkTable
from fieldpost.schema.column_types import AwareDateTime, ExactDecimal
from fieldpost.schema.models import Model
from fieldpost.types import Attachment, AttachmentType

_PLAIN = frozenset({bool, int, str, type(None)})


def public_columns(model: Model | LinkTable) -> tuple[sa.Column[Any], ...]:
    """Return the columns that may leave the server, in the order of the table."""
    private = {f.column.name for f in model.fields.values() if f.private}
    return tuple(
        c for c in model.table.columns if c.name not in private and not c.info.get("private")
    )


def row_to_wire(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as plain JSON data.

    Args:
        table: whose row it is.
        row: column name to value as SQLAlchemy reads it; only these columns travel.
    """
    # most values travel as they are; a replica has many rows, and all of them are proven
    return {
        name: value if type(value) in _PLAIN else _to_wire(table.columns[name], value)
        for name, value in row.items()
    }


def row_from_wire(table: sa.Table, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's values as SQLAlchemy writes them; columns unknown here are left out.

    Raises:
        ValueError: a value does not fit its column.
    """
    columns = table.columns
    return {
        name: None if value is None else _reader(columns[name].type)(value)
        for name, value in data.items()
        if name in columns
    }


def _to_wire(column: sa.Column[Any], value: Any) -> Any:
    """Return one value as JSON data: the same text for the same value, whatever the database."""
    kind = column.type
    if value is None or type(value) in _PLAIN or isinstance(kind, sa.JSON):
        return value
    if isinstance(kind, AttachmentType):
        return [v.to_json() for v in value] if isinstance(value, list) else value.to_json()
    if isinstance(kind, sa.Enum) and isinstance(value, Enum):
        return value.name
    write = next((write for cls, write in _WRITERS if isinstance(value, cls)), None)
    return _foreign_to_wire(kind, value) if write is None else write(value)


def _decimal_text(value: Decimal) -> str:
    # a column without a scale gives 1.10 on PostgreSQL and 1.1 on SQLite
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> Any:
    # SQLite keeps NaN as NULL, and JSON has no infinity
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode("ascii")


def _iso(value: Any) -> str:
    return str(value.isoformat())


def _moment(value: datetime) -> str:
    # one text for one moment, in whatever zone somebody looks at it
    return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()


_WRITERS: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    (Decimal, _decimal_text),
    (float, _float),
    (datetime, _moment),
    (date, _iso),
    (time, _iso),
    (uuid.UUID, str),
    (bytes, _base64),
    (memoryview, _base64),
)

_SQLITE = sqlite.dialect()


def _foreign_to_wire(type_: Any, value: Any) -> Any:
    """Let an author's own type turn its value into what SQLite stores."""
    bind = type_.dialect_impl(_SQLITE).bind_processor(_SQLITE)
    stored = bind(value) if bind else value
    write = next((write for cls, write in _WRITERS if isinstance(stored, cls)), _same)
    return write(stored)


def _foreign_reader(type_: Any) -> Callable[[Any], Any]:
    result = type_.dialect_impl(_SQLITE).result_processor(_SQLITE, None)
    return result or _same


def _same(value: Any) -> Any:
    return value


def _enum_reader(type_: sa.Enum) -> Callable[[Any], Any]:
    members = type_.enum_class
    return _same if members is None else lambda name: members[name]


def _attachment_reader(type_: AttachmentType) -> Callable[[Any], Any]:
    if type_.several:
        return lambda entries: [Attachment.from_json(entry) for entry in entries]
    return Attachment.from_json


_READERS: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    (AwareDateTime, datetime.fromisoformat),
    (ExactDecimal, Decimal),
    (sa.DateTime, datetime.fromisoformat),
    (sa.Date, date.fromisoformat),
    (sa.Time, time.fromisoformat),
    (sa.Float, float),
    (sa.LargeBinary, base64.b64decode),
    (sa.String, _same),
    (sa.Integer, _same),
    (sa.Boolean, _same),
    (sa.JSON, _same),
)


@cache
def _reader(type_: Any) -> Callable[[Any], Any]:
    if isinstance(type_, AttachmentType):
        return _attachment_reader(type_)
    if isinstance(type_, sa.Enum):
        return _enum_reader(type_)
    if isinstance(type_, sa.Uuid):
        return uuid.UUID if type_.as_uuid else _same
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float):
        return Decimal if type_.asdecimal else float
    found = next((read for kind, read in _READERS if isinstance(type_, kind)), None)
    return found or _foreign_reader(type_)
