"""Runs the rules of the rows that a form touched, and finds the place of each verdict in it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fieldpost.errors import Problem, join_path
from fieldpost.pages import Form
from fieldpost.rules import broken_rules

Places = Mapping[int, tuple[Any, str, Form]]
"""By ``id(row)``: a mapped object, its place in the form, and the form that shows it."""

_CHILD = re.compile(r"(\w+)\[(\d+)\]\.?(.*)")


def rule_problems(places: Places, *, patient: bool = False) -> Iterator[Problem]:
    """Yield what the rules of all rows say, each with its path in the form."""
    for row, at, form in places.values():
        for found in broken_rules(row, patient=patient):
            path = _path(row, form, at, found.path, places)
            yield Problem(found.code, path, found.message, found.detail)


def _path(row: Any, form: Form, at: str, path: str, places: Places) -> str:
    """Turn a rule's path, which counts in the object's lists, into the form's."""
    child = _CHILD.fullmatch(path)
    if child is None:
        named = form.model.by_attribute.get(path)
        return join_path(at, named.name if named else path)
    name, index, rest = child[1], int(child[2]), child[3]
    if name not in form.lists:
        return join_path(at, path)
    rows = getattr(row, name)
    below = form.lists[name].form
    if index < len(rows):
        known = places.get(id(rows[index]))
        if known is not None:
            return _path(rows[index], below, known[1], rest, places)
        return _path(rows[index], below, f"{join_path(at, name)}[{index}]", rest, places)
    return join_path(at, path)
