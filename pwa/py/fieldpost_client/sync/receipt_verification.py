"""Receipts are verified as they arrive: the server has signed them, with a key that is believed."""

from collections.abc import Mapping
from typing import Any

from fieldpost.wire.signatures import SIGNATURE, signed_bytes
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import StoreError
from fieldpost_client.replica.server_keys import ServerKeys, first_use, followed, is_signed
from fieldpost_client.sync.contact import Contact, stopped_by

SIGNING_KEYS = "signing_keys"
"""The part of the server's answers that lists its keys."""


class ReceiptVerification:
    """Verifies the receipts of one push."""

    def __init__(self, home: DeviceHome, contact: Contact) -> None:
        self.home = home
        self.contact = contact
        self._asked = False

    async def is_genuine(self, receipt: Mapping[str, Any]) -> bool:
        """Say whether the server has signed exactly this.

        A key that is not known may be a new one: the server is asked, once.

        Raises:
            Stopped: the server cannot be asked, or what it said cannot be stored.
        """
        name = str(receipt.get("key"))
        if name not in self.home.state.server_keys.believed and not self._asked:
            self._asked = True
            await learn_keys(self.home, await _asked(self.contact))
        held = self.home.state.server_keys
        if held.changed or name not in held.believed:
            return False
        try:
            message = signed_bytes(receipt)
        except (ValueError, TypeError):
            return False
        signature = receipt.get(SIGNATURE)
        return await is_signed(self.home.platform, held.believed[name], message, signature)


async def learn_keys(home: DeviceHome, listed: Any) -> None:
    """Take notice of the server's keys, durably; raises `Stopped` where it cannot be stored."""
    await _keep(home, await followed(home.platform, home.state.server_keys, listed))


async def believe_anew(home: DeviceHome, contact: Contact) -> None:
    """Believe the server's present key: the worker has just signed in; raises `Stopped`."""
    await _keep(home, first_use(home.state.server_keys, await _asked(contact)))


async def _keep(home: DeviceHome, keys: ServerKeys) -> None:
    if keys == home.state.server_keys:
        return
    try:
        await home.platform.store.write([keys.operation()])
    except StoreError as error:
        raise stopped_by(error) from error
    # fault point: server-keys-stored — which keys are believed is stored before any receipt is
    # judged by them: a death before that learns them again with the next sync.
    home.state.server_keys = keys


async def _asked(contact: Contact) -> Any:
    return (await contact.data("GET", "/sync/keys")).get(SIGNING_KEYS)
