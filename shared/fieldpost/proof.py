"""Proof that two sides hold the same rows: a count and a sum that does not depend on the order."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from fieldpost.canonical import canonical

_MODULUS = 1 << 128


def row_digest(data: Mapping[str, Any]) -> int:
    """Return the digest of one row as it travels (`fieldpost.wire`): a number below 2**128."""
    return int.from_bytes(hashlib.sha256(canonical(data).encode()).digest()[:16])


def table_digest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``{"count": number of rows, "sum": 32 hexadecimal digits}`` of rows as they travel.

    The digests are added, not combined by exclusive or: a row that is there twice must show.
    """
    count = total = 0
    for row in rows:
        count += 1
        total = (total + row_digest(row)) % _MODULUS
    return {"count": count, "sum": f"{total:032x}"}
