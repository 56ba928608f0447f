"""Places of values: what they are sorted by in Python, so that one order holds everywhere."""

from collections.abc import Callable
from typing import Any

from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.unreadable import Unreadable
from fieldpost.text.collation import Order


def in_python(field: Field, order: Order) -> Callable[[Any], Any]:
    """Return the function that gives what a value of a field is sorted by; None where it is empty.

    An empty text is shown as no text is, and so it stands beside it.
    """
    if field.choices:
        return places_of_choices(field)
    if field.kind in (Kind.TEXT, Kind.LONG_TEXT):
        return lambda value: place_of(order, "" if value is None else str(value))
    return plain


def plain(value: Any) -> Any:
    """Return what a value is sorted by that says it itself; None where it could not be read."""
    return None if type(value) is Unreadable else value


def place_of(order: Order, text: str) -> str | None:
    """Return what a text is sorted by; None where there is nothing to read."""
    return order.key(text) if text.strip() else None


def places_of_choices(field: Field) -> Callable[[Any], Any]:
    """Return the function that gives the place of a choice: as they are declared."""
    return {field.codec.from_text(c.value): n for n, c in enumerate(field.choices)}.get


def upwards(place: Any) -> tuple[bool, Any]:
    """Return what sorts places with nothing last."""
    return place is None, place


def downwards(place: Any) -> tuple[bool, Any]:
    """Return what sorts places in reverse with nothing last."""
    return place is not None, place
