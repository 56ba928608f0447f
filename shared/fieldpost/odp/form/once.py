"""Exactly once: a form carries the id of the envelope that it becomes, from when it is shown.

Sent twice (a double tap, a lost answer, the back button, two requests at the same time) it is the
same envelope, and the first receipt is the answer.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fieldpost.text.canonical import digest
from fieldpost.wire.envelope import Operation

FIELD = "_envelope"
"""Name of the hidden field."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def identity_in(posted: Sequence[tuple[str, str]]) -> str:
    """Return the id that a posted form carries; empty where it carries none."""
    found = dict(posted).get(FIELD, "")
    return found if _UUID.fullmatch(found) else ""


def adds_record(operations: Sequence[Operation]) -> bool:
    """Say whether a form was one of a new record."""
    return any(each.do == "insert" and not each.at for each in operations)


def says_same(some: Sequence[Operation], others: Sequence[Operation]) -> bool:
    """Say whether operations are the same but for the keys that their new rows were given."""
    return _unnamed(some) == _unnamed(others)


def content_digest(operations: Sequence[Operation]) -> str:
    """Return a digest that two submissions share where they say the same."""
    return digest(_unnamed(operations))


def _unnamed(operations: Sequence[Operation]) -> list[Any]:
    """Return operations as plain data, with new rows named by their order."""
    names: dict[Any, str] = {}
    for each in operations:
        if each.do == "insert":
            for part in each.key:
                if _is_made(part):
                    names.setdefault(part, f"new {len(names)}")
    return [_renamed(each.to_json(), names) for each in operations]


def _is_made(part: Any) -> bool:
    """Say whether a key's part may have been made when the form was sent: counted, or a UUID."""
    if isinstance(part, str):
        return _UUID.fullmatch(part) is not None
    return isinstance(part, int) and part < 0


def _renamed(data: Any, names: Mapping[Any, str]) -> Any:
    if isinstance(data, dict):
        return {name: _renamed(value, names) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_renamed(value, names) for value in data]
    is_name = isinstance(data, int | str) and not isinstance(data, bool)
    return names.get(data, data) if is_name else data
