"""The order of child rows: as the author's relationship has it, made in Python on every home."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators

from fieldpost.schema.fields import Field
from fieldpost.schema.places import downwards, in_python, places_of_choices, plain, upwards
from fieldpost.text.collation import Order

By = tuple[tuple[str, bool], ...]
"""Attributes to sort by, and whether downwards."""


def order_by_of(child: Mapper[Any], order_by: Iterable[Any]) -> By | None:
    """Return what a relationship orders its rows by; None where that is more than columns."""
    found = []
    for each in order_by:
        is_turned = isinstance(each, sa.UnaryExpression)
        column = each.element if is_turned else each
        if is_turned and each.modifier not in (operators.asc_op, operators.desc_op):
            return None
        if not isinstance(column, sa.Column) or column.table is not child.local_table:
            return None
        attribute = child.get_property_by_column(column).key
        found.append((attribute, is_turned and each.modifier is operators.desc_op))
    return tuple(found)


def sort_by_key(rows: list[Any], key: Sequence[Field], counted: str | None) -> None:
    """Sort rows as people made them, as far as their keys say it.

    Args:
        rows: mapped objects.
        key: the fields of their key.
        counted: the attribute of a key that is counted up: temporary ones count down, and are
            younger than all others.
    """

    def made(row: Any) -> Any:
        if counted is not None:
            number = plain(getattr(row, counted)) or 0
            return number < 0, abs(number)
        parts = ((places_of_choices(f) if f.choices else plain, f.attribute) for f in key)
        return [upwards(place(getattr(row, attribute))) for place, attribute in parts]

    rows.sort(key=made)


def sort_by(rows: list[Any], fields: Sequence[tuple[Field, bool]], order: Order) -> None:
    """Sort rows by fields, the first one counting most; what is empty comes last."""
    for field, is_turned in reversed(fields):
        place = in_python(field, order)
        rows.sort(key=_placed(field.attribute, place, turned=is_turned), reverse=is_turned)


def _placed(attribute: str, place: Callable[[Any], Any], *, turned: bool) -> Callable[[Any], Any]:
    last = downwards if turned else upwards
    return lambda row: last(place(getattr(row, attribute)))
