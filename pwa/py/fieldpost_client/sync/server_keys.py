"""Trust: which of the server's keys this device believes, and whether a receipt is genuine.

The first key is believed when the device gets to know its server. Later ones are believed when one
that is believed already vouches for them, however many were made meanwhile.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fieldpost.wire.signatures import SIGNATURE, endorsed_bytes, key_id, signed_bytes
from fieldpost_client.platform.base import Operation, Platform, StoreError
from fieldpost_client.sync.contact import ask, data_of, headers_for, stopped_by

if TYPE_CHECKING:
    from fieldpost_client.device import DeviceHome

SIGNING_KEYS = "signing_keys"
"""The part of the server's answers that lists its keys."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What is stored of the server's keys.

    Attributes:
        keys: id → public key in base64, of those that are believed.
        former: the same of those that were before the worker signed in anew.
        changed: the server signs with a key that nobody believed vouches for. Until the worker
            has signed in anew, or the server names a key that is believed, no receipt counts.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    former: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"keys": dict(self.keys), "former": dict(self.former), "changed": self.changed}

    def operation(self) -> Operation:
        """Return the operation that stores it."""
        return ("put", "session", "trust", self.to_json())


def trust_from_json(data: Mapping[str, Any] | None) -> Trust:
    """Read back what `Trust.to_json` wrote; nothing is believed where nothing was stored."""
    data = data or {}
    return Trust(data.get("keys") or {}, data.get("former") or {}, data.get("changed") is True)


def first_use(trust: Trust, listed: Any) -> Trust:
    """Believe the key that the server signs with now, and none before it."""
    known = _well_formed(listed)
    if not known:
        return trust
    newest = known[-1]
    keys = {newest["id"]: newest["public"]}
    former = {**trust.former, **trust.keys}
    return Trust(keys, {name: key for name, key in former.items() if name not in keys})


async def followed(platform: Platform, trust: Trust, listed: Any) -> Trust:
    """Return what is believed after the server has listed its keys, the oldest first."""
    known = _well_formed(listed)
    if not known:
        return trust
    if not trust.keys:
        return first_use(trust, listed)
    keys = dict(trust.keys)
    for each in known:
        voucher = keys.get(str(each.get("endorsed_by")))
        if each["id"] in keys or voucher is None:
            continue
        message = endorsed_bytes(each["id"], each["public"])
        if await _verified(platform, voucher, message, each.get("endorsement")):
            keys[each["id"]] = each["public"]
    return replace(trust, keys=keys, changed=known[-1]["id"] not in keys)


def _well_formed(listed: Any) -> list[dict[str, Any]]:
    """Return the entries whose id is that of their key; nothing else is looked at."""
    found = []
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("public"), str):
            public = _decoded(each["public"])
            if public is not None and each.get("id") == key_id(public):
                found.append(each)
    return found


async def _verified(platform: Platform, public: str, message: bytes, signature: Any) -> bool:
    key, mark = _decoded(public), _decoded(signature)
    if key is None or mark is None:
        return False
    return await platform.verify(key, message, mark)


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


async def learn(home: "DeviceHome", listed: Any) -> None:
    """Take notice of the server's keys, durably; raises `Stopped` where it cannot be stored."""
    await _keep(home, await followed(home.platform, home.state.trust, listed))


async def meet_anew(home: "DeviceHome") -> None:
    """Believe the server's present key: the worker has just signed in; raises `Stopped`."""
    await _keep(home, first_use(home.state.trust, await _asked(home)))


async def _keep(home: "DeviceHome", trust: Trust) -> None:
    if trust == home.state.trust:
        return
    try:
        await home.platform.store.write([trust.operation()])
    except StoreError as error:
        raise stopped_by(error) from error
    # fault point: server-keys-stored — which keys are believed is stored before any receipt is
    # judged by them: a death before that learns them again with the next sync.
    home.state.trust = trust


async def _asked(home: "DeviceHome") -> Any:
    headers = headers_for(home.state.device)
    data = data_of(await ask(home.platform, "GET", "/sync/keys", headers))
    return data.get(SIGNING_KEYS) if isinstance(data, dict) else None


class Examiner:
    """Examines the receipts of one push."""

    def __init__(self, home: "DeviceHome") -> None:
        self.home = home
        self._asked = False

    async def is_genuine(self, receipt: Mapping[str, Any]) -> bool:
        """Say whether the server has signed exactly this.

        A key that is not known may be a new one: the server is asked, once.

        Raises:
            Stopped: the server cannot be asked, or what it said cannot be stored.
        """
        name = str(receipt.get("key"))
        if name not in self.home.state.trust.keys and not self._asked:
            self._asked = True
            await learn(self.home, await _asked(self.home))
        trust = self.home.state.trust
        if trust.changed or name not in trust.keys:
            return False
        try:
            message = signed_bytes(receipt)
        except (ValueError, TypeError):
            return False
        signature = receipt.get(SIGNATURE)
        return await _verified(self.home.platform, trust.keys[name], message, signature)
