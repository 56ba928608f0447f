"""What the office may say of an entry, told to a device without an office."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fieldpost.errors import MESSAGES, Code, Problem
from fieldpost.wire.receipts import NewKey, Outcome, Receipt, Settled
from fieldpost_client.outbox.outbox import Entry
from fieldpost_client.sync.push import answered


def said(code: Code, path: str = "") -> Problem:
    """Return a problem of the catalogue with something in the place of its words."""
    words: dict[str, Any] = defaultdict(lambda: "it")
    return Problem(code, path, MESSAGES[code].format_map(words))


@dataclass(frozen=True)
class Fate:
    """What the office says of an entry."""

    name: str
    outcome: Outcome | None = None
    codes: tuple[Code, ...] = ()
    settled: str = ""

    def of(self, entry: Entry) -> Entry:
        if self.outcome is None:
            return entry
        envelope = entry.envelope
        settled = Settled(self.settled, "e-9", "boss", "2026-11-23T08:00:00+00:00")
        receipt = Receipt(
            envelope.id,
            envelope.device,
            envelope.number,
            envelope.digest,
            self.outcome,
            tuple(said(code) for code in self.codes),
            tuple(_new_keys(entry)) if self.outcome is Outcome.ACCEPTED else (),
            "2026-11-23T08:00:00+00:00",
            settled=settled if self.settled else None,
        )
        return answered(entry, receipt, "")


def _new_keys(entry: Entry) -> Iterator[NewKey]:
    for each in entry.envelope.operations:
        if each.do == "insert":
            yield NewKey(each.model, each.key[0], 100 - each.key[0])


def fall(desk: Any, fate: Fate) -> None:
    """Let the newest entry be answered, and keep the answer."""
    entries = desk.home.outbox.entries
    number = max(entries)
    entries[number] = fate.of(entries[number])
    asyncio.run(desk.store.write([entries[number].put()]))
