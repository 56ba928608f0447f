"""Checks of single values against what the model says about them."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import annotated_types as at
import sqlalchemy as sa

from fieldpost.columns import EXACT_DIGITS, ExactDecimal, integer_bits
from fieldpost.errors import Code, Problem, problem
from fieldpost.fields import ATTACHMENT_KINDS, Field, Kind
from fieldpost.protocol import MAX_TEXT_CHARACTERS
from fieldpost.values import ValueProblem

_LISTS = ATTACHMENT_KINDS | {Kind.LINKS}
"""Kinds of fields that hold nothing where they hold an empty list."""


def read_json(field: Field, data: Any, path: str) -> tuple[Any, Problem | None]:
    """Return the typed value of JSON data, or the problem with it."""
    try:
        return field.codec.decode(data), None
    except ValueProblem as error:
        return None, _worded(error, field, path)


def read_text(field: Field, text: str, path: str) -> tuple[Any, Problem | None]:
    """Return the typed value of what a form's input holds; nothing but spaces is None."""
    if not text.strip():
        return None, None
    try:
        return field.codec.from_text(text), None
    except ValueProblem as error:
        return None, _worded(error, field, path)


def _worded(error: ValueProblem, field: Field, path: str) -> Problem:
    return problem(error.code, path, label=field.label, **error.words)


def value_problems(
    field: Field, value: Any, path: str, *, absent: bool = False
) -> Iterator[Problem]:
    """Yield all that is wrong with a typed value.

    Args:
        field: whose value it is.
        value: typed, or None.
        path: the field's place in the form.
        absent: the value was not given at all, so that a default may stand in for it.
    """
    if value is None or (value == [] and field.kind in _LISTS):
        if field.required and not (absent and has_default(field)):
            yield problem(Code.REQUIRED, path, label=field.label)
        return
    yield from _column_problems(field, value, path)
    for constraint in field.constraints:
        yield from _constraint_problems(field, constraint, value, path)


def has_default(field: Field) -> bool:
    """Say whether the column fills itself in."""
    column = field.column
    return column.default is not None or column.server_default is not None


def _column_problems(field: Field, value: Any, path: str) -> Iterator[Problem]:
    type_ = field.column.type
    if isinstance(type_, sa.Integer):
        bits = integer_bits(type_)
        if value >= 1 << bits:
            yield problem(Code.TOO_LARGE, path, label=field.label, limit=(1 << bits) - 1)
        elif value < -(1 << bits):
            yield problem(Code.TOO_SMALL, path, label=field.label, limit=-(1 << bits))
    elif isinstance(type_, ExactDecimal):
        yield from _decimal_problems(field, value, path)
    elif isinstance(type_, sa.String) and not isinstance(type_, sa.Enum):
        longest = min(type_.length or MAX_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS)
        if len(value) > longest:
            yield problem(Code.TOO_LONG, path, label=field.label, limit=f"{longest} characters")


def _decimal_problems(field: Field, value: Decimal, path: str) -> Iterator[Problem]:
    type_ = field.column.type.impl_instance  # type: ignore[attr-defined]  # an ExactDecimal
    places = _places(value)
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    if type_.scale is not None and places > type_.scale:
        limit = f"{type_.scale} after the point"
        yield problem(Code.TOO_MANY_DIGITS, path, label=field.label, limit=limit)
    elif type_.precision is not None and whole > type_.precision - (type_.scale or 0):
        limit = f"{type_.precision - (type_.scale or 0)} before the point"
        yield problem(Code.TOO_MANY_DIGITS, path, label=field.label, limit=limit)
    elif whole + places > EXACT_DIGITS:
        limit = f"{EXACT_DIGITS} in all"
        yield problem(Code.TOO_MANY_DIGITS, path, label=field.label, limit=limit)


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


def _constraint_problems(field: Field, constraint: Any, value: Any, path: str) -> Iterator[Problem]:
    if (code_and_limit := _broken(constraint, value, field.kind)) is not None:
        code, limit = code_and_limit
        yield problem(code, path, label=field.label, limit=limit)


def _broken(constraint: Any, value: Any, kind: Kind) -> tuple[Code, str] | None:
    """Return the catalogue's entry and the limit that a value breaks."""
    match constraint:
        case at.Ge(ge=limit) if not value >= limit:
            return Code.TOO_SMALL, str(limit)
        case at.Gt(gt=limit) if not value > limit:
            return Code.TOO_SMALL, f"more than {limit}"
        case at.Le(le=limit) if not value <= limit:
            return Code.TOO_LARGE, str(limit)
        case at.Lt(lt=limit) if not value < limit:
            return Code.TOO_LARGE, f"less than {limit}"
        case at.MultipleOf(multiple_of=limit) if not _is_multiple(value, limit):
            return Code.NOT_A_MULTIPLE, str(limit)
        case at.MinLen(min_length=limit) if len(value) < limit:
            return Code.TOO_SHORT, _counted(limit, kind)
        case at.MaxLen(max_length=limit) if len(value) > limit:
            return Code.TOO_LONG, _counted(limit, kind)
        case at.Predicate(func=allowed) if not allowed(value):
            return Code.NOT_ALLOWED, ""
        case _:
            return None


def _counted(limit: int, kind: Kind) -> str:
    thing = "photo" if kind is Kind.PHOTOS else "character"
    return f"{limit} {thing}" + ("" if limit == 1 else "s")
