"""Checks of single values against what the model says about them."""

import logging
import operator
from collections.abc import Callable, Sequence
from datetime import date, time
from decimal import Decimal, localcontext
from functools import cache, partial
from typing import Any

import annotated_types as at
import sqlalchemy as sa

from fieldpost.errors import Code, Problem, problem
from fieldpost.schema.associations import MOST_LINKS
from fieldpost.schema.column_types import EXACT_DIGITS, ExactDecimal, integer_bits
from fieldpost.schema.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.schema.value_words import plain_words
from fieldpost.schema.values import ValueProblem
from fieldpost.wire.protocol import MAX_TEXT_CHARACTERS

_LISTS = ATTACHMENT_KINDS | {Kind.LINKS}
"""Kinds of fields that hold nothing where they hold an empty list."""

# of numbers, and of days and times
_AT_LEAST = ("{} or more", "{} or later")
_ABOVE = ("more than {}", "later than {}")
_AT_MOST = ("{} or less", "{} or earlier")
_BELOW = ("less than {}", "earlier than {}")

Fault = tuple[Code, str]
"""An entry of the catalogue, and the limit that it names."""

_log = logging.getLogger("fieldpost")
_Check = Callable[[Any], Fault | None]


def read_json(field: Field, data: Any, path: str) -> tuple[Any, Problem | None]:
    """Return the typed value of JSON data, or the problem with it."""
    try:
        return field.codec.decode(data), None
    except ValueProblem as error:
        return None, _worded(error, field, path)


def read_text(field: Field, text: str, path: str) -> tuple[Any, Problem | None]:
    """Return the typed value of what a form's input holds; of nothing but spaces `field.empty`."""
    if not text.strip():
        return field.empty, None
    try:
        return field.codec.from_text(text), None
    except ValueProblem as error:
        return None, _worded(error, field, path)


def _worded(error: ValueProblem, field: Field, path: str) -> Problem:
    return problem(error.code, path, label=field.label, **error.words)


def value_problems(field: Field, value: Any, path: str, *, absent: bool = False) -> list[Problem]:
    """Return all that is wrong with a typed value.

    Args:
        field: whose value it is.
        value: typed, or None.
        path: the field's place in the form.
        absent: the value was not given at all, so that a default may stand in for it.
    """
    faults = value_faults(field, value, absent=absent)
    return [problem(code, path, label=field.label, limit=limit) for code, limit in faults]


def value_faults(field: Field, value: Any, *, absent: bool = False) -> Sequence[Fault]:
    """Return what `value_problems` says without words or place; mostly nothing, and quickly."""
    if value is None or (field.kind in _LISTS and value == []):
        is_missed = field.required and not (absent and has_default(field))
        return [(Code.REQUIRED, "")] if is_missed else ()
    if field.empty == "" and value == "":
        return ()
    return [fault for check in _checks(field) if (fault := check(value)) is not None]


def has_default(field: Field) -> bool:
    """Say whether the column fills itself in."""
    column = field.column
    return column.default is not None or column.server_default is not None


def fills_itself(field: Field) -> bool:
    """Say whether the database fills in what a new row leaves out, with what no form can show."""
    default: Any = field.column.default
    if default is not None:
        return bool(default.is_sequence or default.is_clause_element)
    return field.column.server_default is not None


@cache
def _checks(field: Field) -> tuple[_Check, ...]:
    """Return the checks of a field: of its column, then of its constraints in their order."""
    constraints = (constraint_check(each, field.kind) for each in field.constraints)
    return tuple(check for check in (_column_check(field), *constraints) if check is not None)


def _column_check(field: Field) -> _Check | None:
    type_ = field.column.type
    if field.kind is Kind.LINKS:
        return _check(lambda v: len(v) <= MOST_LINKS, Code.TOO_LONG, f"{MOST_LINKS:,} entries")
    if isinstance(type_, sa.Integer):
        return partial(_integer_fault, 1 << integer_bits(type_))
    if isinstance(type_, ExactDecimal):
        exact: Any = type_.impl_instance
        return partial(_decimal_fault, exact.scale, exact.precision)
    if isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        longest = min(type_.length or MAX_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS)
        too_long = (Code.TOO_LONG, f"{longest} characters")
        return lambda value: too_long if len(value) > longest else None
    return None


