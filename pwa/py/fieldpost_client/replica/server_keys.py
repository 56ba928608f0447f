"""The server's keys that this device believes.

The first key is believed when the device gets to know its server. Later ones are believed when one
that is believed already vouches for them, however many were made meanwhile.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpost.wire.signatures import endorsed_bytes, key_id
from fieldpost_client.platform.base import Operation, Platform


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What is stored of the server's keys.

    Attributes:
        believed: id → public key in base64, of those that are believed.
        former: the same of those that were before the worker signed in anew.
        changed: the server signs with a key that nobody believed vouches for. Until the worker
            has signed in anew, or the server names a key that is believed, no receipt counts.
    """

    believed: Mapping[str, str] = field(default_factory=dict)
    former: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"keys": dict(self.believed), "former": dict(self.former), "changed": self.changed}

    def operation(self) -> Operation:
        """Return the operation that stores it."""
        return ("put", "session", "trust", self.to_json())


def server_keys_from_json(data: Mapping[str, Any] | None) -> ServerKeys:
    """Read back what `ServerKeys.to_json` wrote; without anything stored none is believed."""
    data = data or {}
    return ServerKeys(data.get("keys") or {}, data.get("former") or {}, data.get("changed") is True)


def first_use(held: ServerKeys, listed: Any) -> ServerKeys:
    """Believe the key that the server signs with now, and none before it."""
    known = _well_formed(listed)
    if not known:
        return held
    newest = known[-1]
    believed = {newest["id"]: newest["public"]}
    former = {**held.former, **held.believed}
    return ServerKeys(believed, {name: key for name, key in former.items() if name not in believed})


async def followed(platform: Platform, held: ServerKeys, listed: Any) -> ServerKeys:
    """Return what is believed after the server has listed its keys, the oldest first."""
    known = _well_formed(listed)
    if not known:
        return held
    if not held.believed:
        return first_use(held, listed)
    believed = dict(held.believed)
    for each in known:
        voucher = believed.get(str(each.get("endorsed_by")))
        if each["id"] in believed or voucher is None:
            continue
        message = endorsed_bytes(each["id"], each["public"])
        if await is_signed(platform, voucher, message, each.get("endorsement")):
            believed[each["id"]] = each["public"]
    return replace(held, believed=believed, changed=known[-1]["id"] not in believed)


async def is_signed(platform: Platform, public: str, message: bytes, signature: Any) -> bool:
    """Say whether a signature is a key's over a message; both are base64, or anything else."""
    key, mark = _decoded(public), _decoded(signature)
    if key is None or mark is None:
        return False
    return await platform.verify(key, message, mark)


def _well_formed(listed: Any) -> list[dict[str, Any]]:
    """Return the entries whose id is that of their key; nothing else is looked at."""
    found = []
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("public"), str):
            public = _decoded(each["public"])
            if public is not None and each.get("id") == key_id(public):
                found.append(each)
    return found


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None
