"""What a table's CHECK constraints say is said at the form, where it can be read."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from fieldpost.app import App
from fieldpost.errors import Code
from fieldpost.pages import Page
from fieldpost.schema.validation import value_faults

NUMBER, PRICE, DAY, WORD = "Quantity", "price", "day", "word"

READ: dict[str, tuple[str, str, list[Any], dict[Any, Code]]] = {
    # the text, the column, what it allows, what it does not
    "more than": ("Quantity > 0", NUMBER, [1, 9], {0: Code.TOO_SMALL, -1: Code.TOO_SMALL}),
    "at least": ("Quantity >= 0", NUMBER, [0], {-1: Code.TOO_SMALL}),
    "less than": ("Quantity < 5", NUMBER, [4], {5: Code.TOO_LARGE}),
    "at most": ("Quantity <= 5", NUMBER, [5], {6: Code.TOO_LARGE}),
    "the other way round": ("0 < Quantity", NUMBER, [1], {0: Code.TOO_SMALL}),
    "in quotes": ('"Quantity" > 0', NUMBER, [1], {0: Code.TOO_SMALL}),
    "in brackets": ("[Quantity] > 0", NUMBER, [1], {0: Code.TOO_SMALL}),
    "in parentheses": ("((Quantity > (0)))", NUMBER, [1], {}),
    "with its table": ("thing.Quantity > 0", NUMBER, [1], {0: Code.TOO_SMALL}),
    "with a cast": ("Quantity > 0::integer", NUMBER, [1], {0: Code.TOO_SMALL}),
    "between": (
        "Quantity BETWEEN 1 AND 5",
        NUMBER,
        [1, 5],
        {0: Code.TOO_SMALL, 6: Code.TOO_LARGE},
    ),
    "both": ("Quantity >= 1 and price > 0", NUMBER, [1], {0: Code.TOO_SMALL}),
    "each in parentheses": (
        "(Quantity >= 1) AND (Quantity < 3)",
        NUMBER,
        [1, 2],
        {0: Code.TOO_SMALL, 3: Code.TOO_LARGE},
    ),
    "between beside another": (
        "price BETWEEN 1 AND 2 AND Quantity > 3",
        NUMBER,
        [4],
        {3: Code.TOO_SMALL},
    ),
    "or nothing": ("Quantity IS NULL OR Quantity > 0", NUMBER, [1], {0: Code.TOO_SMALL}),
    "a negative number": ("Quantity > -5", NUMBER, [-4], {-5: Code.TOO_SMALL}),
    "a decimal": ("price >= 0.50", PRICE, [Decimal("0.5")], {Decimal("0.49"): Code.TOO_SMALL}),
    "a date": (
        "day >= '2000-01-01'",
        DAY,
        [date(2000, 1, 1)],
        {date(1999, 12, 31): Code.TOO_SMALL},
    ),
    "one of several": (
        "word IN ('in', 'out', 'it''s')",
        WORD,
        ["in", "it's"],
        {"over": Code.NOT_ALLOWED},
    ),
    "one of numbers": ("Quantity IN (1, 5)", NUMBER, [1, 5], {2: Code.NOT_ALLOWED}),
    "exactly": ("word = 'in'", WORD, ["in"], {"out": Code.NOT_ALLOWED}),
    "a length": ("length(word) >= 3", WORD, ["abc"], {"ab": Code.TOO_SHORT}),
    "a length below": ("char_length(word) < 3", WORD, ["ab"], {"abc": Code.TOO_LONG}),
}

UNREAD = [
    "Quantity > 0 OR price > 0",
    "NOT Quantity > 0",
    "Quantity > price",
    "Quantity * 2 > 10",
    "Quantity + price > 10",
    "CASE WHEN price = 1 AND Quantity > 5 AND price = 1 THEN 1 ELSE 0 END = 1",
    "coalesce(Quantity, 0) > 5",
    "price IS NULL OR Quantity > 5",
    "Quantity IN (SELECT 1)",
    "word >= 'm'",
    "word LIKE 'a%'",
    "word <> 'a'",
    "abs(Quantity) > 5",
    "Quantity > 0x05",
    "Quantity > 5 COLLATE x",
    "(Quantity > 5",
    "Quantity > ?",
    "Quantity BETWEEN 1 AND price",
    "day > CURRENT_DATE",
    "day > 'yesterday'",
    "'a' = 'b'",
    "",
]


def app_with(text: str) -> App:
    class Base(DeclarativeBase):
        pass

    table = sa.Table(
        "thing",
        Base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(NUMBER, sa.Integer),
        sa.Column(PRICE, sa.Numeric(8, 2)),
        sa.Column(DAY, sa.Date),
        sa.Column(WORD, sa.String(20)),
        sa.CheckConstraint(text or "1 = 1"),
    )
    thing = type("Thing", (Base,), {"__table__": table})
    return App("Things", Base, pages=[Page(thing)])


@pytest.mark.parametrize("kind", READ)
def test_what_can_be_read_is_checked_at_its_field(kind: str) -> None:
    """A worker reads it while she fills in the form, and not after the next sync (R16)."""
    text, column, allowed, refused = READ[kind]
    field = app_with(text).models["thing"].fields[column]

    assert [()] * len(allowed) == [tuple(value_faults(field, value)) for value in allowed]
    faults = {value: value_faults(field, value)[0][0] for value in refused}
    assert refused == faults
    assert () == value_faults(field, None)


@pytest.mark.parametrize("text", UNREAD)
def test_what_cannot_be_read_refuses_nothing(text: str) -> None:
    """What is more than a limit of one column is left to the database."""
    fields = app_with(text).models["thing"].fields

    assert {(): 5} == {f.constraints: 5 for f in fields.values()}


def test_a_constraint_of_expressions_is_read_as_one_of_text() -> None:
    """However the author writes it."""

    class Base(DeclarativeBase):
        pass

    size = sa.Column("size", sa.Integer)
    check = sa.CheckConstraint(sa.and_(size >= 1, size <= 3))
    key = sa.Column("id", sa.Integer, primary_key=True)
    table = sa.Table("thing", Base.metadata, key, size, check)
    app = App("Things", Base, pages=[Page(type("Thing", (Base,), {"__table__": table}))])

    field = app.models["thing"].fields["size"]
    assert [Code.TOO_LARGE] == [code for code, _ in value_faults(field, 4)]
    assert () == tuple(value_faults(field, 3))
