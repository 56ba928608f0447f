"""Push: envelopes to the server, receipts back, each made durable as it arrives."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fieldpost.canonical import canonical
from fieldpost.receipts import NEEDS_ATTENTION, Outcome, Receipt
from fieldpost_client.contact import headers_for, stopped_by
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox import CONFIRMED, PENDING, Entry, receipt_of
from fieldpost_client.platform.base import Operation, PlatformError
from fieldpost_client.state import keys_operation
from fieldpost_client.trust import Examiner

BATCH_BYTES = 4 << 20
BATCH_ENVELOPES = 200


@dataclass
class PushReport:
    """What a push came to.

    Attributes:
        sent: envelopes sent.
        accepted, attention, waiting: receipts by what they mean.
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
    unverified: int = 0


class Push:
    """One push of everything that waits."""

    def __init__(self, home: DeviceHome) -> None:
        self.home = home
        self.platform = home.platform
        self.report = PushReport()
        self.examiner = Examiner(home)

    async def send(self, entries: list[Entry]) -> None:
        """Send envelopes in the order of their numbers.

        Raises:
            Stopped: the server cannot be reached, refuses the call, or a receipt cannot be stored.
                Receipts that came before count.
        """
        for batch in _batches(entries):
            self.report.sent += len(batch)
            await self._send_batch(batch)

    async def _send_batch(self, batch: list[Entry]) -> None:
        text = "".join(f"{entry.text}\n" for entry in batch)
        body = await self.platform.gzip(text.encode())
        headers = headers_for(self.home.state.device) | {
            "content-type": "application/x-ndjson",
            "content-encoding": "gzip",
        }
        try:
            async for line in self.platform.fetch_lines("POST", "/sync/push", headers, body):
                await self._take(line)
        except PlatformError as error:
            raise stopped_by(error) from error

    async def _take(self, line: str) -> None:
        try:
            data = json.loads(line)
            receipt = receipt_of(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.report.unreadable += 1
            return
        if not await self.examiner.is_genuine(data):
            self.report.unverified += 1
            return
        entry = self.home.outbox.by_id(receipt.envelope)
        if entry is None or not _fits(entry, receipt):
            self.report.unknown.append(receipt.envelope)
            return
        if entry.state != PENDING:
            return
        await self._keep(entry.with_receipt(receipt, canonical(data)), receipt)
        total = self.report.accepted + self.report.attention + self.report.waiting
        self.platform.notify(
            {"event": "progress", "step": "push", "done": total, "total": self.report.sent}
        )

    async def _keep(self, entry: Entry, receipt: Receipt) -> None:
        keys = {(k.model, k.temporary): k.real for k in receipt.keys}
        known = {**self.home.state.keys, **keys}
        operations: list[Operation] = [entry.put()]
        if keys and entry.state == CONFIRMED:
            operations.append(keys_operation(known))
        await self.platform.store.write(operations)
        self.home.outbox.entries[entry.number] = entry
        if entry.state == CONFIRMED:
            self.home.state.keys = known
            self.report.accepted += 1
        elif receipt.outcome in NEEDS_ATTENTION:
            self.report.attention += 1
        else:
            self.report.waiting += 1


def _fits(entry: Entry, receipt: Receipt) -> bool:
    """Say whether a receipt is about the very envelope that is in the outbox."""
    if receipt.digest == entry.envelope.digest:
        return True
    return receipt.outcome in (Outcome.MISMATCH, Outcome.RETRY) and not receipt.digest


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.text.encode())
        if batch and (size + length > BATCH_BYTES or len(batch) >= BATCH_ENVELOPES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch


def summary(report: PushReport) -> dict[str, Any]:
    """Return a report as plain data."""
    return {
        "sent": report.sent,
        "accepted": report.accepted,
        "attention": report.attention,
        "waiting": report.waiting,
        "unknown": report.unknown,
        "unreadable": report.unreadable,
        "unverified": report.unverified,
    }
