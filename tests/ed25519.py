"""Ed25519 for devices on the desk: in a browser the browser does it."""

import base64
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fieldpost.wire.signatures import endorsed_bytes, key_id, signed_bytes


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether the signature is the key's; what `HostPlatform.verifier` is."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Key:
    """A key of somebody, who need not be the office."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes_raw()
        self.id, self.public = key_id(raw), base64.b64encode(raw).decode()

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self.private.sign(message)).decode()

    def receipt(self, **parts: Any) -> dict[str, Any]:
        """Return a signed receipt."""
        whole = {**parts, "key": self.id}
        return {**whole, "signature": self.sign(signed_bytes(whole))}

    def listed(self, by: "Key | None" = None) -> dict[str, Any]:
        """Return the key as a server lists it, with the endorsement of another."""
        message = endorsed_bytes(self.id, self.public)
        return {
            "id": self.id,
            "public": self.public,
            "created_at": "2026-11-23T08:00:00.000+00:00",
            "endorsed_by": by and by.id,
            "endorsement": by and by.sign(message),
        }
