"""Runs the rules of the rows that a form touched, and finds the place of each verdict in it."""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from fieldpost.errors import Code, Problem, join_path, problem
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


def refusal_of(row: Any, attribute: str, value: Any, path: str) -> list[Problem]:
    """Give a row a value; return what the author's `validates` has against that.

    It raises ValueError to say what is wrong; whatever else it raises is a fault of its own.
    """
    try:
        setattr(row, attribute, value)
    except Exception as error:  # noqa: BLE001 - an author's code: whatever it raises becomes a problem
        if isinstance(error, ValueError | AssertionError) and str(error):
            return [problem(Code.RULE, path, text=str(error)[:1_000], detail={"rule": attribute})]
        _log.exception("the value of '%s' could not be checked", attribute)
        cause = f"{type(error).__name__}: {error}"[:200]
        return [problem(Code.RULE_FAILED, path, rule=attribute, cause=cause)]
    return []


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
