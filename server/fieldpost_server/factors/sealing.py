"""Sealing: the secrets of authenticators are encrypted in the database, where there is a key."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fieldpost.errors import Code, InputError, problem

_SEALED, _PLAIN = "sealed:", "plain:"
_NONCE_BYTES = 12


def sealed(text: str, owner: str, secret: bytes | None) -> str:
    """Return what is kept of a text.

    Args:
        text: to keep.
        owner: whose it is; in another row it opens no more.
        secret: of the server, see `Settings.signing_secret_file`; without one it lies there plain.
    """
    if secret is None:
        return _PLAIN + text
    nonce = os.urandom(_NONCE_BYTES)
    closed = AESGCM(_key(secret)).encrypt(nonce, text.encode(), owner.encode())
    return _SEALED + base64.b64encode(nonce + closed).decode()


def unsealed(kept: str, owner: str, secret: bytes | None) -> str:
    """Return the text again.

    Raises:
        InputError: it was sealed with another secret, or for another owner.
    """
    if kept.startswith(_PLAIN):
        return kept.removeprefix(_PLAIN)
    raw = base64.b64decode(kept.removeprefix(_SEALED))
    try:
        opened = AESGCM(_key(secret or b"")).decrypt(
            raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()
        )
    except InvalidTag as error:
        raise InputError([problem(Code.FACTOR_UNREADABLE)]) from error
    return opened.decode()


def _key(secret: bytes) -> bytes:
    # of its own kind: what opens this is not what the key of receipts is encrypted with
    hkdf = HKDF(hashes.SHA256(), 32, salt=None, info=b"fieldpost authenticators")
    return hkdf.derive(secret)
