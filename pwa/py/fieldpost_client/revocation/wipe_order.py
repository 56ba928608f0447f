"""The order to wipe: believed only where the office has signed it, as what it is, for this device.

Whatever stands between a device and its office can say that the device was revoked. That is shown,
and changes nothing; only the order itself does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldpost.errors import Code
from fieldpost.wire.signatures import KIND, SIGNATURE, WIPE, signed_bytes
from fieldpost_client.device import DeviceHome
from fieldpost_client.platform.base import Operation
from fieldpost_client.replica.server_keys import followed, is_signed
from fieldpost_client.sync.receipt_verification import SIGNING_KEYS

NAME = "revoked"
"""Of the order in the store's `session`; the shell looks for it at every start."""


@dataclass(frozen=True, slots=True)
class WipeOrder:
    """What the office has ordered this device.

    Attributes:
        hand_over: whether it hands over its work before it wipes itself.
        revoked_at: since when, as the office says.
        is_done: whether it has handed over what it could, so that only the wipe is left.
        handed: how many entries are at the office.
        left: how many things are not, and will be gone.
    """

    hand_over: bool
    revoked_at: str
    is_done: bool = False
    handed: int = 0
    left: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data, for the store and the shell."""
        return {
            "hand_over": self.hand_over,
            "revoked_at": self.revoked_at,
            "is_done": self.is_done,
            "handed": self.handed,
            "left": self.left,
        }

    def operation(self) -> Operation:
        """Return the operation that stores it."""
        return ("put", "session", NAME, self.to_json())


def wipe_order_from_json(data: Any) -> WipeOrder | None:
    """Read back what `WipeOrder.to_json` wrote; None where there is none."""
    if not isinstance(data, Mapping) or not isinstance(data.get("revoked_at"), str):
        return None
    counts = [data.get(name) for name in ("handed", "left")]
    handed, left = (n if isinstance(n, int) and n >= 0 else 0 for n in counts)
    return WipeOrder(
        data.get("hand_over") is True,
        data["revoked_at"],
        data.get("is_done") is True,
        handed,
        left,
    )


async def proven_order(home: DeviceHome, problems: Sequence[Mapping[str, Any]]) -> WipeOrder | None:
    """Return the order that problems of a report bring, where the office's signature proves it."""
    for each in problems:
        if each.get("code") != Code.DEVICE_REVOKED:
            continue
        detail = each.get("detail")
        order = detail.get("order") if isinstance(detail, Mapping) else None
        if isinstance(order, Mapping) and await _is_proven(home, order, detail or {}):
            return WipeOrder(order.get("hand_over") is True, str(order.get("revoked_at", "")))
    return None


async def _is_proven(home: DeviceHome, order: Mapping[str, Any], detail: Mapping[str, Any]) -> bool:
    if order.get(KIND) != WIPE or not home.state.device:
        return False
    if order.get("device") != home.state.device:
        return False
    # a new key counts where one that is believed vouches for it; nothing of it is kept here
    held = await followed(home.platform, home.state.server_keys, detail.get(SIGNING_KEYS))
    public = held.believed.get(str(order.get("key")))
    if not home.state.server_keys.believed or public is None:
        return False
    try:
        message = signed_bytes(order)
    except (ValueError, TypeError):
        return False
    return await is_signed(home.platform, public, message, order.get(SIGNATURE))
