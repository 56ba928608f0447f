"""Values in words: what lists, views, choices, messages and searches take for a value's text."""

from datetime import date
from decimal import Decimal
from typing import Any

from fieldpost.moments import told
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.unreadable import WORDS, Unreadable
from fieldpost.text.numbers import marked


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
    """Return a value that no field explains, as the person sees it: her clock and her mark."""
    if (words := told(value)) is not None:
        return words
    match value:
        case Decimal():
            return marked(format(value, "f"))
        case float():
            return marked(str(value))
        case _:
            return str(value)
