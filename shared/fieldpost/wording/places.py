"""Places: what things are sorted by, so that the same rows stand in one order everywhere."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.models import Key, Model
from fieldpost.text.collation import Order

UNSORTED = ATTACHMENT_KINDS | {Kind.LINKS}
"""Kinds of fields that nothing is sorted by."""

_ALIKE = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.YES_NO, Kind.CHOICE})


def are_alike(field: Field) -> bool:
    """Say whether databases put a field's values into the same order, so that they may sort."""
    return field.kind in _ALIKE


class by_code(GenericFunction[str]):  # noqa: N801 - SQL functions are lower-case in SQLAlchemy
    """A text that is sorted by the codes of its characters, whatever the database's collation."""

    type = sa.Text()
    inherit_cache = True


@compiles(by_code)
def _as_it_is(element: Any, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(by_code, "postgresql")
def _collated(element: Any, compiler: Any, **kw: Any) -> str:
    return f'({compiler.process(element.clauses, **kw)}) COLLATE "C"'


def in_database(field: Field, column: Any) -> Any:
    """Return what a database sorts a field by: choices as declared, texts by their codes."""
    if field.choices:
        values = [field.codec.from_text(choice.value) for choice in field.choices]
        return sa.case(*((column == value, place) for place, value in enumerate(values)))
    return by_code(column) if isinstance(column.type, sa.String) else column


def in_python(field: Field, order: Order) -> Callable[[Any], Any]:
    """Return the function that gives what a value of a field is sorted by; None where it is empty.

    An empty text is shown as no text is, and so it stands beside it.
    """
    if field.choices:
        return _places_of_choices(field)
    if field.kind in (Kind.TEXT, Kind.LONG_TEXT):
        return lambda value: place_of(order, "" if value is None else str(value))
    return lambda value: value


def place_of(order: Order, text: str) -> str | None:
    """Return what a text is sorted by; None where there is nothing to read."""
    return order.key(text) if text.strip() else None


def of_key(model: Model) -> Callable[[Key], Any]:
    """Return the function that gives what a key is sorted by, as `in_database` sorts it."""
    fields = [model.by_attribute[attribute] for attribute in model.key]
    if not any(field.choices for field in fields):
        return lambda key: key
    places = [_places_of_choices(f) if f.choices else (lambda part: part) for f in fields]
    return lambda key: tuple([place(part) for place, part in zip(places, key, strict=True)])


def _places_of_choices(field: Field) -> Callable[[Any], Any]:
    return {field.codec.from_text(c.value): n for n, c in enumerate(field.choices)}.get
