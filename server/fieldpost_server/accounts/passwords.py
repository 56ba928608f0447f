"""Passwords: Argon2 hashes that grow with the recommended parameters."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fieldpost.errors import Code, InputError, problem

MIN_CHARACTERS = 8
"""Shortest password that is taken (OWASP ASVS 5.0, 6.2.1)."""

MAX_BYTES = 1024
"""Longest password that is hashed: hashing costs time for every byte."""

_hasher = PasswordHasher()
# verified against when the user is unknown, so that the answer takes as long as for a known one
_NOBODY = _hasher.hash("nobody has this password")


def hash_password(password: str, *, at_least: int = MIN_CHARACTERS) -> str:
    """Return the hash to store; only the demo asks for less than `MIN_CHARACTERS`.

    Raises:
        InputError: the password is too short or too long.
    """
    if len(password) < at_least:
        raise InputError([problem(Code.PASSWORD_TOO_SHORT, "password", limit=at_least)])
    if len(password.encode()) > MAX_BYTES:
        limit = f"{MAX_BYTES} bytes"
        raise InputError([problem(Code.TOO_BIG, "password", what="The password", limit=limit)])
    return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Say whether `password` belongs to the hash; None stands for an unknown user."""
    if len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return False
    try:
        return _hasher.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def renewed_hash(stored: str, password: str) -> str:
    """Return a new hash where the stored one has weaker parameters than today's; else nothing."""
    return hash_password(password, at_least=0) if _hasher.check_needs_rehash(stored) else ""
