"""Places: what things are sorted by, so that the same rows stand in one order everywhere."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.models import Key, Model
from fieldpost.schema.places import places_of_choices

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


def of_key(model: Model) -> Callable[[Key], Any]:
    """Return the function that gives what a key is sorted by, as `in_database` sorts it."""
    fields = [model.by_attribute[attribute] for attribute in model.key]
    if not any(field.choices for field in fields):
        return lambda key: key
    places = [places_of_choices(f) if f.choices else (lambda part: part) for f in fields]
    return lambda key: tuple([place(part) for place, part in zip(places, key, strict=True)])
