"""How values travel: one codec for each column type, between Python, JSON and form text.

Form text is what people write: numbers and moments are read as they spell them, in their zone.

Decimals are strings, dates and times ISO 8601, aware moments carry their offset, enums go by value,
binary content is referred to by SHA-256 (`docs/protocol.md`, "Values").
"""

import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import sqlalchemy as sa

from fieldpost.errors import Code
from fieldpost.ground.zones import (
    around,
    in_whole_minutes,
    local,
    moments_of,
    offset_text,
    offset_words,
    wall_text,
)
from fieldpost.moments import day_words, time_words
from fieldpost.schema.column_types import AwareDateTime, ExactDecimal
from fieldpost.schema.unreadable import ENCODED, Unreadable
from fieldpost.text import jsontext
from fieldpost.text.characters import bad_character
from fieldpost.text.numbers import (
    AmbiguousNumber,
    NotANumber,
    current_mark,
    marked,
    plain_number,
)
from fieldpost.types import Attachment, AttachmentType

# digits are those of ASCII: which others there are is another thing in each edition of Unicode
_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?|[+-]?\.\d{1,40}", re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})(e[+-]?\d{1,6})?", re.ASCII | re.IGNORECASE
)
_UUID = re.compile(r"[0-9a-f]{8}(-?)([0-9a-f]{4}\1){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class ValueProblem(ValueError):
    """A value does not fit its column; `code` names the catalogue's entry."""

    def __init__(self, code: Code, **words: Any) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class Codec:
    """How the values of one column travel.

    Attributes:
        to_json: typed value to plain JSON data (never called with None).
        from_json: the way back; raises `ValueProblem`.
        from_text: what a form's input holds to a typed value; raises `ValueProblem`.
        to_text: typed value to what a form's input holds.
    """

    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]
    from_text: Callable[[str], Any]
    to_text: Callable[[Any], str]

    def encode(self, value: Any) -> Any:
        """Return the value as JSON data, None included."""
        if type(value) is Unreadable:
            return ENCODED
        return None if value is None else self.to_json(value)

    def decode(self, data: Any) -> Any:
        """Return JSON data as a value, None included; raises `ValueProblem`."""
        return None if data is None else self.from_json(data)

    def decode_key(self, data: Any) -> Any:
        """Return a part of a key; a text may hold what no form takes: its row is to be found."""
        try:
            return self.decode(data)
        except ValueProblem as error:
            if error.code is Code.NOT_TEXT and isinstance(data, str):
                return data
            raise


def _same(value: Any) -> Any:
    return value


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise ValueProblem(Code.NOT_TEXT, where="")
    if found := bad_character(data):
        raise ValueProblem(Code.NOT_TEXT, where=f": {found}")
    return data


def _text_from_form(text: str) -> str:
    # browsers send line ends as CR LF (HTML, "form submission"), JSON keeps LF
    return _text(text.replace("\r\n", "\n").replace("\r", "\n"))


def _whole(data: Any) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise ValueProblem(Code.NOT_A_WHOLE_NUMBER)
    return data


def _plain(text: str, code: Code) -> str:
    try:
        return plain_number(text)
    except AmbiguousNumber as found:
        is_whole = code is Code.NOT_A_WHOLE_NUMBER
        # what is offered can be written here: a whole number has nothing behind its mark
        fraction = found.fraction.partition(current_mark())[0] if is_whole else found.fraction
        words = {"text": text.strip(), "whole": found.whole, "fraction": fraction}
        raise ValueProblem(Code.AMBIGUOUS_NUMBER, **words) from found
    except NotANumber as error:
        raise ValueProblem(code) from error


def _whole_from_form(text: str) -> int:
    plain = _plain(text, Code.NOT_A_WHOLE_NUMBER)
    if not re.fullmatch(r"-?[0-9]{1,30}", plain):
        raise ValueProblem(Code.NOT_A_WHOLE_NUMBER)
    return int(plain)


def _decimal(data: Any) -> Decimal:
    if not isinstance(data, str) or not _DECIMAL.fullmatch(data.strip()):
        raise ValueProblem(Code.NOT_A_NUMBER)
    try:
        return Decimal(data.strip())
    except InvalidOperation as error:
        raise ValueProblem(Code.NOT_A_NUMBER) from error


