"""A device that was revoked: it keeps its order, hands over its work, and is then wiped.

Each step is durable before the next begins, and may be done again: the order is stored before
anything is sent, that all is handed over before anything is removed. The shell removes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fieldpost.errors import Code, Problem, problem
from fieldpost.wire.protocol import HANDING_OVER_HEADER
from fieldpost.wire.receipts import Outcome
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.outbox import PENDING, Entry
from fieldpost_client.platform.base import PlatformError
from fieldpost_client.revocation.wipe_order import (
    NAME,
    WipeOrder,
    proven_order,
    wipe_order_from_json,
)
from fieldpost_client.sync.contact import JSON, Contact, Stopped, stopped_by
from fieldpost_client.sync.push import Push, texts_first
from fieldpost_client.sync.uploads import Uploads
from fieldpost_client.sync_status import TROUBLE

_NEVER_KEPT = frozenset({Outcome.MISMATCH, Outcome.RETRY})
"""What was answered so is not in the office's ledger."""

HANDED_OVER = "handed_over"
LATER = "later"


class Revocation:
    """Does what the office has ordered this device, as far as it is Python's.

    Args:
        home: the device.
    """

    def __init__(self, home: DeviceHome) -> None:
        self.home = home
        self.platform = home.platform

    async def heard(self, problems: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Keep an order that came with a report, durably; returns it where it is proven."""
        order = await proven_order(self.home, problems)
        if order is None:
            return None
        try:
            return (await self._kept(order)).to_json()
        except Stopped:
            return None  # it comes again with the next contact

    async def tell(self, standing: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the office how this device stands.

        Returns:
            Plain data: ``outcome`` ('done' where the office has heard it), and ``revoked``, the
            order that it answered.
        """
        entries = self.home.outbox.entries.values()
        waiting = sum(entry.state == PENDING for entry in entries)
        attention = sum(e.is_open and e.state != PENDING for e in entries)
        told = {
            **{name: standing.get(name) for name in ("persisted", "used", "quota")},
            "drafts": _count(standing.get("drafts")),
            "waiting": waiting,
            "attention": attention + len(self.home.outbox.broken),
            "app_version": self.home.app_version,
        }
        if not self.home.state.device or self.home.state.is_new:
            return {"outcome": "new", "revoked": None}
        try:
            await self._ask(Contact(self.home), "/sync/standing", told)
        except Stopped as stopped:
            heard = await self.heard([stopped.problem.to_json()])
            return {"outcome": stopped.activity, "revoked": heard}
        return {"outcome": "done", "revoked": None}

    async def hand_over(self, drafts: int) -> dict[str, Any]:
        """Send what the office lacks, as it was ordered; each call goes on where one stopped.

        Args:
            drafts: how many forms are filled in and not saved: they stay behind.

        Returns:
            Plain data: ``outcome`` ('handed_over', or 'later' where the office could not take it
            yet), the ``order`` as it stands, ``activity`` and ``problems`` of what stopped it.
        """
        order = wipe_order_from_json(await self.platform.store.read("session", NAME))
        if order is None:
            return {"outcome": LATER, "order": None, "activity": "", "problems": []}
        try:
            if not order.is_done:
                order = await self._handed_over(await self._anew(order), drafts)
        except Stopped as stopped:
            found = await self._read(order)
            return _report(LATER, found, stopped.activity, [stopped.problem])
        except PlatformError as error:
            why = stopped_by(error)
            return _report(LATER, order, why.activity, [why.problem])
        return _report(HANDED_OVER, order, "", [])

    async def _read(self, order: WipeOrder) -> WipeOrder:
        return wipe_order_from_json(await self.platform.store.read("session", NAME)) or order

    async def _anew(self, order: WipeOrder) -> WipeOrder:
        """Return the order as the office has it now: it may have changed its mind."""
        try:
            await Contact(self.home).ask("GET", "/sync/keys")
        except Stopped as stopped:
            found = await proven_order(self.home, [stopped.problem.to_json()])
            if found is not None:
                return await self._kept(found)
            if order.hand_over:
                raise
        # an office that was put back to an earlier state does not know of it: the order stands
        return order

    async def _handed_over(self, order: WipeOrder, drafts: int) -> WipeOrder:
        handed = 0
        if order.hand_over:
            contact = Contact(self.home, {HANDING_OVER_HEADER: "1"})
            await self._send(contact)
            handed = sum(_is_at_the_office(e) for e in self.home.outbox.entries.values())
        left = self._left() + drafts
        done = WipeOrder(order.hand_over, order.revoked_at, True, handed, left)
        if order.hand_over:
            # fault point: handed-over-untold — all that could be sent is at the office, which has
            # not heard that this was all: the next start sends nothing twice and says so.
            await self._tell_the_end(contact, left)
        # fault point: handed-over-unstored — the office knows it, the device does not: the next
        # start finds nothing to send, says it once more, and is then wiped.
        return await self._kept(done)

    async def _send(self, contact: Contact) -> None:
        push, uploads = Push(self.home, contact), Uploads(self.home, contact)
        entries = await push.gather()
        ahead, behind = texts_first(entries)
        await push.send(ahead)
        stumbled: list[Stopped] = []
        if behind:
            stumbled = await uploads.send_all(behind)
            # fault point: files-handed-over — the files are there, what refers to them is not: the
            # next start finds them whole, and sends the rest.
            await push.send(behind)
        if stumbled:
            raise stumbled[0]
        if any(_is_undecided(self.home.outbox.entries.get(e.number)) for e in entries):
            raise Stopped(TROUBLE, problem(Code.SERVER_TROUBLE))

    def _left(self) -> int:
        """Return how many entries are not at the office."""
        entries = self.home.outbox.entries.values()
        lost = sum(e.is_open and not e.is_void and not _is_at_the_office(e) for e in entries)
        return lost + len(self.home.outbox.broken)

    async def _tell_the_end(self, contact: Contact, left: int) -> None:
        try:
            await self._ask(contact, "/sync/handed-over", {"left": left})
        except Stopped as stopped:
            # an office that was put back to an earlier state does not wait for it
            if stopped.problem.code is not Code.UNKNOWN_DEVICE:
                raise

    async def _ask(self, contact: Contact, path: str, data: Mapping[str, Any]) -> None:
        body = json.dumps(data)
        await contact.ask("POST", path, {"content-type": JSON}, body, statuses=(204,))

    async def _kept(self, order: WipeOrder) -> WipeOrder:
        try:
            # fault point: wipe-ordered — the order is stored before anything is done: the next
            # start shows nothing, and goes on from here, with or without a connection.
            await self.platform.store.write([order.operation()])
        except PlatformError as error:
            raise stopped_by(error) from error
        return order


def _is_at_the_office(entry: Entry) -> bool:
    """Say whether the office has an entry in its ledger, applied or not."""
    return entry.receipt is not None and entry.receipt.outcome not in _NEVER_KEPT


def _is_undecided(entry: Entry | None) -> bool:
    """Say whether the office has given no answer to an entry, or could not take it just now."""
    if entry is None or not entry.is_open:
        return False
    return entry.receipt is None or entry.receipt.outcome is Outcome.RETRY


def _report(
    outcome: str, order: WipeOrder, activity: str, problems: Sequence[Problem]
) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "order": order.to_json(),
        "activity": activity,
        "problems": [each.to_json() for each in problems],
    }


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
