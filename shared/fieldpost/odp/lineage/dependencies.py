"""Dependencies: which envelopes build on which, by the rows they touch and the keys they name.

A device writes into each envelope on which unconfirmed ones it builds (`after`), so that the server
need not guess; both sides use this to say what hangs on an envelope that could not be applied.
"""

from collections import defaultdict, deque
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
    known = {e.number: e for e in others if e.page == asked.page} | {asked.number: asked}
    neighbours = _Neighbours(known)
    chain, left = {asked.number}, [asked.number]
    while left:
        for number in neighbours.of(left.pop()):
            if number not in chain:
                chain.add(number)
                left.append(number)
    return [known[number] for number in sorted(chain)]


class _Neighbours:
    """Which envelopes build on each other, found from either side.

    Each row and each key is gone through once, however many have to do with it.
    """

    def __init__(self, known: Mapping[int, Envelope]) -> None:
        self.known = known
        self.prints = {number: footprint(e.operations) for number, e in known.items()}
        self._by_row = defaultdict[Row, list[int]](list)
        self._bringing = defaultdict[int, deque[int]](deque)
        self._naming = defaultdict[int, deque[int]](deque)
        self._after = defaultdict[int, list[int]](list)
        for number in sorted(known):
            for row in self.prints[number].rows:
                self._by_row[row].append(number)
            for key in self.prints[number].new:
                self._bringing[key].append(number)
            for key in self.prints[number].named:
                self._naming[key].append(number)
            for earlier in known[number].after:
                self._after[earlier].append(number)

    def of(self, number: int) -> Iterator[int]:
        """Yield those that build on an envelope, and those that it builds on, if not told yet."""
        own = self.prints[number]
        yield from (n for n in self.known[number].after if n in self.known)
        yield from self._after.pop(number, ())
        for row in own.rows:
            yield from self._by_row.pop(row, ())
        for key in own.new:
            # who names what this one brings, and came later
            naming = self._naming[key]
            while naming and naming[-1] > number:
                yield naming.pop()
        for key in own.named:
            # who brings what this one names, and came earlier
            bringing = self._bringing[key]
            while bringing and bringing[0] < number:
                yield bringing.popleft()


def hangs_on(chain: Iterable[Envelope], others: Iterable[Envelope]) -> list[Envelope]:
    """Return those of the others that build on the chain, directly or through each other."""
    own = {e.number: e for e in chain}
    every = {e.number: e for e in others} | own
    numbers, rows, new = set[int](), set[Row](), set[int]()
    hanging: list[Envelope] = []
    for number, envelope in sorted(every.items()):
        found = footprint(envelope.operations)
        if number not in own:
            names_some = not (numbers.isdisjoint(envelope.after) and new.isdisjoint(found.named))
            if not names_some and rows.isdisjoint(found.rows):
                continue
            hanging.append(envelope)
        # only what comes earlier counts, so it is gathered on the way
        numbers.add(number)
        rows |= found.rows
        new |= found.new
    return hanging
