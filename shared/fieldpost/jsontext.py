"""JSON from outside, parsed only when it is flat enough."""

import json
import re
from typing import Any

from fieldpost.protocol import MAX_DEPTH

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


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
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
