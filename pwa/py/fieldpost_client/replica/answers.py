"""The server's answers: whether all is there that a device relies on, before any of it is kept.

What is there beside it is left alone: a newer server may say more.
"""

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]


def _object(needed: Mapping[str, Check], others: Mapping[str, Check] | None = None) -> Check:
    """Return the check of an object with these parts; the others may be missing, or null."""

    def check(data: Any) -> bool:
        if not isinstance(data, dict):
            return False
        if not all(name in data and fits(data[name]) for name, fits in needed.items()):
            return False
        more = ((data.get(name), fits) for name, fits in (others or {}).items())
        return all(value is None or fits(value) for value, fits in more)

    return check


def _list(fits: Check) -> Check:
    return lambda data: isinstance(data, list) and all(map(fits, data))


def _map(fits: Check) -> Check:
    """Return the check of an object with any names; those of JSON are always texts."""
    return lambda data: isinstance(data, dict) and all(map(fits, data.values()))


def _text(data: Any) -> bool:
    return isinstance(data, str)


def _name(data: Any) -> bool:
    return isinstance(data, str) and bool(data)


def _count(data: Any) -> bool:
    return type(data) is int and data >= 0


def _yes_or_no(data: Any) -> bool:
    return isinstance(data, bool)


def _range(data: Any) -> bool:
    return isinstance(data, list) and len(data) == 2 and all(map(_count, data))


def _count_or_none(data: Any) -> bool:
    return data is None or _count(data)


_ABOUT: Mapping[str, Check] = {
    "user": _object({"name": _name}, {"display_name": _text, "roles": _list(_text)}),
    "settings": _object(
        {"offline": _list(_text), "pages": _list(_text)},
        {"limits": _object({}), "lock_after_s": _count},
    ),
}
_MORE: Mapping[str, Check] = {
    "arrived": _object({"number": _count}, {"missing": _list(_range)}),
    "signing_keys": _list(_object({})),
}

is_registration = _object({**_ABOUT, "number": _count}, _MORE)
"""Say whether this tells a device that it is known, and as whose."""

is_pull = _object(
    {
        **_ABOUT,
        "cursor": _name,
        "reset": _yes_or_no,
        "put": _map(_list(_object({}))),
        "remove": _map(_list(_list(lambda _: True))),
        "replace": _list(_text),
        "digests": _map(_object({})),
    },
    {**_MORE, "failed": _map(_object({"code": _text, "message": _text}, {"path": _text}))},
)
"""Say whether this tells what has changed since a cursor."""

are_row_counts = _map(_count_or_none)
"""Say whether these are numbers of rows by table; None of one that the office could not read."""


def is_any(data: Any) -> bool:
    """Say whether this is an object; all that it says is looked at where it is used."""
    return isinstance(data, dict)
