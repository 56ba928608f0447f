"""The order to wipe: what a revoked device is answered, signed by the office's key.

A device does nothing that it is told without proof: whatever stands between it and its office can
say that it was revoked.
"""

import json
from dataclasses import dataclass
from typing import Any

from fieldpost.errors import Code, Forbidden, problem
from fieldpost.wire.signatures import WIPE
from fieldpost_server.devices.revocations import note_told, order_of
from fieldpost_server.devices.standings import note_alive
from fieldpost_server.signing.keyring import keys_for_devices
from fieldpost_server.signing.signer import Signer
from fieldpost_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class WipeOrders:
    """Makes what revoked devices are answered.

    Attributes:
        database: where it is kept what they are ordered.
        signer: signs the order.
    """

    database: Database
    signer: Signer

    def refusal(self, device: str) -> Forbidden:
        """Return that a device was revoked, with its order; never call it within a transaction."""
        return self._refusal(device)

    def heard_of(self, device: str) -> Forbidden:
        """Return the same to a device that has shown that it is that one: it is not empty."""
        # fault point: not-empty-unkept — it is answered only after this: it shows itself again.
        self.database.write(lambda session: note_alive(session, device))
        return self._refusal(device)

    def _refusal(self, device: str) -> Forbidden:
        return Forbidden([problem(Code.DEVICE_REVOKED, detail=self._detail(device))])

    def for_a_stranger(self, device: str) -> Forbidden | None:
        """Return what a device is told that does not prove which one it is; None: nothing.

        Without its session it cannot hand anything over: it is told only where it need not.
        """
        with self.database.read_session() as session:
            row = order_of(session, device)
        return None if row is None or row.hand_over else self.refusal(device)

    def _detail(self, device: str) -> dict[str, Any]:
        self.signer.ready()
        with self.database.read_session() as session:
            row = order_of(session, device)
            keys = keys_for_devices(session)
        if row is None:
            return {}  # it was revoked by an edition that ordered nothing
        if row.told_at is None:
            # fault point: order-untold — when it was told is not kept, and it was not answered: it
            # is told again with its next call.
            self.database.write(lambda session: note_told(session, device))
        order = {
            "device": device,
            "hand_over": row.hand_over,
            "revoked_at": row.revoked_at.isoformat(timespec="milliseconds"),
            "user": row.user,
        }
        return {
            "order": json.loads(self.signer.statement(WIPE, order)),
            "signing_keys": keys,
        }