def _decimal_from_form(text: str) -> Decimal:
    return _decimal(_plain(text, Code.NOT_A_NUMBER))


def _decimal_text(value: Decimal) -> str:
    return format(value, "f")


def _decimal_form_text(value: Decimal) -> str:
    return marked(_decimal_text(value))


def _float(data: Any) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueProblem(Code.NOT_A_NUMBER)
    try:
        number = float(data)
    except OverflowError as error:
        raise ValueProblem(Code.NOT_A_NUMBER) from error
    if not math.isfinite(number):
        raise ValueProblem(Code.NOT_A_NUMBER)
    return number


def _float_from_form(text: str) -> float:
    plain = _plain(text, Code.NOT_A_NUMBER)
    if not _FLOAT.fullmatch(plain):
        raise ValueProblem(Code.NOT_A_NUMBER)
    return _float(float(plain))


def _float_json(value: Any) -> Any:
    # JSON has neither: they travel as they do in a download, and nobody can type them
    return value if math.isfinite(value) else None if math.isnan(value) else str(value)


def _float_form_text(value: Any) -> str:
    return marked(repr(value)) if isinstance(value, float) else str(value)


def _boolean(data: Any) -> bool:
    if not isinstance(data, bool):
        raise ValueProblem(Code.NOT_A_YES_OR_NO)
    return data


