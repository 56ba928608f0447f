"""Which input can hold a field's text: none may change what it was given to show.

A browser empties an input of a kind that cannot hold its text, and drops the line ends of a single
line; what comes back would be another value, though nobody had touched it.
"""

from datetime import datetime

import annotated_types as at
import sqlalchemy as sa

from fieldpost.ground.zones import moments_of, offset_text, offset_words
from fieldpost.odp.form.posted_moments import UNFINISHED
from fieldpost.schema.fields import Choice, Field, Kind
from fieldpost.schema.values import codec_for

_SINGLE_LINES = {
    Kind.TEXT,
    Kind.INTEGER,
    Kind.DECIMAL,
    Kind.DATE,
    Kind.TIME,
    Kind.DATETIME,
    Kind.ID,
}
_TYPES = {Kind.DATE: "date", Kind.TIME: "time", Kind.DATETIME: "datetime-local"}
_CODECS = {
    Kind.DATE: codec_for(sa.Date()),
    Kind.TIME: codec_for(sa.Time()),
    Kind.DATETIME: codec_for(sa.DateTime()),
}


def input_type(field: Field, text: str) -> str:
    """Return the `type` of the input for a text: 'text' where a browser would not show it."""
    wanted = _TYPES.get(field.kind, "text")
    codec = _CODECS.get(field.kind)
    if codec is None or not text or text == UNFINISHED:
        return wanted
    try:
        is_plain = codec.to_text(codec.from_text(text)) == text.replace(" ", "T")
    except ValueError:
        return "text"
    return wanted if is_plain else "text"


def needs_lines(field: Field, text: str) -> bool:
    """Say whether a text is for several lines."""
    if field.kind is Kind.LONG_TEXT:
        return True
    return field.kind in _SINGLE_LINES and bool({*"\r\n"} & {*text})


def keypad(field: Field) -> str:
    """Return the `inputmode` of a number; keypads of some phones have no minus."""
    if not _is_never_negative(field):
        return "text"
    return "numeric" if field.kind is Kind.INTEGER else "decimal"


def _is_never_negative(field: Field) -> bool:
    for each in field.constraints:
        lowest = each.ge if isinstance(each, at.Ge) else each.gt if isinstance(each, at.Gt) else -1
        if lowest >= 0:  # type: ignore[operator]  # a number's limit is a number
            return True
    return False


def parted(field: Field, text: str) -> tuple[str, list[Choice], str]:
    """Return a moment's text without its offset, the hours that it may be, and the one that it is.

    There is a choice only in the hour that clocks repeat; its values are offsets.
    """
    if not field.is_aware or not text:
        return text, [], ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text, [], ""
    found = moments_of(moment.replace(tzinfo=None))
    if len(found) != 2:
        return text, [], ""
    words = ("The first", "The second")
    hours = [
        Choice(offset_text(m), f"{word} ({offset_words(m)})")
        for word, m in zip(words, found, strict=True)
    ]
    meant = offset_text(moment) if moment.tzinfo is not None else ""
    if meant and meant not in {hour.value for hour in hours}:
        return text, [], ""
    return text.removesuffix(meant), hours, meant
