"""Whether the receipts in the ledger are what the server has signed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from fieldpost.wire.signatures import SIGNATURE, signed_bytes
from fieldpost_server.signing.keyring import PublicKey, public_keys


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a receipt's signature is worth.

    Attributes:
        key: the id that it names; empty where it is not signed.
        verifies: whether the signature is that key's.
        words: why not, or what else should be known; empty where all is well.
    """

    key: str
    verifies: bool
    words: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"key": self.key, "verifies": self.verifies, "words": self.words}


class ReceiptAudit:
    """Judges receipts by all keys that there ever were."""

    def __init__(self, session: Session) -> None:
        self._keys: Mapping[str, PublicKey] = {key.id: key for key in public_keys(session)}
        self._since = min((key.created_at for key in self._keys.values()), default=None)

    def judge(self, receipt: Any) -> Verdict:
        """Judge a receipt as plain data."""
        if not isinstance(receipt, Mapping) or not receipt.get(SIGNATURE):
            return Verdict("", verifies=False, words="its receipt is not signed")
        name = str(receipt.get("key", ""))
        key = self._keys.get(name)
        if key is None:
            words = f"its receipt is signed with a key that is not known here: {name[:20]}"
            return Verdict(name, verifies=False, words=words)
        try:
            message = signed_bytes(receipt)
        except ValueError:
            message = b""
        if not key.verifies(message, str(receipt[SIGNATURE])):
            return Verdict(name, verifies=False, words="its receipt is not what was signed")
        words = "the key is distrusted: others may have signed with it" if key.distrusted else ""
        return Verdict(name, verifies=True, words=words)

    def fault(self, text: str, received_at: datetime) -> str:
        """Say what is wrong with a kept receipt's signature; nothing where all is well.

        What arrived before there was a key was not signed, and that is no fault.
        """
        try:
            found = self.judge(json.loads(text))
        except ValueError:
            return ""  # a receipt that cannot be read is a fault of its own
        is_old = self._since is None or received_at < self._since
        return "" if found.verifies or (not found.key and is_old) else found.words
