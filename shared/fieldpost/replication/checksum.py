"""Checksums: proof that two sides hold the same rows, by a count and a sum in any order."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

_MODULUS = 1 << 128
# the text of `fieldpost.text.canonical`, from an encoder that is made once and not for every row
_canonical = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def row_digest(data: Mapping[str, Any]) -> int:
    """Return the digest of one row as it travels (`replication.rows`): a number below 2**128."""
    return int.from_bytes(hashlib.sha256(_canonical(data).encode()).digest()[:16])


def table_digest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``{"count": number of rows, "sum": 32 hexadecimal digits}`` of rows as they travel.

    The digests are added, not combined by exclusive or: a row that is there twice must show.
    """
    count = total = 0
    for row in rows:
        count += 1
        total += row_digest(row)
    return digest_of(count, total)


def digest_of(count: int, total: int) -> dict[str, Any]:
    """Return what travels of a number of rows and the sum of their digests."""
    return {"count": count, "sum": f"{total % _MODULUS:032x}"}
