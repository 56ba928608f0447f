"""Signatures: which bytes are signed, and how keys are named; the same on both sides.

The signatures themselves (Ed25519) are made by the server and verified by the device's platform.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from fieldpost.text.canonical import canonical

SIGNATURE = "signature"
"""The part of a receipt that all its other parts are signed by."""

KIND = "kind"
"""The part of a signed text that says what it is; a signature alone says only whose it is."""

KEPT = "kept"
"""The envelope is in the server's ledger: what the server lacks later, it has forgotten."""
ANSWER = "answer"
"""What was sent could not be taken as it was, and nothing of it is kept: it proves nothing."""

WIPE = "wipe"
"""The device that is named was revoked: it hands over its work where that is said, and removes all
that it keeps."""

_ID_DIGITS = 16


def key_id(public: bytes) -> str:
    """Return the short id of a public key of 32 bytes: the beginning of its hash, in hex."""
    return hashlib.sha256(public).hexdigest()[:_ID_DIGITS]


def signed_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Return what a receipt's signature, or an order's, is over: its canonical JSON without it.

    Raises:
        ValueError: it holds what has no canonical text, such as half a character.
    """
    return canonical({name: part for name, part in receipt.items() if name != SIGNATURE}).encode()


def with_signature(text: str, signature: str) -> str:
    """Return a receipt's canonical text with the signature in its place among the other parts.

    Its name comes last of all: writing the whole text once more would cost as much as signing it.
    """
    return f'{text[:-1]},"{SIGNATURE}":"{signature}"}}'


def endorsed_bytes(identity: str, public: str) -> bytes:
    """Return what a key signs to vouch for the next one: its id and the key itself in base64.

    A receipt always has other parts, so a signature of one never is a signature of the other.
    """
    return canonical({"id": identity, "public": public}).encode()