def _integer_fault(limit: int, value: int) -> Fault | None:
    if value >= limit:
        return Code.TOO_LARGE, _AT_MOST[0].format(limit - 1)
    return (Code.TOO_SMALL, _AT_LEAST[0].format(-limit)) if value < -limit else None


def _decimal_fault(scale: int | None, precision: int | None, value: Decimal) -> Fault | None:
    places = _places(value)
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    if scale is not None and places > scale:
        return Code.TOO_MANY_DIGITS, f"{scale} after the point"
    if precision is not None and whole > precision - (scale or 0):
        return Code.TOO_MANY_DIGITS, f"{precision - (scale or 0)} before the point"
    if whole + places > EXACT_DIGITS:
        return Code.TOO_MANY_DIGITS, f"{EXACT_DIGITS} in all"
    return None


def _places(value: Decimal) -> int:
    """Return how many digits after the point a number needs."""
    # counted: arithmetic with more digits than the context's precision raises, or rounds
    fraction = f"{value:f}".partition(".")[2]
    return len(fraction.rstrip("0"))


def _is_multiple(value: Any, limit: Any) -> bool:
    with localcontext() as context:
        # a form takes 80 digits, and a remainder needs all of the quotient's
        context.prec = 200
        return not value % limit


def constraint_check(constraint: Any, kind: Kind) -> _Check | None:
    """Return what says which entry of the catalogue, with which limit, a value breaks."""
    match constraint:
        case at.Ge(ge=limit):
            return partial(_limit_fault, limit, operator.ge, Code.TOO_SMALL, *_AT_LEAST)
        case at.Gt(gt=limit):
            return partial(_limit_fault, limit, operator.gt, Code.TOO_SMALL, *_ABOVE)
        case at.Le(le=limit):
            return partial(_limit_fault, limit, operator.le, Code.TOO_LARGE, *_AT_MOST)
        case at.Lt(lt=limit):
            return partial(_limit_fault, limit, operator.lt, Code.TOO_LARGE, *_BELOW)
        case at.MultipleOf(multiple_of=limit):
            return partial(_limit_fault, limit, _is_multiple, Code.NOT_A_MULTIPLE, "{}", "{}")
        case at.MinLen(min_length=limit):
            shortest = limit
            return _check(lambda v: len(v) >= shortest, Code.TOO_SHORT, _counted(limit, kind))
        case at.MaxLen(max_length=limit):
            longest = limit
            return _check(lambda v: len(v) <= longest, Code.TOO_LONG, _counted(limit, kind))
        case at.Predicate(func=allowed):
            return partial(_predicate_fault, allowed)
    return None


def _limit_fault(
    limit: Any, is_kept: Callable[[Any, Any], Any], code: Code, words: str, of_time: str, value: Any
) -> Fault | None:
    if is_kept(value, limit):
        return None
    # put into words for each person: her mark and her clock are not those of the first who asked
    return code, (of_time if isinstance(limit, date | time) else words).format(plain_words(limit))


def _predicate_fault(allowed: Callable[[Any], Any], value: Any) -> Fault | None:
    try:
        return None if allowed(value) else (Code.NOT_ALLOWED, "")
    except Exception as error:  # noqa: BLE001 - an author's code: what nobody could check is not taken
        _log.exception("a predicate failed")
        return Code.CHECK_FAILED, f"{type(error).__name__}: {error}"[:200]


def _check(is_kept: Callable[[Any], Any], code: Code, limit: str) -> _Check:
    fault = (code, limit)
    return lambda value: None if is_kept(value) else fault


def _counted(limit: int, kind: Kind) -> str:
    thing = "photo" if kind is Kind.PHOTOS else "character"
    return f"{limit} {thing}" + ("" if limit == 1 else "s")
