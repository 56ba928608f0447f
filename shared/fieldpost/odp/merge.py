"""Three-way comparison of a field: what the worker saw, what she wants, what is there now."""

from collections.abc import Iterator, Mapping
from typing import Any

from fieldpost.errors import Code, Problem, join_path, problem
from fieldpost.fields import Field, Kind
from fieldpost.pages import Form


class Merge:
    """Compares one operation with the row as it is.

    Attributes:
        takes: attributes whose new value is to be written.
        changed_by_others: whether any value that the form showed is not what it was.
        conflicts: fields that both sides changed to different values.
    """

    def __init__(
        self, form: Form, row: Any, new: Mapping[str, Any], was: Mapping[str, Any], at: str
    ) -> None:
        now = {
            a: f.codec.encode(getattr(row, a))
            for a, f in form.model.by_attribute.items()
            if a in was and f.kind is not Kind.LINKS  # those are sets, see `links`
        }
        others = {
            a for a, value in now.items() if value != was[a] and (a not in new or value != new[a])
        }
        self.changed_by_others = bool(others)
        self.takes = [a for a in new if a in now and now[a] == was[a] != new[a]]
        self.conflicts = list(_conflicts(form, now, new, was, at, sorted(others & new.keys())))


def _conflicts(
    form: Form,
    now: Mapping[str, Any],
    new: Mapping[str, Any],
    was: Mapping[str, Any],
    at: str,
    attributes: list[str],
) -> Iterator[Problem]:
    for attribute in attributes:
        field = form.model.by_attribute[attribute]
        values = {"mine": new[attribute], "theirs": now[attribute], "was": was[attribute]}
        yield problem(
            Code.CHANGED_BY_OTHERS,
            join_path(at, field.name),
            label=field.label,
            mine=_shown(field, new[attribute]),
            theirs=_shown(field, now[attribute]),
            detail=values,
        )


def _shown(field: Field, data: Any) -> str:
    if data is None or data == []:
        return "empty"
    if isinstance(data, dict | list):
        return "another file"
    label = next((c.label for c in field.choices if c.value == str(data)), str(data))
    return f"'{label if len(label) <= 60 else label[:59] + '…'}'"
