"""JSON from outside, parsed only when it is flat enough."""

import json
import re
from typing import Any

MAX_DEPTH = 24
"""Lists and objects inside each other, on both sides of the wire."""

# possessive: a long text with escapes would take forty times its size to go back over; all up to
# the next bracket is one match, since each match costs more than what is in it
_NO_BRACKETS = re.compile(r'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^"\[\]{}]++)++', re.DOTALL)
_ONE_KIND = str.maketrans("{}", "[]")


class TooDeepError(ValueError):
    """Lists and objects are nested more than `MAX_DEPTH` levels deep."""


def parse(text: str | bytes) -> Any:
    """Return the data of a JSON text; bytes must be UTF-8.

    The depth is measured before the text is parsed: CPython stops a parser that goes too deep
    with a `RecursionError`, in a browser it ends Python for good.

    Raises:
        TooDeepError: it is nested too deep.
        ValueError: it is not JSON; `NaN` and the infinities are none.
    """
    text = text if isinstance(text, str) else text.decode()
    if _depth(text) > MAX_DEPTH:
        raise TooDeepError(f"nested more than {MAX_DEPTH} levels deep")
    return json.loads(text, parse_constant=_no_constant)


def _depth(text: str) -> int:
    """Return how deep a text is nested; past the limit one more is all that is told."""
    left = _NO_BRACKETS.sub("", text).translate(_ONE_KIND)
    for depth in range(MAX_DEPTH + 1):
        # takes away what holds nothing: a level each time, and all of it at the speed of C
        less = left.replace("[]", "")
        if less == left:
            # what is left never closes, and counts as it stands
            return min(depth + left.count("["), MAX_DEPTH + 1)
        left = less
    return MAX_DEPTH + 1


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
