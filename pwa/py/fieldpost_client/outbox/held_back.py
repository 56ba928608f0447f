"""Applied envelopes that stay in the outbox, because the replica lacks rows of theirs.

A table that the office could not read is not in the newest replica. What an applied envelope says
of it is replayed until the table is here: what was confirmed does not vanish from the screen.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from fieldpost.app import App
from fieldpost.wire.envelope import Operation
from fieldpost_client.outbox.outbox import CONFIRMED, Entry


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What a replica lacks, and what is replayed in its place.

    Attributes:
        tables: that the office could not read or decide when the replica was made.
        numbers: of the applied envelopes that say something of them.
    """

    tables: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()

    def replayed(self, app: App, entries: Iterable[Entry]) -> list[Entry]:
        """Return entries as they are replayed: of those held back only what the replica lacks."""
        return [part for entry in entries for part in self._part(app, entry)]

    def _part(self, app: App, entry: Entry) -> Iterator[Entry]:
        if entry.number not in self.numbers:
            yield entry
            return
        missing = tuple(o for o in entry.envelope.operations if _tables(app, o) & self.tables)
        if missing:
            yield replace(entry, envelope=replace(entry.envelope, operations=missing))


def held_back(app: App, leaving: Iterable[Entry], tables: Collection[str]) -> HeldBack:
    """Return which of the entries that would leave the outbox must stay."""
    lacked = frozenset(tables)
    numbers = {
        entry.number
        for entry in leaving
        if entry.state == CONFIRMED
        and any(_tables(app, operation) & lacked for operation in entry.envelope.operations)
    }
    return HeldBack(lacked, frozenset(numbers))


def _tables(app: App, operation: Operation) -> set[str]:
    """Return the tables that an operation changes."""
    model = app.models.get(operation.model)
    if model is None:
        return {operation.model}
    links = {field.association.link.name for field in model.fields.values() if field.association}
    return {model.name} | links
