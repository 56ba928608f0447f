"""The signer: every receipt that leaves the server, or is kept by it, carries its signature."""

import base64
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import SQLAlchemyError

from fieldpost.text.canonical import canonical
from fieldpost.wire.receipts import Receipt
from fieldpost.wire.signatures import ANSWER, KEPT, KIND, with_signature
from fieldpost_server.signing.keyring import current_row, first_key, private_key, read_secret
from fieldpost_server.storage.database import Database

FRESH_S = 5.0
"""For so long a process may sign with a key that another process has replaced meanwhile."""


class Signer:
    """Signs with the key that all processes of this database share.

    Args:
        database: where the key is.
        secret_file: see `Settings.signing_secret_file`.
    """

    def __init__(self, database: Database, secret_file: str = "") -> None:
        self.database = database
        self.secret_file = secret_file
        self._key: tuple[str, Ed25519PrivateKey] | None = None
        self._checked = 0.0

    def ready(self) -> None:
        """Have the present key at hand, made where there is none.

        Never call it within a transaction: it takes a connection of its own, and a pool of which
        every connection waits for another one stands still.

        Raises:
            DefinitionError: the key cannot be read.
            SQLAlchemyError: the database cannot be asked, and no key is at hand.
        """
        now = time.monotonic()
        if self._key is not None and now - self._checked < FRESH_S:
            return
        try:
            self._load()
        except SQLAlchemyError:
            if self._key is None:
                raise
            return  # the envelope's own transaction will say what is wrong with the database
        self._checked = now

    def _load(self) -> None:
        with self.database.read_session() as session:
            row = current_row(session)
        if row is not None and self._key is not None and row.id == self._key[0]:
            return
        secret = read_secret(self.secret_file)
        if row is None:
            row = self.database.write(lambda session: first_key(session, secret))
        # fault point: first-key-unloaded — the key is in the database and not in this process:
        # every other loads it. Two that make the first key at once make the same number, and the
        # later one finds the earlier's.
        self._key = (row.id, private_key(row, secret))

    def signed(self, receipt: Receipt) -> Receipt:
        """Return a receipt that is to be kept, with its signed text; `ready` was called before."""
        kept = replace(receipt, is_kept=True)
        return replace(kept, signed=self._signed({**kept.to_json(), KIND: KEPT}))

    def answer(self, receipt: Receipt, line: int = 0) -> str:
        """Return the signed text that a device gets; `line` counts the lines of a push from 1."""
        if receipt.signed:
            return receipt.signed
        data = {**receipt.to_json(), KIND: KEPT if receipt.is_kept else ANSWER}
        if not receipt.envelope:
            # a line that could not be read has no other name
            data |= {"envelope": None, "line": line}
        try:
            return self._signed(data)
        except UnicodeEncodeError:
            # a refusal may quote half a character; only whole ones have bytes to be signed
            return self._signed(_mended(data))

    def statement(self, kind: str, data: Mapping[str, Any]) -> str:
        """Return the signed text of what is no receipt; `ready` was called before.

        Args:
            kind: what it is, and what no receipt is.
            data: what it says.
        """
        return self._signed({**data, KIND: kind})

    def _signed(self, data: dict[str, Any]) -> str:
        if self._key is None:
            raise RuntimeError("call 'ready' first")
        name, key = self._key
        text = canonical({**data, "key": name})
        signature = base64.b64encode(key.sign(text.encode())).decode()
        return with_signature(text, signature)


def _mended(part: Any) -> Any:
    """Return plain data with a replacement character for every half one."""
    if isinstance(part, str):
        return part.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(part, list):
        return [_mended(each) for each in part]
    if isinstance(part, dict):
        return {_mended(name): _mended(each) for name, each in part.items()}
    return part
