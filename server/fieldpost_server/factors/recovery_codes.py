"""Recovery codes: what stands for a second factor that was lost, once each."""

import base64
import hashlib
import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fieldpost_server.storage import tables

COUNT = 10
_BYTES = 15
"""120 random bits: such a code is guessed by nobody who has its digest (OWASP ASVS 5.0, 6.5.2)."""
_GROUP = 4

_TABLE = tables.recovery_code


def make_codes(session: Session, user: str) -> list[str]:
    """Return new codes, which are shown this once; all earlier ones are worthless."""
    forget_codes(session, user)
    codes = [_words(secrets.token_bytes(_BYTES)) for _ in range(COUNT)]
    kept = [{"code_sha256": _digest(code), "user": user} for code in codes]
    session.execute(sa.insert(_TABLE), kept)
    return codes


def use_code(session: Session, user: str, code: str) -> bool:
    """Say whether this is a code of hers that was never used; now it was."""
    if len(code) > 200:
        return False
    query = sa.delete(_TABLE).where(_TABLE.c.user == user, _TABLE.c.code_sha256 == _digest(code))
    # fault point: recovery-code-used — it is gone in the transaction that lets its user in, or is
    # there still.
    return session.connection().execute(query).rowcount == 1


def codes_left(session: Session, user: str) -> int:
    """Return how many she has not used yet."""
    query = sa.select(sa.func.count()).where(_TABLE.c.user == user)
    return session.scalar(query) or 0


def forget_codes(session: Session, user: str) -> None:
    """Forget all codes of a user."""
    session.execute(sa.delete(_TABLE).where(_TABLE.c.user == user))


def _words(raw: bytes) -> str:
    text = base64.b32encode(raw).decode().lower()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _digest(code: str) -> str:
    """Return what is kept of a code, however it is typed: base32 has no 0, 1 and 8."""
    plain = "".join(c for c in code.lower() if c.isascii() and c.isalnum())
    read = plain.translate(str.maketrans("018", "olb"))
    return hashlib.sha256(f"recovery code {read}".encode()).hexdigest()
