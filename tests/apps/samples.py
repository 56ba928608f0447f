"""An app of odd values: each kind of field, and what its column can hold that no form would write.

`ODD` and `UNREADABLE` have SQL for SQLite and for PostgreSQL; None where that database refuses it.
"""

import uuid
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import sqlalchemy as sa
from annotated_types import Ge, Le, Len
from sqlalchemy import ForeignKey, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from fieldpost.app import App
from fieldpost.moments import today
from fieldpost.pages import ChildList, Page
from fieldpost.types import LONG_TEXT, File, Photo, Photos, Signature

Short = Annotated[str, mapped_column(String(10)), Len(2, 10)]
Percent = Annotated[int, Ge(0), Le(100)]
Money = Annotated[Decimal, mapped_column(Numeric(8, 2)), Ge(0)]


class Base(DeclarativeBase):
    """The declarative base of the app."""


class Kind(StrEnum):
    """A choice, whose values are not its names."""

    small = "s"
    large = "l"


class Thing(Base):
    """What lookups and links point to."""

    __tablename__ = "thing"

    code: Mapped[Annotated[str, mapped_column(String(40))]] = mapped_column(primary_key=True)
    name: Mapped[str]


sample_things = sa.Table(
    "sample_thing",
    Base.metadata,
    sa.Column("sample_id", ForeignKey("sample.id"), primary_key=True),
    sa.Column("thing_code", ForeignKey("thing.code"), primary_key=True),
)


class Sample(Base):
    """One field of each kind, most of them more than once."""

    __tablename__ = "sample"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, mapped_column(String(40))]]
    # text
    short: Mapped[Short | None]
    note: Mapped[Annotated[str, LONG_TEXT, Len(0, 20)] | None]
    plain: Mapped[str | None]
    never_null: Mapped[str] = mapped_column(default="")
    server_empty: Mapped[str] = mapped_column(server_default="")
    # numbers
    whole: Mapped[int | None]
    percent: Mapped[Percent | None]
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    money: Mapped[Money | None]
    free: Mapped[Decimal | None]
    fine: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))
    real: Mapped[float | None]
    # days and times
    day: Mapped[date | None]
    clock: Mapped[time | None]
    wall: Mapped[datetime | None]
    moment: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    # choices
    answer: Mapped[bool | None]
    flag: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[Kind | None]
    kind_text: Mapped[Kind | None] = mapped_column(sa.Enum(Kind, native_enum=False, length=20))
    thing_code: Mapped[str | None] = mapped_column(ForeignKey("thing.code"))
    token: Mapped[uuid.UUID | None]
    # attachments
    signature: Mapped[Signature | None]
    picture: Mapped[Photo | None]
    pictures: Mapped[Photos | None]
    paper: Mapped[File | None]
    # filled in by the database
    state: Mapped[str] = mapped_column(server_default="open")
    level: Mapped[int] = mapped_column(server_default=sa.text("3"))
    made_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    begun_on: Mapped[date] = mapped_column(default=date.today)
    ended_on: Mapped[date | None] = mapped_column(default=today)

    thing: Mapped[Thing | None] = relationship()
    things: Mapped[list[Thing]] = relationship(secondary=sample_things)
    parts: Mapped[list["Part"]] = relationship(cascade="all, delete-orphan", order_by="Part.id")


class Part(Base):
    """A child row."""

    __tablename__ = "part"

    id: Mapped[int] = mapped_column(primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("sample.id"))
    label: Mapped[str]
    text: Mapped[str | None]
    due_on: Mapped[date | None]
    amount: Mapped[Decimal | None]
    seen_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    fine: Mapped[bool | None]


FIELDS = [
    "name",
    *("short", "note", "plain", "never_null", "server_empty"),
    *("whole", "percent", "small", "big", "money", "free", "fine", "real"),
    *("day", "clock", "wall", "moment"),
    *("answer", "flag", "kind", "kind_text", "thing", "token", "things"),
    *("signature", "picture", "pictures", "paper"),
    *("state", "level", "made_at", "begun_on", "ended_on"),
]

app = App(
    "Samples",
    Base,
    name="samples",
    pages=[
        Page(
            Sample,
            offline=True,
            form=[
                *FIELDS,
                ChildList("parts", ["label", "text", "due_on", "amount", "seen_at", "fine"]),
            ],
            list=["name", "day", "moment", "money", "kind"],
        ),
        Page(Thing, offline=True, form=["code", "name"]),
    ],
)

PAPER = '{"sha256": "%s", "size": 7, "type": "image/png", "name": "a \\"b\\" <c>&.png"}' % (
    "ab" * 32
)


def _both(*values: str) -> list[tuple[str | None, str | None]]:
    return [(value, value) for value in values]


def _sqlite(*values: str) -> list[tuple[str | None, str | None]]:
    return [(value, None) for value in values]


def _postgresql(*values: str) -> list[tuple[str | None, str | None]]:
    return [(None, value) for value in values]


