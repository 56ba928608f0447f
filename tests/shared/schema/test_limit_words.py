"""What breaks a limit of the model is told in words that a person reads at once (R16)."""

import inspect
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import annotated_types as at
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fieldpost.app import App
from fieldpost.ground.zones import in_zone
from fieldpost.pages import Page
from fieldpost.schema.fields import Field
from fieldpost.schema.validation import value_problems
from fieldpost.text.numbers import with_mark

WORDS: dict[str, tuple[type[Any], Any, Any, str]] = {
    # the type, the constraint, a value that breaks it, what is said
    "Ge": (int, at.Ge(1), 0, "Size must be 1 or more. Correct it."),
    "Gt": (int, at.Gt(0), 0, "Size must be more than 0. Correct it."),
    "Le": (int, at.Le(5), 6, "Size must be 5 or less. Correct it."),
    "Lt": (int, at.Lt(5), 5, "Size must be less than 5. Correct it."),
    "Interval": (int, at.Interval(ge=1, lt=5), 5, "Size must be less than 5. Correct it."),
    "MultipleOf": (int, at.MultipleOf(5), 3, "Size must be a multiple of 5. Correct it."),
    "MinLen": (str, at.MinLen(1), "", "Size needs at least 1 character. Add to it."),
    "MaxLen": (str, at.MaxLen(2), "abc", "Size may have at most 2 characters. Shorten it."),
    "Len": (str, at.Len(2, 3), "a", "Size needs at least 2 characters. Add to it."),
    "Predicate": (
        int,
        at.Predicate(bool),
        0,
        "Size has a value that is not allowed. Correct it.",
    ),
    "LowerCase": (str, at.LowerCase, "A", "Size has a value that is not allowed. Correct it."),
    "the day from which": (
        date,
        at.Ge(date(2026, 1, 1)),
        date(2025, 12, 31),
        "Size must be 1 Jan 2026 or later. Correct it.",
    ),
    "the day after which": (
        date,
        at.Gt(date(2026, 1, 1)),
        date(2026, 1, 1),
        "Size must be later than 1 Jan 2026. Correct it.",
    ),
    "the time until which": (
        time,
        at.Le(time(18)),
        time(18, 1),
        "Size must be 18:00 or earlier. Correct it.",
    ),
    "the moment before which": (
        datetime,
        at.Lt(datetime(2026, 1, 1, 9)),  # noqa: DTZ001 - a wall clock's
        datetime(2026, 1, 1, 9),  # noqa: DTZ001 - a naive one is meant
        "Size must be earlier than 1 Jan 2026, 09:00. Correct it.",
    ),
    "a decimal": (
        Decimal,
        at.Ge(Decimal("0.50")),
        Decimal("0.4"),
        "Size must be 0.50 or more. Correct it.",
    ),
    "a column's own most": (
        int,
        at.Ge(0),
        1 << 31,
        "Size must be 2147483647 or less. Correct it.",
    ),
    "a column's own least": (
        int,
        at.Le(0),
        -(1 << 31) - 1,
        "Size must be -2147483648 or more. Correct it.",
    ),
}
# say nothing of a value that a form could break
SILENT = {"Timezone", "Unit", "DocInfo"}
# what the others are made of
_GROUND = {"BaseMetadata", "GroupedMetadata"}


def field_with(kind: Any, constraint: Any) -> Field:
    class Base(DeclarativeBase):
        pass

    marks = getattr(constraint, "__metadata__", (constraint,))
    annotated = Annotated[(kind, *marks)]
    names = {"id": Mapped[int], "size": Mapped[annotated]}
    namespace = {
        "__tablename__": "thing",
        "__module__": __name__,
        "__annotations__": names,
        "id": mapped_column(primary_key=True),
    }
    thing = type("Thing", (Base,), namespace)
    return App("Things", Base, pages=[Page(thing)]).models["thing"].fields["size"]


def said(field: Field, value: Any) -> list[str]:
    return [found.message for found in value_problems(field, value, "size")]


@pytest.mark.parametrize("name", WORDS)
def test_a_broken_limit_is_a_sentence(name: str) -> None:
    """Nobody reads 'more than 0 or more': each constraint has words of its own."""
    kind, constraint, value, words = WORDS[name]

    assert [words] == said(field_with(kind, constraint), value)


def test_every_constraint_has_its_words() -> None:
    """None that a model may have is left without a test of what it says."""
    known = {
        name
        for name, found in inspect.getmembers(at, inspect.isclass)
        if {at.BaseMetadata, at.GroupedMetadata} & {*found.__mro__}
    }

    assert known - SILENT - _GROUND == known & WORDS.keys()


def test_a_limit_is_told_to_each_person_with_her_mark_and_clock() -> None:
    """What was first said to one is not what another reads (R16)."""
    least = field_with(Decimal, at.Ge(Decimal("0.25")))
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    aware = Annotated[datetime, mapped_column(sa.DateTime(timezone=True))]
    first = field_with(aware, at.Gt(noon))

    with with_mark(","), in_zone(timezone(timedelta(hours=1))):
        assert ["Size must be 0,25 or more. Correct it."] == said(least, Decimal(0))
        assert ["Size must be later than 1 Jan 2026, 13:00. Correct it."] == said(first, noon)
    with with_mark("."), in_zone(timezone(-timedelta(hours=1))):
        assert ["Size must be 0.25 or more. Correct it."] == said(least, Decimal(0))
        assert ["Size must be later than 1 Jan 2026, 11:00. Correct it."] == said(first, noon)
