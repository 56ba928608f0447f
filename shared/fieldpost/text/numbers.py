"""Numbers as people write them: one reader for all spellings, and one way to write them.

The rule: of a point and a comma the last one is the decimal mark. One that stands alone is it, too,
unless exactly three digits follow and it is not the person's own mark: ``1,234`` may be a thousand
or a bit more than one, so it is asked about. What forms show has the person's own mark and no
groups, so that it always reads as the same number.
"""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

POINT, COMMA = ".", ","

_current: ContextVar[str | None] = ContextVar("fieldpost_mark", default=None)
_own: str = POINT

# what keyboards and papers of other countries have for the same thing
_SIGNS = dict.fromkeys(map(ord, "\u2212\u2012\u2013\u2010\u2011\ufe63\uff0d\u207b"), "-")
_MARKS = {ord("\uff0e"): ".", ord("\uff0c"): ",", ord("\ufe52"): ".", ord("\u060c"): ","}
_QUOTES = dict.fromkeys(map(ord, "\u2019\u2018\u02bc\u00b4\u0060\uff07\u066c\u02d9"), "'")
_UNSEEN = dict.fromkeys(
    map(ord, "\u200b\u200e\u200f\u061c\u2060\ufeff\u202a\u202b\u202c\u2066\u2067\u2068\u2069")
)
_PLAIN = {**_SIGNS, **_MARKS, **_QUOTES, **_UNSEEN, ord("\uff0b"): "+", ord("\u066b"): "d"}
_LONGEST = 500

_NUMBER = re.compile(r"([+-]?)\s*([0-9., 'd]*[0-9d.,])(e[+-]?[0-9]{1,6})?", re.IGNORECASE)
_LIKE_GROUPS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_GROUPED = re.compile(r"[0-9]{1,3}(?:([ '.,])[0-9]{2,3})*(?:[ '.,][0-9]{3})")


class NotANumber(ValueError):
    """A text is no number."""


class AmbiguousNumber(NotANumber):
    """A text is one of two numbers; both are spelled so that they can be read in one way only."""

    def __init__(self, whole: str, fraction: str) -> None:
        super().__init__(f"{whole} or {fraction}")
        self.whole = whole
        self.fraction = fraction


@contextmanager
def with_mark(mark: str) -> Iterator[None]:
    """Write and read numbers with this decimal mark while the block runs."""
    token = _current.set(mark)
    try:
        yield
    finally:
        _current.reset(token)


def set_own_mark(mark: str) -> None:
    """Make this the decimal mark of everything that runs outside of `with_mark`."""
    global _own  # noqa: PLW0603 - one process, one person or office
    _own = COMMA if mark == COMMA else POINT


def current_mark() -> str:
    """Return the decimal mark of the person for whom the code runs: a point or a comma."""
    return _current.get() or _own


def marked(plain: str) -> str:
    """Return a plain number, such as ``-12.5``, with the person's decimal mark."""
    return plain.replace(POINT, current_mark())


def plain_number(text: str) -> str:
    """Return a number as computers write it: ASCII digits, a point, no groups, an exponent or none.

    Raises:
        AmbiguousNumber: it may be one of two numbers.
        NotANumber: it is none.
    """
    found = _NUMBER.fullmatch(_plain_characters(text))
    if found is None:
        raise NotANumber(text)
    sign, body, exponent = found[1], found[2].strip(), found[3] or ""
    whole, fraction = _parts(sign, body)
    digits = _ungrouped(whole) if whole else ""
    if not (digits or fraction) or not (fraction.isdigit() or not fraction):
        raise NotANumber(text)
    point = f".{fraction}" if fraction else ""
    return f"{sign if sign == '-' else ''}{digits or '0'}{point}{exponent}"


def _plain_characters(text: str) -> str:
    if len(text) > _LONGEST:
        raise NotANumber("it is too long")
    return "".join(map(_plain_character, text.translate(_PLAIN).strip()))


def _plain_character(character: str) -> str:
    if character.isascii():
        return " " if character in "\t\n\r\f\v" else character
    # which others there are is another thing in each edition of Unicode: one for all Pythons
    if unicodedata.ucd_3_2_0.category(character) == "Zs":
        return " "
    digit = unicodedata.ucd_3_2_0.decimal(character, None)
    return character if digit is None else str(digit)


def _parts(sign: str, body: str) -> tuple[str, str]:
    """Return what stands before the decimal mark, and what after it."""
    mark = _decimal_mark(sign, body)
    if not mark:
        return body, ""
    whole, _, fraction = body.rpartition(mark)
    if mark in whole:
        raise NotANumber(body)
    return whole, fraction


def _decimal_mark(sign: str, body: str) -> str:
    """Return which character is the decimal mark; empty where there is none."""
    if "d" in body:
        return "d"
    there = [mark for mark in (POINT, COMMA) if mark in body]
    if len(there) == 2:
        return max(there, key=body.rindex)
    if not there or body.count(there[0]) > 1:
        return ""
    mark = there[0]
    if mark != current_mark() and _LIKE_GROUPS.fullmatch(body):
        whole, fraction = body.replace(mark, ""), body.replace(mark, current_mark())
        raise AmbiguousNumber(sign + whole, sign + fraction)
    return mark


def _ungrouped(whole: str) -> str:
    """Return the digits of groups; raises `NotANumber` where nobody groups so."""
    if whole.isdigit():
        return whole
    separators = {c for c in whole if not c.isdigit()}
    if len(separators) != 1 or not _GROUPED.fullmatch(whole):
        raise NotANumber(whole)
    return re.sub(r"[^0-9]", "", whole)