def _code(number: int) -> list[tuple[str | None, str | None]]:
    return [(f"'a' || char({number}) || 'b'", f"'a' || chr({number}) || 'b'")]


_TEXTS = [
    *_both("NULL", "''", "'  '", "' a '", "'x'", "'<b>&amp;\"'", "'1,5'", "'ÄÖ 𝄞'"),
    *_both("'a' || '{}'".format("long " * 30)),
    *(
        each
        for number in (10, 13, 9, 11, 12, 29, 30, 4, 127, 133, 8232, 8238)
        for each in _code(number)
    ),
    ("char(10) || 'a'", "chr(10) || 'a'"),
    ("char(10) || char(10) || 'a' || char(10)", "chr(10) || chr(10) || 'a' || chr(10)"),
    ("char(13) || char(10) || 'a' || char(13)", "chr(13) || chr(10) || 'a' || chr(13)"),
    ("'a' || char(65534) || char(65535)", None),
    ("'a' || char(0) || 'b'", None),
]
_NO_TEXT = _sqlite("x'4142'", "x'ff00'")
_WHOLE = _both("NULL", "0", "-7", "32767")
_NOT_WHOLE = _sqlite("1.5", "'abc'", "'a' || char(10)", "1e30")
_DECIMAL = [
    *_both("NULL", "0", "0.1", "1234.5", "-0.01", "1.234", "123456.78"),
    *_sqlite("0.1 + 0.2", "-1e-9"),
]
_NO_NUMBER = _sqlite("'abc'", "''")
_TOO_LARGE = _sqlite("1e300")
_DAY = _both("NULL", "'2026-07-01'", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'")
_NO_DAY = [
    *_sqlite("'0000-00-00'", "'never'", "''", "20260701", "'2026-07-01 10:00'", "'2026-02-31'"),
    *_postgresql("'infinity'", "'-infinity'", "'0044-03-15 BC'"),
]
_CLOCK = [
    *_both("NULL", "'00:00:00'", "'09:55:00'", "'09:55:01'", "'23:59:59.999999'", "'09:55:00.12'"),
    *_both("'09:55:00.000123'", "'09:55:30.1204'"),
]
_NO_CLOCK = [*_sqlite("'25:99'", "'noon'"), *_postgresql("'24:00'")]
_WALL = [
    *_both("'2026-07-01 09:55:00.000123'", "'2026-07-01 09:55:30.1204'"),
    *_both(
        "NULL", "'2026-07-01 09:55:00'", "'2026-03-29 02:30:00'", "'2026-07-01 09:55:01.123456'"
    ),
    *_both("'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'"),
]
_NO_WALL = [
    *_sqlite("'0000-00-00 00:00:00'", "'2026-07-01T09:55:00+02:00'", "'now'", "1782900000"),
    *_postgresql("'infinity'", "'0044-03-15 12:00 BC'"),
]
_MOMENT = [
    *_both("NULL", "'2026-07-01 07:55:00'", "'2026-10-25 00:30:00'", "'2026-10-25 01:30:00'"),
    *_both("'2026-07-01 07:55:01.123456'", "'1890-01-01 00:00:00'", "'2026-10-25 00:30:00.5'"),
    *_both("'9999-12-31 23:59:59'", "'0001-01-01 00:00:00'"),
    *_sqlite("'2026-07-01T09:55:00+02:00'", "'2026-07-01T09:55:00-07:00'"),
    *_postgresql("'2026-07-01T09:55:00+05:45'", "now()"),
]
_NO_MOMENT = [
    *_sqlite("'0000-00-00 00:00:00'"),
    *_postgresql("'infinity'", "'0044-03-15 12:00 BC'"),
]
_ATTACHMENT = _both("NULL", "'null'", f"'{PAPER}'")
_NO_ATTACHMENT = [*_both("'{\"a\": 1}'", "'7'", "'[{}]'"), *_sqlite("'{broken'", "''")]

ODD: dict[str, list[tuple[str | None, str | None]]] = {
    "name": [each for each in _TEXTS if each[1] != "NULL" and "long" not in str(each[0])],
    "short": [each for each in _TEXTS if "long" not in str(each[0])]
    + _sqlite("'far too long for it'"),
    "note": _TEXTS,
    "plain": _TEXTS,
    "never_null": [each for each in _TEXTS if each[0] != "NULL"],
    "server_empty": [each for each in _TEXTS if each[0] != "NULL"],
    "whole": _WHOLE,
    "percent": [*_WHOLE, *_both("101")],
    "small": _WHOLE,
    "big": [*_WHOLE, *_both("9007199254740993", "-9223372036854775808")],
    "money": [*_DECIMAL, *_sqlite("1234567.891")],
    "free": [*_DECIMAL, *_TOO_LARGE, *_postgresql("1e40", "0.10", "1.000")],
    "fine": _DECIMAL,
    "real": [*_DECIMAL, *_both("1e-7", "1e300"), ("9e999", "'Infinity'"), (None, "'NaN'")],
    "day": _DAY,
    "clock": _CLOCK,
    "wall": _WALL,
    "moment": _MOMENT,
    "answer": [*_both("NULL"), ("1", "true"), ("0", "false"), *_sqlite("2")],
    "flag": [("1", "true"), ("0", "false"), *_sqlite("2")],
    "kind": _both("NULL", "'small'"),
    "kind_text": _both("NULL", "'large'"),
    "thing_code": [*_both("NULL", "'a'", "'/ b'"), *_sqlite("'gone'")],
    "token": [*_both("NULL"), ("'000000000000000000000000000000ff'",) * 2],
    "signature": _ATTACHMENT,
    "picture": _ATTACHMENT,
    "pictures": _both("NULL", "'null'", "'[]'", f"'[{PAPER}, {PAPER}]'"),
    "paper": _ATTACHMENT,
    "level": _both("-5"),
    "made_at": [each for each in _WALL if each[1] != "NULL"],
    "begun_on": [each for each in _DAY if each[1] != "NULL"],
    "ended_on": _both("NULL", "'2026-07-01'"),
    "part.text": _TEXTS,
    "part.due_on": _DAY,
    "part.amount": _DECIMAL,
    "part.seen_at": _MOMENT,
    "part.fine": [*_both("NULL"), ("1", "true"), ("0", "false")],
}
"""By column: what it can hold, and its type can read."""

UNREADABLE: dict[str, list[tuple[str | None, str | None]]] = {
    "name": _NO_TEXT,
    "note": _NO_TEXT,
    "whole": _NOT_WHOLE,
    "percent": _NOT_WHOLE,
    "small": _NOT_WHOLE,
    "big": _NOT_WHOLE,
    "money": [*_NO_NUMBER, *_TOO_LARGE, *_postgresql("'NaN'")],
    "free": [*_NO_NUMBER, *_postgresql("'NaN'", "'Infinity'")],
    "fine": [*_NO_NUMBER, *_TOO_LARGE, *_postgresql("'NaN'")],
    "real": _NO_NUMBER,
    "day": _NO_DAY,
    "clock": _NO_CLOCK,
    "wall": _NO_WALL,
    "moment": _NO_MOMENT,
    "answer": _sqlite("'yes'"),
    "flag": _sqlite("'yes'"),
    "kind": [*_both("'gone'"), *_sqlite("''", "'s'")],
    "kind_text": _both("'gone'", "''", "'s'"),
    "token": _sqlite("'zz'", "''"),
    "signature": [*_NO_ATTACHMENT, *_both("'[]'")],
    "picture": _NO_ATTACHMENT,
    "pictures": [*_NO_ATTACHMENT, *_both(f"'{PAPER}'")],
    "paper": _NO_ATTACHMENT,
    "made_at": _NO_WALL,
    "begun_on": _NO_DAY,
    "part.text": _NO_TEXT,
    "part.due_on": _NO_DAY,
    "part.amount": _NO_NUMBER,
    "part.seen_at": _NO_MOMENT,
}
"""By column: what it can hold, and its type cannot read."""


ROWS = max(map(len, ODD.values()))
"""How many rows it takes to hold each value of `ODD` once."""

Value = tuple[str, str]
"""A column, and the SQL of what it holds."""


def unreadable(dialect: str) -> dict[int, Value]:
    """Return what cannot be read, by the number of the row that is to hold it."""
    which = 0 if dialect == "sqlite" else 1
    found = [
        (place, sql)
        for place, values in UNREADABLE.items()
        for each in values
        if (sql := each[which])
    ]
    return dict(enumerate(found, start=ROWS))


def every_statement(dialect: str) -> list[str]:
    """Return the SQL of all rows: those of `ODD`, then one for each value that cannot be read."""
    odd = [each for number in range(ROWS) for each in statements(number, dialect)]
    bad = [
        each
        for number, value in unreadable(dialect).items()
        for each in statements(number, dialect, value)
    ]
    return [*THINGS, *odd, *bad]


def statements(number: int, dialect: str, instead: Value | None = None) -> list[str]:
    """Return the SQL that another program would write a row and its child row with.

    Row by row each column has the next of its values, but for the one that is given.
    """
    which = 0 if dialect == "sqlite" else 1
    rows = {
        "sample": {"id": str(number), "name": "'Sample'"},
        "part": {"id": str(number), "sample_id": str(number), "label": "'Part'"},
    }
    for place, values in ODD.items():
        table, _, column = place.rpartition(".")
        known = [sql for each in values if (sql := each[which]) is not None]
        rows[table or "sample"][column] = known[number % len(known)]
    if instead:
        table, _, column = instead[0].rpartition(".")
        rows[table or "sample"][column] = instead[1]
    return [
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})"
        for table, row in rows.items()
    ]


THINGS = [
    "INSERT INTO thing (code, name) VALUES ('a', 'Ladder')",
    "INSERT INTO thing (code, name) VALUES ('/ b', 'Rope')",
]
