"""The keys that receipts are signed with: made, loaded, replaced by the next one, listed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.orm import Session

from fieldpost.errors import Code, DefinitionError, problem
from fieldpost.wire.signatures import endorsed_bytes, key_id
from fieldpost_server.storage import tables

SECRET_CHARACTERS = 32
"""A shorter secret could be guessed by whoever has a backup of the database."""

_KEY = tables.signing_key
_PUBLIC = tuple(column for column in _KEY.c if column is not _KEY.c.private)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as everybody may know it.

    Attributes:
        id: its short id.
        public: the key itself, in base64.
        created_at, retired_at: when it was made, and when another took its place.
        endorsed_by: id of the key before, which vouches for it; None where none does.
        endorsement: that key's signature in base64.
        distrusted: the key after it was made because this one can be trusted no more.
    """

    id: str
    public: str
    created_at: datetime
    retired_at: datetime | None = None
    endorsed_by: str | None = None
    endorsement: str | None = None
    distrusted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what devices get."""
        return {
            "id": self.id,
            "public": self.public,
            "created_at": self.created_at.isoformat(timespec="milliseconds"),
            "endorsed_by": self.endorsed_by,
            "endorsement": self.endorsement,
        }

    def verifies(self, message: bytes, signature: str) -> bool:
        """Say whether the signature, in base64, is this key's over these bytes."""
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public))
            key.verify(base64.b64decode(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True


def public_keys(session: Session) -> list[PublicKey]:
    """Return all keys there ever were, the oldest first; the last one signs."""
    found: list[PublicKey] = []
    rows: Sequence[Any] = session.execute(sa.select(*_PUBLIC).order_by(_KEY.c.number)).all()
    for place, row in enumerate(rows):
        after = rows[place + 1] if place + 1 < len(rows) else None
        found.append(
            PublicKey(
                row.id,
                row.public,
                row.created_at,
                row.retired_at,
                rows[place - 1].id if row.endorsement else None,
                row.endorsement,
                distrusted=after is not None and after.endorsement is None,
            )
        )
    return found


def keys_for_devices(session: Session) -> list[dict[str, Any]]:
    """Return all keys as devices get them, the oldest first."""
    return [key.to_json() for key in public_keys(session)]


def current_row(session: Session) -> Any:
    """Return the row of the key that signs; None before the first was made."""
    return session.execute(sa.select(_KEY).order_by(_KEY.c.number.desc()).limit(1)).first()


def first_key(session: Session, secret: bytes | None) -> Any:
    """Return the row of the key that signs, made where there was none."""
    row = current_row(session)
    if row is None:
        _add(session, 1, secret, None)
        row = current_row(session)
    return row


def rotate(session: Session, secret: bytes | None, *, distrust: bool = False) -> str:
    """Put a new key in the place of the one that signs, and return its id.

    The old one vouches for it, unless it is distrusted. Its private half is thrown away: nothing is
    ever signed with it again.

    Raises:
        DefinitionError: the old private key cannot be read.
    """
    old = current_row(session)
    if old is None:
        return str(_add(session, 1, secret, None))
    voucher = None if distrust else private_key(old, secret)
    retired = sa.update(_KEY).where(_KEY.c.number == old.number)
    session.execute(retired.values(private="", retired_at=tables.utc_now()))
    # fault point: key-retired — the old private half is gone and the new key is not there, in one
    # transaction: both or neither, so there is always one that signs.
    return _add(session, old.number + 1, secret, voucher)


def _add(
    session: Session, number: int, secret: bytes | None, voucher: Ed25519PrivateKey | None
) -> str:
    made = Ed25519PrivateKey.generate()
    raw = made.public_key().public_bytes_raw()
    identity, public = key_id(raw), base64.b64encode(raw).decode()
    kept = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption(),
    )
    endorsement = voucher and base64.b64encode(voucher.sign(endorsed_bytes(identity, public)))
    values = {"number": number, "id": identity, "public": public, "private": kept.decode()}
    session.execute(
        sa.insert(_KEY).values(**values, endorsement=endorsement and endorsement.decode())
    )
    return identity


def private_key(row: Any, secret: bytes | None) -> Ed25519PrivateKey:
    """Read a row's private key.

    Raises:
        DefinitionError: it is encrypted with another secret, or is none.
    """
    is_encrypted = "ENCRYPTED" in row.private.partition("\n")[0]
    try:
        # a key from before the secret was set goes on as it is until it is replaced
        key = serialization.load_pem_private_key(
            row.private.encode(), secret if is_encrypted else None
        )
    except (ValueError, TypeError) as error:
        text = (
            f"The key {row.id} that signs receipts cannot be read: it was encrypted with another "
            "secret than the one that FIELDPOST_SIGNING_SECRET_FILE names. Put that file back, or "
            "make a new key with 'fieldpost keys rotate --distrust'."
        )
        raise DefinitionError([problem(Code.DEFINITION, "signing", text=text)]) from error
    if not isinstance(key, Ed25519PrivateKey):
        text = f"The key {row.id} that signs receipts is of another kind than Ed25519."
        raise DefinitionError([problem(Code.DEFINITION, "signing", text=text)])
    return key


def read_secret(file: str) -> bytes | None:
    """Return the secret in a file; None where no file is named.

    Raises:
        DefinitionError: it cannot be read, or the secret is too short.
    """
    if not file:
        return None
    try:
        secret = Path(file).read_bytes().strip()
    except OSError as error:
        text = f"The file of FIELDPOST_SIGNING_SECRET_FILE cannot be read: {error}."
        raise DefinitionError([problem(Code.DEFINITION, "signing", text=text)]) from error
    if len(secret) < SECRET_CHARACTERS:
        text = (
            f"The secret in '{file}' has {len(secret)} characters; it needs {SECRET_CHARACTERS}. "
            "Make one with 'openssl rand -base64 32'."
        )
        raise DefinitionError([problem(Code.DEFINITION, "signing", text=text)])
    return secret
