"""An authenticator of software: it makes passkeys, and signs as a browser would say it."""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class SoftPasskey:
    """One passkey; what it says can be made wrong in every part.

    Attributes:
        origin, site: the address and the host that the browser names.
        count: how often it has signed; None where it does not count.
        verified: whether it has seen that it is its owner.
    """

    origin: str = "http://localhost:8000"
    site: str = "localhost"
    count: int | None = None
    verified: bool = True
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, options: dict[str, Any], **wrong: str) -> str:
        """Return the answer to `navigator.credentials.create`."""
        point = self.key.public_key().public_numbers()
        public = {
            1: 2,
            3: -7,
            -1: 1,
            -2: point.x.to_bytes(32, "big"),
            -3: point.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(public)
        data = self._data(ATTESTED) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {
                "clientDataJSON": text_of(self._client("webauthn.create", options, **wrong)),
                "attestationObject": text_of(made),
            }
        )

    def sign(self, options: dict[str, Any], **wrong: str) -> str:
        """Return the answer to `navigator.credentials.get`."""
        if self.count is not None:
            self.count += 1
        client, data = self._client("webauthn.get", options, **wrong), self._data()
        signed = data + hashlib.sha256(client).digest()
        return self._answer(
            {
                "clientDataJSON": text_of(client),
                "authenticatorData": text_of(data),
                "signature": text_of(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
            }
        )

    def _answer(self, response: dict[str, str]) -> str:
        name = text_of(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})

    def _data(self, more: int = 0) -> bytes:
        flags = PRESENT | more | (VERIFIED if self.verified else 0)
        site = hashlib.sha256(self.site.encode()).digest()
        return site + struct.pack(">BI", flags, self.count or 0)

    def _client(self, kind: str, options: dict[str, Any], **wrong: str) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**said, **wrong}).encode()
