"""Runs the rules of the rows that a form touched, and finds the place of each verdict in it."""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from fieldpost.errors import Code, Problem, join_path
from fieldpost.pages import Form
from fieldpost.rules import broken_rules

Places = Mapping[int, tuple[Any, str, Form]]
"""By ``id(row)``: a mapped object, its place in the form, and the form that shows it."""

_log = logging.getLogger("fieldpost")
_CHILD = re.compile(r"(\w+)\[(\d+)\]\.?(.*)")


def rule_problems(places: Places, *, patient: bool = False) -> Iterator[Problem]:
    """Yield what the rules of all rows say, each with its path in the form.

    What the form does not show has no place in it: that is said of the row.
    """
    for row, at, form in places.values():
        for found in broken_rules(row, patient=patient):
            path = _path(row, form, at, found.path, places)
            if path is None and found.code is Code.RULE:
                _warn(str(found.detail.get("rule", "")), form.model.cls.__name__, found.path)
            yield Problem(found.code, at if path is None else path, found.message, found.detail)


@lru_cache(maxsize=1_000)
def _warn(rule: str, model: str, path: str) -> None:
    """Tell the log once: a rule may speak of a field that the page leaves out, or misspell one."""
    _log.warning("the rule '%s' names '%s', which the form of %s does not show", rule, path, model)


def _path(row: Any, form: Form, at: str, path: str, places: Places) -> str | None:
    """Turn a rule's path, which counts in the object's lists, into the form's; None without one."""
    if not path:
        return at
    child = _CHILD.fullmatch(path)
    if child is None:
        named = form.model.by_attribute.get(path)
        name = named.name if named else path
        return join_path(at, name) if name in form.fields or name in form.lists else None
    name, index, rest = child[1], int(child[2]), child[3]
    if name not in form.lists:
        return None
    rows = getattr(row, name)
    below = form.lists[name].form
    if index >= len(rows):
        return join_path(at, name)
    known = places.get(id(rows[index]))
    place = known[1] if known is not None else f"{join_path(at, name)}[{index}]"
    return _path(rows[index], below, place, rest, places)
