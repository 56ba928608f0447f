"""Values in words: what lists, views, choices, messages and searches take for a value's text."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.unreadable import WORDS, Unreadable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def words_for(field: Field, value: Any) -> str:
    """Return a value as a person reads it; empty for None.

    Of a lookup or of linked rows it is their keys: what those rows are called is asked for where
    they can be read (`fieldpost.wording.titles`).
    """
    if value is None:
        return ""
    if isinstance(value, Unreadable):
        return WORDS
    if field.kind is Kind.YES_NO:
        return "Yes" if value else "No"
    if field.kind is Kind.CHOICE:
        text = field.codec.to_text(value)
        return next((c.label for c in field.choices if c.value == text), text)
    if field.kind in ATTACHMENT_KINDS:
        count = len(value) if isinstance(value, list) else 1
        return f"{count} photos" if count > 1 else "Yes" if count else ""
    return plain_words(value)


def sought_words(field: Field, value: Any) -> str:
    """Return what a search looks at: a value's words, and of a day how computers write it, too."""
    words = words_for(field, value)
    return f"{words} {value.isoformat()}" if isinstance(value, date) else words


def plain_words(value: Any) -> str:
    """Return a value that no field explains."""
    match value:
        case datetime():
            return f"{plain_words(value.date())}, {value:%H:%M}"
        case date():
            return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
        case time():
            return f"{value:%H:%M}"
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
