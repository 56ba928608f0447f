"""Moments as a form posts them: in the zone that it was opened in, with the hour that is meant."""

import re
from datetime import datetime

from fieldpost.ground.zones import in_zone, moments_of, offset_text, zone_name, zone_named
from fieldpost.schema.fields import Field, Kind

UNFINISHED = "(unfinished)"
"""Sent for what an input shows and cannot send, such as half of a date; no reader takes it."""

_SECONDS = re.compile(r"(:\d{2}):(\d{2})(?:[.](\d{1,6}))?(?=$|[+-])", re.ASCII)


def as_held(field: Field, text: str) -> str:
    """Return a text as an input holds it: clocks of browsers know no more than milliseconds.

    Some write all three of their digits, some leave out what is zero: here it is left out.
    """
    return _SECONDS.sub(_short, text) if field.kind in (Kind.TIME, Kind.DATETIME) else text


def _short(found: re.Match[str]) -> str:
    fraction = (found[3] or "")[:3].rstrip("0")
    if fraction:
        return f"{found[1]}:{found[2]}.{fraction}"
    return found[1] if found[2] == "00" else f"{found[1]}:{found[2]}"


ZONE = "_zone"
"""Name of the hidden field that says in which zone a form shows its moments."""

HOUR = ".hour"
"""Ends the name of what says which of two hours is meant, by its offset."""


def joined(text: str, offset: str) -> str:
    """Return a moment's text with an offset where its hour comes twice and this is one of them."""
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError:
        return text
    if not offset or wall.tzinfo is not None:
        return text
    found = moments_of(wall)
    is_one = len(found) == 2 and offset in map(offset_text, found)
    return text.strip() + offset if is_one else text


def in_this_zone(field: Field, text: str, zone: str) -> str:
    """Return what a form that was opened in another zone says of a moment, in the person's own."""
    if not zone or zone == zone_name():
        return text
    try:
        with in_zone(zone_named(zone)):
            moment = field.codec.from_text(text)
    except ValueError:
        return text
    return field.codec.to_text(moment)
