"""Column types that keep their promise on SQLite: exact decimals and aware moments.

SQLite knows neither; SQLAlchemy's plain types store floats (with a warning) and drop the offset.
`adapt` puts types that read and write the same on SQLite and PostgreSQL in the place of the plain
ones, and has SQLite count keys as PostgreSQL does, without changing the tables that that has.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from fieldpost.ground.zones import local
from fieldpost.moments import today, wall_now

EXACT_DIGITS = 15
"""Significant decimal digits that SQLite's REAL keeps (sqlite.org/floatingpoint.html)."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


_INTEGER_BITS = ((sa.SmallInteger, 15), (sa.BigInteger, 63), (sa.Integer, 31))


def integer_bits(type_: sa.types.TypeEngine[Any]) -> int:
    """Return how many bits a number in an integer column may have, its sign left out."""
    return next((bits for kind, bits in _INTEGER_BITS if isinstance(type_, kind)), 63)


def can_hold(type_: sa.types.TypeEngine[Any], value: Any) -> bool:
    """Say whether a column of this type can hold a value; PostgreSQL fails where it cannot."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    if not isinstance(value, int):
        return True
    limit = 1 << integer_bits(type_)
    return -limit <= value < limit


class _SqliteNumeric(sa.types.UserDefinedType[Any]):
    """NUMERIC as SQLite stores it, without SQLAlchemy's conversion through float."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "NUMERIC"


class ExactDecimal(sa.types.TypeDecorator[Decimal]):
    """A decimal with fixed scale, exact to 15 digits on SQLite and to its precision elsewhere."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int | None = None, scale: int | None = None) -> None:
        super().__init__(precision=precision, scale=scale)
        # kept here as well: what stands in for `impl` on SQLite has neither
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Store as SQLite's own NUMERIC there."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_SqliteNumeric())
        return super().load_dialect_impl(dialect)

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Hand SQLite the digits as text; its NUMERIC affinity makes them a number."""
        if value is None or dialect.name != "sqlite":
            return value
        return str(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002 - SQLAlchemy's
        """Read the shortest decimal and give it the column's scale.

        Raises:
            ValueError: the database holds NaN or an infinity.
        """
        if value is None:
            return None
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite():
            raise ValueError(f"{number} is no number that a form could hold")
        if self.scale is None:
            return number
        return number.quantize(Decimal(1).scaleb(-self.scale))


class AwareDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, kept in UTC and read in the person's zone.

    Naive values are refused: nobody knows when they are.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Store the moment in UTC.

        Raises:
            ValueError: the value has no offset.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Give back an aware moment as the person's clock shows it."""
        if value is None:
            return None
        return local(value.replace(tzinfo=UTC) if value.tzinfo is None else value)


_CLOCKS: dict[Any, Any] = {date.today: today, datetime.now: wall_now, datetime.today: wall_now}


def _tell_the_persons_time(column: sa.Column[Any]) -> None:
    """Let a default of Python's own clock be that of the person and not of the process."""
    default: Any = column.default
    clock = _CLOCKS.get(getattr(getattr(default, "arg", None), "__wrapped__", None))
    if clock is not None and not getattr(column.type, "timezone", False):
        default.arg = lambda _context: clock()


def adapt(table: sa.Table) -> None:
    """Put the exact types in the place of SQLAlchemy's plain ones in `table`.

    Keys that SQLite counts are counted on for good, as on PostgreSQL: else the key of a deleted
    row would be given out again, and an edit of the old row, made offline, would meet the new one.
    """
    counted = table.autoincrement_column
    if counted is not None and len(table.primary_key.columns) == 1:
        # SQLite counts a column of this very name of a type only
        is_integer = counted.type.compile(dialect=sqlite.dialect()) == "INTEGER"
        table.dialect_options["sqlite"]["autoincrement"] = is_integer
    for column in table.columns:
        _tell_the_persons_time(column)
        kind: Any = column.type
        # type() and not isinstance: Float is a Numeric, and authors' own types stay theirs
        if type(kind) in (sa.Numeric, sa.NUMERIC, sa.DECIMAL) and kind.asdecimal:
            column.type = ExactDecimal(precision=kind.precision, scale=kind.scale)
        elif type(kind) in (sa.DateTime, sa.TIMESTAMP) and kind.timezone:
            column.type = AwareDateTime()
