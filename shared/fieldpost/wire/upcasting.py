"""Older formats of the envelope, brought up to the present one.

A device may come back after months with envelopes of an older app. They keep their text and their
digest, by which they are known; only what replay reads is of the present format.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fieldpost.errors import Code, InputError, problem
from fieldpost.wire.protocol import FORMAT
from fieldpost.wire.shapes import malformed

Data = Mapping[str, Any]


def upcast(data: Data) -> Data:
    """Return an envelope's data in the present format; the same object where it is already.

    Raises:
        InputError: its format is unknown, or it holds what its format did not have.
    """
    version = data.get("format")
    if type(version) is not int or version == FORMAT:
        return data
    if version not in UPCASTERS:
        raise InputError([problem(Code.UNKNOWN_FORMAT, format=version, known=FORMAT)])
    while version != FORMAT:
        data = UPCASTERS[version](data)
        version += 1
    return data


def _from_1(data: Data) -> Data:
    """Format 1 said nothing of other envelopes, and had no looks."""
    added: Data = {"after": [], "supersedes": [], "voids": None}
    faults = [malformed(f"'{name}' is unknown in format 1", name) for name in added if name in data]
    if _looks(data.get("operations")):
        faults.append(malformed("'look' is unknown in format 1", "operations"))
    if faults:
        raise InputError(faults)
    return {**data, **added}


def _looks(operations: Any) -> bool:
    entries = operations if isinstance(operations, list) else []
    return any(isinstance(entry, dict) and entry.get("do") == "look" for entry in entries)


UPCASTERS: Mapping[int, Callable[[Data], Data]] = {1: _from_1}
"""By the format that each one reads; it returns the next."""
