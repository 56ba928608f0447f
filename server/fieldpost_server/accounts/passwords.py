"""Passwords: Argon2 hashes that grow with the recommended parameters."""

from contextlib import suppress
from functools import lru_cache
from importlib.resources import files

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


LEAST_DIFFERENT = 4
"""A password of fewer different characters is guessed as quickly as a common one."""


def check_password(password: str, name: str) -> None:
    """Refuse a password that anybody would try early (OWASP ASVS 5.0, 6.2.4 and 6.2.11).

    Raises:
        InputError: it is common, little else than the user's name, or of a few characters only.
    """
    typed, user = password.strip().casefold(), name.strip().casefold()
    is_name = bool(user) and not typed.replace(user, "").strip("0123456789 .-_!")
    if typed in common_passwords() or is_name or len(set(typed)) < LEAST_DIFFERENT:
        raise InputError([problem(Code.PASSWORD_COMMON, "password")])


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Return those that many people have; the list says where it is from."""
    text = files("fieldpost_server.accounts").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("# "))


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
    """Say whether `password` belongs to the hash; None stands for an unknown user.

    Who has no password, or is nobody, takes as long as who has one: else a clock tells names.
    """
    if len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return False
    try:
        return _hasher.verify(stored or "", password)
    except InvalidHashError:
        _takes_as_long(password)
    except (VerificationError, UnicodeEncodeError):
        pass
    return False


def _takes_as_long(password: str) -> None:
    with suppress(VerificationError, UnicodeEncodeError):
        _hasher.verify(_NOBODY, password)


def renewed_hash(stored: str, password: str) -> str:
    """Return a new hash where the stored one has weaker parameters than today's; else nothing."""
    return hash_password(password, at_least=0) if _hasher.check_needs_rehash(stored) else ""
