"""Push: envelopes to the server, receipts back, each made durable as it arrives."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpost.errors import Code, Problem, problem
from fieldpost.text.canonical import canonical
from fieldpost.wire.envelope import Envelope
from fieldpost.wire.protocol import ARRIVED_HEADER, MAX_ASKED
from fieldpost.wire.receipts import NEEDS_ATTENTION, Outcome, Receipt, Settled
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.dependencies import in_order_again, numbers_kept
from fieldpost_client.outbox.outbox import (
    ATTENTION,
    CONFIRMED,
    PENDING,
    SETTLED,
    Entry,
    entry_from_json,
    receipt_of,
)
from fieldpost_client.platform.base import Operation, StoreError
from fieldpost_client.replica.device_state import keys_operation
from fieldpost_client.sync.contact import Contact, Stopped, stopped_by
from fieldpost_client.sync.receipt_verification import ReceiptVerification
from fieldpost_client.sync_status import OFFLINE, TROUBLE

PIECES_IN_A_BATCH = 4
"""A batch may be so many pieces of an upload long: its texts shrink to a tenth on their way."""
BATCH_ENVELOPES = 200
MOST_FAILED = 5
"""So many envelopes in a row that the server has trouble with: it has it with all of them."""

_OF_THE_DEVICE = frozenset(
    {
        Code.FORGOTTEN,
        Code.WRONG_DEVICE,
        Code.DEVICE_OF_ANOTHER,
        Code.DEVICE_REVOKED,
        Code.UNKNOWN_PROTOCOL,
    }
)
"""Refusals of a push that have nothing to do with what is in it."""

Reasons = Callable[[Envelope], Mapping[str, Problem]]


@dataclass
class PushReport:
    """What a push came to.

    Attributes:
        sent: envelopes sent.
        accepted, attention, waiting: receipts by what they mean.
        settled: envelopes that somebody else has repaired or discarded.
        unknown: receipts of envelopes that are not in this outbox, or not as they are there.
        unreadable: lines that were no receipts.
        unverified: receipts that the server has not signed, or not so.
    """

    sent: int = 0
    accepted: int = 0
    attention: int = 0
    waiting: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: int = 0
    settled: int = 0
    unverified: int = 0


class Push:
    """One push of everything that waits.

    Attributes:
        report: what it has come to so far.
        unsent: by id of an envelope, why the server did not take it.
        put_off: why it takes nothing more of this user today, each reason once.
    """

    def __init__(self, home: DeviceHome, contact: Contact | None = None) -> None:
        self.home = home
        self.platform = home.platform
        self.contact = contact or Contact(home)
        self.report = PushReport()
        self.unsent: dict[str, Problem] = {}
        self.put_off: dict[str, Problem] = {}
        self.verification = ReceiptVerification(home, self.contact)
        self._failed = 0
        self._answered: set[str] = set()

    async def gather(self) -> list[Entry]:
        """Return what is to be sent, in order; nothing is folded into it from now on.

        That is noted before it is sent: what may have arrived is never changed any more, and a
        later save makes an envelope of its own.

        Raises:
            Stopped: it could not be noted.
        """
        async with self.home.turn:
            entries = in_order_again(self.home.outbox.of_state(PENDING))
            newest = max((e.number for e in entries), default=0)
            if newest > self.home.state.sent_to:
                try:
                    await self.platform.store.write([("put", "session", "sent_to", newest)])
                except StoreError as error:
                    raise stopped_by(error) from error
                # fault point: sent-to-noted — nothing was sent, and it counts as sent: a later save
                # is not folded into it, which costs an envelope and loses nothing.
                self.home.state.sent_to = newest
            return entries

    async def send(self, entries: list[Entry]) -> None:
        """Send envelopes in this order; one that the server stumbles over stops no other.

        Raises:
            Stopped: the server cannot be reached, refuses the device, or a receipt cannot be
                stored. Receipts that came before count.
        """
        left = list(entries)
        while left:
            batch = _batch(left, self.contact.pace.piece * PIECES_IN_A_BATCH)
            del left[: len(batch)]
            self.report.sent += len(batch)
            await self._send_some(batch)

    async def _send_some(self, batch: list[Entry]) -> None:
        """Send a batch; in halves where the server has trouble with the whole."""
        try:
            await self._send_batch(batch)
            self._failed = 0
        except Stopped as stopped:
            if not is_of_what_was_sent(stopped):
                raise
            if len(batch) > 1:
                half = len(batch) // 2
                await self._send_some(batch[:half])
                await self._send_some(batch[half:])
                return
            self._failed += 1
            why = problem(Code.NOT_SENT, reason=stopped.problem.message)
            self.unsent[batch[0].envelope.id] = why
            if self._failed >= MOST_FAILED:
                raise

    async def _send_batch(self, batch: list[Entry]) -> None:
        text = "".join(f"{entry.text}\n" for entry in batch)
        body = await self.platform.gzip(text.encode())
        headers = {
            "content-type": "application/x-ndjson",
            "content-encoding": "gzip",
            ARRIVED_HEADER: str(
                max(numbers_kept(self.home.outbox, self.home.state.device), default=0)
            ),
        }
        if await self._receive("/sync/push", headers, body) < len(batch):
            # the answer ended as if it were whole, and is not
            raise Stopped(OFFLINE, problem(Code.UNREACHABLE))

    async def ask_again(self, entries: list[Entry]) -> None:
        """Ask how envelopes stand that needed attention: somebody may have settled them."""
        headers = {"content-type": "application/json"}
        for start in range(0, len(entries), MAX_ASKED):
            ids = [e.envelope.id for e in entries[start : start + MAX_ASKED]]
            await self._receive("/sync/receipts", headers, json.dumps({"envelopes": ids}))

    async def _receive(self, path: str, headers: Mapping[str, str], body: bytes | str) -> int:
        """Take the answer's lines as they arrive; return how many came."""
        count = 0
        try:
            async for line in self.contact.lines(path, headers, body):
                await self._take(line)
                count += 1
        except StoreError as error:
            raise stopped_by(error) from error
        return count

    async def note_reasons(self, entries: list[Entry], files: Reasons) -> None:
        """Keep with each entry why it, or what belongs to it, is not at the office.

        One that the office has, and never gets a file of as that is, needs attention from now on.

        Args:
            entries: those that were to be sent.
            files: returns for an envelope why its attachments were not sent, by SHA-256.
        """
        async with self.home.turn:
            changed = []
            for entry in (self.home.outbox.entries.get(e.number) for e in entries):
                if entry is None or entry.is_void or not entry.is_open:
                    continue
                why = dict(files(entry.envelope))
                if own := self.unsent.get(entry.envelope.id):
                    why[""] = own
                noted = replace(entry, unsent=why)
                if noted.needs_other_files:
                    noted = replace(noted, state=ATTENTION)
                if noted != entry:
                    changed.append(noted)
            try:
                await self.platform.store.write([entry.put() for entry in changed])
            except StoreError as error:
                raise stopped_by(error) from error
            # fault point: reasons-noted — only why entries wait is in it, and that some need
            # attention: the next sync finds the same out again.
            for entry in changed:
                self.home.outbox.entries[entry.number] = entry

    async def _take(self, line: str) -> None:
        try:
            data = json.loads(line)
            receipt = receipt_of(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.report.unreadable += 1
            return
        if not await self.verification.is_genuine(data):
            self.report.unverified += 1
            return
        entry = self.home.outbox.by_id(receipt.envelope)
        if entry is None and receipt.envelope in self._answered:
            return  # the first answer to this void has brought back what it was to discard
        if entry is None or not _fits(entry, receipt):
            self.report.unknown.append(receipt.envelope)
            return
        self._answered.add(receipt.envelope)
        if not entry.is_open or (entry.state == ATTENTION and not _is_news(receipt)):
            return
        await self._keep(answered(entry, receipt, canonical(data)), receipt)
        total = self.report.accepted + self.report.attention + self.report.waiting
        self.platform.notify(
            {"event": "progress", "step": "push", "done": total, "total": self.report.sent}
        )

    async def _keep(self, entry: Entry, receipt: Receipt) -> None:
        keys = {(k.model, k.temporary): k.real for k in receipt.keys}
        known = {**self.home.state.keys, **keys}
        operations: list[Operation] = [entry.put()]
        if keys and entry.state in (CONFIRMED, SETTLED):
            operations.append(keys_operation(known))
        # fault point: receipt-unstored — the server has decided and the device does not know it:
        # the envelope waits, is sent again, and gets the same receipt.
        await self.platform.store.write(operations)
        # fault point: receipt-stored — receipt and real keys are stored, the envelope is still in
        # the outbox: it is not sent again, and the next pull moves it to the history.
        self.home.outbox.entries[entry.number] = entry
        self.put_off |= {p.message: p for p in receipt.problems if p.code is Code.QUOTA_USED}
        if entry.state in (CONFIRMED, SETTLED):
            self.home.state.keys = known
            self.report.accepted += entry.state == CONFIRMED
            self.report.settled += entry.state == SETTLED
        elif receipt.outcome in NEEDS_ATTENTION:
            self.report.attention += 1
        else:
            self.report.waiting += 1


def is_of_what_was_sent(stopped: Stopped) -> bool:
    """Say whether the server's trouble may come from what was sent."""
    return (
        stopped.activity == TROUBLE
        and stopped.status > 0
        and (stopped.problem.code not in _OF_THE_DEVICE)
    )


def _is_news(receipt: Receipt) -> bool:
    """Say whether a receipt tells something new of an envelope that needs attention."""
    return receipt.settled is not None or receipt.is_applied


def answered(entry: Entry, receipt: Receipt, signed: str) -> Entry:
    """Return an entry as the server's answer leaves it.

    A void that was refused gives way to what it was to discard: where it came too late with how
    that ended, else with why it cannot be discarded, so that somebody sees to it.
    """
    is_refused = receipt.settled is None and receipt.outcome in NEEDS_ATTENTION
    if entry.discarded is None or not is_refused:
        return entry.with_receipt(receipt, signed)
    original = entry_from_json(entry.discarded)
    for found in receipt.problems if receipt.outcome is Outcome.MISMATCH else ():
        if found.code is Code.ALREADY_APPLIED:
            return original.with_receipt(receipt_of(found.detail["receipt"]), signed)
        if found.code is Code.ALREADY_SETTLED:
            how = Settled(*(str(found.detail[name]) for name in ("how", "by", "user", "at")))
            return replace(original, state=SETTLED, receipt=_ended(original, receipt, how))
    return original.with_receipt(replace(receipt, envelope=original.envelope.id), signed)


def _ended(original: Entry, receipt: Receipt, how: Settled) -> Receipt:
    before = original.receipt or replace(receipt, outcome=Outcome.INVALID, problems=())
    return replace(before, envelope=original.envelope.id, settled=how)


def _fits(entry: Entry, receipt: Receipt) -> bool:
    """Say whether a receipt is about the very envelope that is in the outbox."""
    if receipt.digest == entry.envelope.digest:
        return True
    return receipt.outcome in (Outcome.MISMATCH, Outcome.RETRY) and not receipt.digest


def _batch(entries: list[Entry], most: int) -> list[Entry]:
    """Return the first entries that are sent at once; at least one."""
    size = 0
    for count, entry in enumerate(entries[:BATCH_ENVELOPES]):
        size += len(entry.text.encode())
        if count and size > most:
            return entries[:count]
    return entries[:BATCH_ENVELOPES]


def texts_first(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return what goes ahead, and what waits for files to be sent or hangs on what does."""
    ids = {e.envelope.id: e.number for e in entries}
    drawn = defaultdict[int, list[int]](list)
    for entry in entries:
        repaired = [ids[i] for i in entry.envelope.supersedes if i in ids]
        drawn[entry.number] += repaired
        for number in (*entry.envelope.after, *repaired):
            drawn[number].append(entry.number)
    left = [e.number for e in entries if e.envelope.attachments]
    behind = set(left)
    while left:
        for number in drawn.pop(left.pop(), ()):
            if number not in behind:
                behind.add(number)
                left.append(number)
    ahead = [e for e in entries if e.number not in behind]
    return ahead, [e for e in entries if e.number in behind]


def summary(report: PushReport) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "sent": report.sent,
        "accepted": report.accepted,
        "attention": report.attention,
        "waiting": report.waiting,
        "settled": report.settled,
        "unknown": report.unknown,
        "unreadable": report.unreadable,
        "unverified": report.unverified,
    }
