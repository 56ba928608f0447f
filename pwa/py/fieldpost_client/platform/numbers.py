"""Whole numbers across the border to JavaScript, which keeps all numbers as doubles.

Beyond 2**53 a double does not hold every whole number: a key of 18 digits would come back as its
neighbour. Such numbers cross as text, marked so that nothing else is taken for one.
"""

from typing import Any

MOST = 2**53 - 1
"""JavaScript's `Number.MAX_SAFE_INTEGER`."""

_MOST_DIGITS = 4_000
"""Python refuses to read longer numbers."""

_WHOLE = "$whole"
_PLAIN = "$plain"


def packed(data: Any) -> Any:
    """Return plain data in which every whole number survives JavaScript."""
    if isinstance(data, int) and not isinstance(data, bool) and not -MOST <= data <= MOST:
        return {_WHOLE: str(data)}
    if isinstance(data, list | tuple):
        return [packed(each) for each in data]
    if isinstance(data, dict):
        made = {name: packed(value) for name, value in data.items()}
        # what happens to look like a mark is marked itself
        return {_PLAIN: made} if made.keys() in ({_WHOLE}, {_PLAIN}) else made
    return data


def unpacked(data: Any) -> Any:
    """Return what `packed` was given; what was stored without it stays as it is."""
    if isinstance(data, list):
        return [unpacked(each) for each in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {_WHOLE} and _is_whole(data[_WHOLE]):
        return int(data[_WHOLE])
    if data.keys() == {_PLAIN} and isinstance(data[_PLAIN], dict):
        return {name: unpacked(value) for name, value in data[_PLAIN].items()}
    return {name: unpacked(value) for name, value in data.items()}


def _is_whole(text: Any) -> bool:
    digits = text.removeprefix("-") if isinstance(text, str) else ""
    # what was damaged stays as it is: whoever reads it says what is wrong
    return digits.isascii() and digits.isdecimal() and len(digits) < _MOST_DIGITS