_YES_AND_NO = {
    "true": True,
    "on": True,
    "1": True,
    "yes": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def _boolean_from_form(text: str) -> bool:
    try:
        return _YES_AND_NO[text.strip().lower()]
    except KeyError as error:
        raise ValueProblem(Code.NOT_A_YES_OR_NO) from error


def _iso(parse: Callable[[str], Any], shape: str, code: Code) -> Callable[[Any], Any]:
    # fromisoformat alone accepts week dates and compact forms, and more of them in newer Pythons
    pattern = re.compile(shape, re.ASCII)

    def read(data: Any) -> Any:
        if not isinstance(data, str) or not pattern.fullmatch(data.strip()):
            raise ValueProblem(code)
        try:
            return parse(data.strip())
        except ValueError as error:
            raise ValueProblem(code) from error

    return read


_DATE = r"\d{4}-\d{2}-\d{2}"
# newer Pythons read 24:00 as the next midnight: neither side takes it
_TIME = r"([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d{1,6})?)?"
_OFFSET = r"(Z|[+-]\d{2}:\d{2})"
_date = _iso(date.fromisoformat, _DATE, Code.NOT_A_DATE)
_time = _iso(time.fromisoformat, _TIME, Code.NOT_A_TIME)
_naive = _iso(datetime.fromisoformat, f"{_DATE}[T ]{_TIME}", Code.NOT_A_MOMENT)
_aware = _iso(datetime.fromisoformat, f"{_DATE}[T ]{_TIME}{_OFFSET}?", Code.NOT_A_MOMENT)


def _moment(data: Any) -> datetime:
    moment: datetime = _aware(data)
    if moment.tzinfo is None:
        raise ValueProblem(Code.NOT_A_MOMENT)
    try:
        return local(moment.astimezone(UTC))
    except OverflowError as error:
        raise ValueProblem(Code.NOT_A_MOMENT) from error


def _moment_from_form(text: str) -> datetime:
    """Return the moment with the person's offset; without one in the text her clock is meant."""
    wall: datetime = _aware(text)
    if wall.tzinfo is not None:
        return _moment(text)
    found = moments_of(wall)
    if len(found) == 1:
        return found[0]
    words = {"time": time_words(wall), "day": day_words(wall.date())}
    if found:
        first, second = (offset_words(moment) for moment in found)
        raise ValueProblem(Code.HOUR_TWICE, first=first, second=second, **words)
    try:
        before, after = (f"{time_words(m)} ({offset_words(m)})" for m in around(wall))
    except (OverflowError, ValueError) as error:
        raise ValueProblem(Code.NOT_A_MOMENT) from error
    raise ValueProblem(Code.HOUR_SKIPPED, before=before, after=after, **words)


def _moment_json(value: datetime) -> str:
    return in_whole_minutes(value).isoformat()


def _moment_text(value: datetime) -> str:
    """Return what the person's clock shows, with the offset in the hour that comes twice."""
    shown = local(value)
    text = wall_text(shown)
    is_clear = [shown] == moments_of(shown.replace(tzinfo=None, fold=0))
    return text if is_clear else text + offset_text(in_whole_minutes(shown))


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


def _uuid(data: Any) -> uuid.UUID:
    if not isinstance(data, str) or not _UUID.fullmatch(data.strip()):
        raise ValueProblem(Code.NOT_AN_ID)
    return uuid.UUID(data.strip())


def _enum_codec(type_: sa.Enum) -> Codec:
    if type_.enum_class is None:
        values: dict[Any, Any] = {name: name for name in type_.enums}
    else:
        values = {member.value: member for member in type_.enum_class}

    def value_of(member: Any) -> Any:
        return member.value if isinstance(member, Enum) else member

    def from_json(data: Any) -> Any:
        if not isinstance(data, str | int) or isinstance(data, bool) or data not in values:
            raise ValueProblem(Code.NOT_A_CHOICE)
        return values[data]

    texts = {str(value): member for value, member in values.items()}

    def from_text(text: str) -> Any:
        if text not in texts:
            raise ValueProblem(Code.NOT_A_CHOICE)
        return texts[text]

    return Codec(value_of, from_json, from_text, lambda member: str(value_of(member)))


def _attachment_codec(several: bool) -> Codec:
    import json

    def from_json(data: Any) -> Any:
        if several and (not isinstance(data, list) or len(data) > MOST_ATTACHMENTS):
            raise ValueProblem(Code.NOT_AN_ATTACHMENT)
        try:
            if not several:
                return Attachment.from_json(data)
            return [Attachment.from_json(entry) for entry in data]
        except ValueError as error:
            raise ValueProblem(Code.NOT_AN_ATTACHMENT) from error

    def to_json(value: Any) -> Any:
        return [entry.to_json() for entry in value] if several else value.to_json()

    def from_text(text: str) -> Any:
        try:
            data = jsontext.parse(text)
        except ValueError as error:
            raise ValueProblem(Code.NOT_AN_ATTACHMENT) from error
        return from_json(data)

    return Codec(
        to_json, from_json, from_text, lambda value: json.dumps(to_json(value), ensure_ascii=False)
    )


MOST_ATTACHMENTS = 50
"""How many attachments one field may hold."""

_TEXT = Codec(_same, _text, _text_from_form, str)
_DECIMALS = Codec(_decimal_text, _decimal, _decimal_from_form, _decimal_form_text)
_CODECS: tuple[tuple[type[Any], Codec], ...] = (
    (sa.Boolean, Codec(_same, _boolean, _boolean_from_form, lambda v: "true" if v else "false")),
    (sa.Integer, Codec(_same, _whole, _whole_from_form, str)),
    (ExactDecimal, _DECIMALS),
    (sa.Numeric, _DECIMALS),
    (sa.Date, Codec(_isoformat, _date, _date, _isoformat)),
    (sa.Time, Codec(_isoformat, _time, _time, wall_text)),
    (AwareDateTime, Codec(_moment_json, _moment, _moment_from_form, _moment_text)),
    (sa.DateTime, Codec(_isoformat, _naive, _naive, wall_text)),
    (sa.Uuid, Codec(str, _uuid, _uuid, str)),
    (sa.String, _TEXT),
)
_FLOATS = Codec(_float_json, _float, _float_from_form, _float_form_text)


def codec_for(type_: sa.types.TypeEngine[Any]) -> Codec | None:
    """Return the codec for a column's type, or None where values of it cannot travel in a form."""
    if isinstance(type_, AttachmentType):
        return _attachment_codec(type_.several)
    if isinstance(type_, sa.Enum):
        return _enum_codec(type_)
    if isinstance(type_, sa.Float) or (isinstance(type_, sa.Numeric) and not type_.asdecimal):
        return _FLOATS
    return next((codec for kind, codec in _CODECS if isinstance(type_, kind)), None)
