"""Dependencies: which envelopes build on which, by the rows they touch and the keys they name.

A device writes into each envelope on which unconfirmed ones it builds (`after`), so that the server
need not guess; both sides use this to say what hangs on an envelope that could not be applied.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fieldpost.odp.lineage.temporary_keys import is_temporary
from fieldpost.wire.envelope import Envelope, Operation

Row = tuple[str, str]
"""Model, and ``repr`` of a key."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an envelope has to do with.

    Attributes:
        rows: that it writes or has looked at.
        new: temporary keys of the rows that it inserts.
        named: all temporary keys that it mentions, whatever rows they stand for. A device never
            uses a temporary key twice, so the number alone tells the row; a negative number that
            is no key makes an envelope wait needlessly, which does no harm.
    """

    rows: frozenset[Row]
    new: frozenset[int]
    named: frozenset[int]

    def builds_on(self, earlier: "Footprint") -> bool:
        """Say whether this builds on an earlier envelope of its device.

        It does where both have to do with one row, or where it names a row that the other brings.
        """
        return not self.rows.isdisjoint(earlier.rows) or not self.named.isdisjoint(earlier.new)


def footprint(operations: Iterable[Operation]) -> Footprint:
    """Return what an envelope with these operations has to do with."""
    rows, new, named = set[Row](), set[int](), set[int]()
    for operation in operations:
        rows.add((operation.model, repr(list(operation.key))))
        temporary = [part for part in operation.key if is_temporary(part)]
        named.update(temporary)
        if operation.do == "insert":
            new.update(temporary)
        for values in (operation.set, operation.was, operation.rows):
            named.update(_temporary_in(values))
    return Footprint(frozenset(rows), frozenset(new), frozenset(named))


def _temporary_in(data: Any) -> Iterator[int]:
    if is_temporary(data):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _temporary_in(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _temporary_in(value)


def same_record(asked: Envelope, others: Iterable[Envelope]) -> list[Envelope]:
    """Return the envelopes of the asked one's page that have to do with its rows, in order.

    It is among them. Each row that one of them touches counts, and what they say themselves.
    """
    chain = {asked.number: asked}
    prints = {e.number: footprint(e.operations) for e in others if e.page == asked.page}
    prints[asked.number] = footprint(asked.operations)
    known = {e.number: e for e in others if e.page == asked.page}
    grown = True
    while grown:
        grown = False
        for number in sorted(prints.keys() - chain.keys()):
            if any(_belong(known[number], chain[n], prints) for n in chain):
                chain[number] = known[number]
                grown = True
    return [envelope for _, envelope in sorted(chain.items())]


def _belong(one: Envelope, other: Envelope, prints: Mapping[int, Footprint]) -> bool:
    earlier, later = sorted((one, other), key=lambda e: e.number)
    if earlier.number in later.after:
        return True
    return prints[later.number].builds_on(prints[earlier.number])


def hangs_on(chain: Iterable[Envelope], others: Iterable[Envelope]) -> list[Envelope]:
    """Return those of the others that build on the chain, directly or through each other."""
    reached = {e.number: footprint(e.operations) for e in chain}
    hanging: list[Envelope] = []
    for envelope in sorted(others, key=lambda e: e.number):
        if envelope.number in reached:
            continue
        own = footprint(envelope.operations)
        is_later = (n for n in reached if n < envelope.number)
        if any(n in envelope.after or own.builds_on(reached[n]) for n in is_later):
            reached[envelope.number] = own
            hanging.append(envelope)
    return hanging
