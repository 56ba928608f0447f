"""Statements that replay runs again and again, made once: making one costs more than running it.

What they depend on besides the models (the user's scope) is kept with a session, and no longer.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost.models import Key, Model

T = TypeVar("T")

KEPT = "fieldpost_statements"
"""Where `Session.info` keeps them; sessions that share the value share the statements."""

_PART = "fieldpost_key_"
"""Begins the names of parameters: SQLAlchemy takes one that is named as a column for its value."""


def kept(session: Session, what: Hashable, make: Callable[[], T]) -> T:
    """Return what a session keeps under a name, made where it is not there yet."""
    found: dict[Hashable, T] = session.info.setdefault(KEPT, {})
    if what not in found:
        found[what] = make()
    return found[what]


def has_key(columns: Sequence[Any]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that columns hold a key, which `key_values` gives at each run."""
    return [column == sa.bindparam(f"{_PART}{n}") for n, column in enumerate(columns)]


def key_values(key: Key) -> dict[str, Any]:
    """Return the parameters for `has_key`."""
    return {f"{_PART}{n}": part for n, part in enumerate(key)}


def find(session: Session, model: Model, key: Key, *, locking: bool = False) -> Any:
    """Return the mapped object with a key, or None: `Session.get`, which makes its statement anew.

    Args:
        session: where it is looked for.
        model: whose row it is.
        key: typed.
        locking: keep other transactions from changing the row.
    """
    if model.mapper.identity_key_from_primary_key(key) in session.identity_map:
        return session.get(model.cls, key, with_for_update=True if locking else None)
    found = session.scalars(_row_with_key(model, locking=locking), key_values(key))
    return found.unique().first()


@cache
def _row_with_key(model: Model, *, locking: bool) -> sa.Select[Any]:
    query = sa.select(model.cls).where(*has_key([model.column(a) for a in model.key]))
    return query.with_for_update() if locking else query
