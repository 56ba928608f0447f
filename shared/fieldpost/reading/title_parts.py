"""What a row's title is made of: a device needs these columns, and no others, to say it."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from types import CodeType
from typing import Any

from sqlalchemy.orm import MANYTOONE

from fieldpost.app import App
from fieldpost.schema.models import Model, table_of

_MOST_CODES = 200


@dataclass(frozen=True, slots=True)
class TitleParts:
    """What the words for a row are made of.

    Attributes:
        own: attributes of the row itself, foreign keys among them.
        pointed: by the model that the row points to, further attributes of that one.
    """

    own: frozenset[str]
    pointed: dict[str, frozenset[str]]


@cache
def title_parts(app: App, model: Model) -> TitleParts:
    """Return what the title of a model's rows is made of; never what is private.

    Where the class has a `__str__`, these are the columns that it names, also by way of its own
    properties and methods. What it reaches in another way a device does not have: its title says
    less there, and never too much.
    """
    if not model.has_own_words:
        return TitleParts(frozenset({model.title_attribute}), {})
    names = frozenset(_names(model.cls))
    own, pointed = set(names & model.readable), dict[str, frozenset[str]]()
    for relation in model.mapper.relationships:
        if relation.key not in names or relation.direction is not MANYTOONE:
            continue
        own |= {model.mapper.get_property_by_column(c).key for c in relation.local_columns}
        target = app.models.get(table_of(relation.mapper).name)
        if target is not None:
            pointed[target.name] = pointed.get(target.name, frozenset()) | names & target.readable
    return TitleParts(frozenset(own) & model.readable, pointed)


def _names(cls: type[Any]) -> Iterator[str]:
    """Yield all names that `__str__` and what it calls of its own class speak of."""
    left, seen = ["__str__"], set[str]()
    while left and len(seen) < _MOST_CODES:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        for code in _codes(inspect.getattr_static(cls, name, None)):
            left += [n for n in _names_in(code) if n not in seen]


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a comprehension, a lambda
            yield from _names_in(constant)


def _codes(written: Any) -> Iterator[CodeType]:
    """Yield the code of a method or property, through the wrappers that Python has for them."""
    if isinstance(written, property):
        written = written.fget
    elif isinstance(written, cached_property):
        written = written.func
    elif isinstance(written, staticmethod | classmethod):
        written = written.__func__
    elif hasattr(written, "fget"):  # a hybrid property
        written = written.fget
    code = getattr(inspect.unwrap(written) if callable(written) else None, "__code__", None)
    if isinstance(code, CodeType):
        yield code
