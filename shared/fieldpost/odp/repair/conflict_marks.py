"""Conflict marks: what both sides say of a field, and whether somebody has to decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpost.odp.form.rows import Opened, text_of
from fieldpost.odp.replay.merge import is_same
from fieldpost.pages import Form
from fieldpost.schema.fields import Field, Kind
from fieldpost.schema.values import ValueProblem


@dataclass(frozen=True, slots=True)
class ConflictMark:
    """What both sides say of one field, as JSON data.

    Attributes:
        mine: what the worker wants.
        theirs: what is there now.
        before: what the worker saw.
        is_open: somebody has to decide; otherwise it is the worker's alone.
    """

    field: Field
    mine: Any
    theirs: Any
    before: Any
    is_open: bool


def changes_of(form: Form, theirs: Opened, before: Mapping[str, Any]) -> list[ConflictMark]:
    """Return what others changed of a row since the worker saw it."""
    values = theirs["values"]
    return [
        ConflictMark(each, None, values[a], before[a], is_open=True)
        for each in form.fields.values()
        if (a := each.attribute) in before and not are_same(each, values[a], before[a])
    ]


def are_same(each: Field, one: Any, other: Any) -> bool:
    """Say whether two values of a field mean the same; nobody can tell empty from none."""
    if each.kind is Kind.LINKS:
        return _names(one) == _names(other)
    if one in _EMPTY and other in _EMPTY:
        return True
    return is_same(each, one, {each.attribute: other})


_EMPTY: tuple[Any, ...] = (None, "", [])


def safe_text(each: Field, data: Any) -> str:
    """Return data of a field as its input's text, also where it is no value of the field (now)."""
    try:
        return text_of(each, data)
    except ValueProblem:
        return str(data)


def _names(keys: Any) -> set[str]:
    return {repr(key) for key in keys or ()}


def merged_links(mine: Any, theirs: Any, before: Any) -> list[Any]:
    """Return links as a replay merges them: what each side added, without what each took away."""
    taken = _names(before) - _names(mine)
    kept = [key for key in theirs or () if repr(key) not in taken]
    known = _names(kept) | _names(before)
    return [*kept, *(key for key in mine or () if repr(key) not in known)]
