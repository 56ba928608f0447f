"""Canonical JSON: one text for one content, so that a digest means something.

The rules are those of RFC 8785 for the data that envelopes hold: keys sorted, no white space,
UTF-8, no escapes but the necessary ones, no NaN or infinity.
"""

import hashlib
import json
from typing import Any

# made once: `json.dumps` would make one for every text
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode


def canonical(data: Any) -> str:
    """Return the canonical text of plain data; raises ValueError for NaN and infinity."""
    return _encode(data)


def digest(data: Any) -> str:
    """Return ``sha256:`` and the hexadecimal digest of the canonical text."""
    return digest_of(canonical(data))


def digest_of(text: str) -> str:
    """Return what `digest` does for the data of a canonical text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
