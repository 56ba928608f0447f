"""Chains: which envelopes build on which, by the rows that they touch and the keys that they name.

A device writes into each envelope on which unconfirmed ones it builds (`after`), so that the server
need not guess; both sides use this to say what hangs on an envelope that could not be applied.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fieldpost.envelope import Envelope, Operation
from fieldpost.odp.keys import is_temporary

Row = tuple[str, str]
"""Model, and ``repr`` of a key."""


def touched_rows(envelope: Envelope) -> set[Row]:
    """Return the rows that an envelope writes or has looked at."""
    return {(o.model, repr(list(o.key))) for o in envelope.operations}


def named_keys(envelope: Envelope) -> set[int]:
    """Return all temporary keys that an envelope mentions, whatever rows they stand for.

    A device never uses a temporary key twice, so the number alone tells the row.
    """
    return {key for operation in envelope.operations for key in _keys_in(operation)}


def new_keys(envelope: Envelope) -> set[int]:
    """Return the temporary keys of the rows that an envelope inserts."""
    inserts = (o for o in envelope.operations if o.do == "insert")
    return {part for o in inserts for part in o.key if is_temporary(part)}


def _keys_in(operation: Operation) -> Iterator[int]:
    yield from (part for part in operation.key if is_temporary(part))
    for values in (operation.set, operation.was, operation.rows):
        yield from _temporary_in(values)


def _temporary_in(data: Any) -> Iterator[int]:
    if is_temporary(data):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _temporary_in(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _temporary_in(value)


def builds_on(envelope: Envelope, earlier: Envelope) -> bool:
    """Say whether an envelope builds on an earlier one of its device.

    It does where both touch a row, or it names a row that the other brings. A negative number that
    is no key makes it wait needlessly, which does no harm.
    """
    if touched_rows(envelope) & touched_rows(earlier):
        return True
    return bool(named_keys(envelope) & new_keys(earlier))


def hangs_on(chain: Iterable[Envelope], others: Iterable[Envelope]) -> list[Envelope]:
    """Return those of the others that build on the chain, directly or through each other."""
    found = {e.id: e for e in chain}
    known, hanging = set(found), list[Envelope]()
    left = sorted((e for e in others if e.id not in known), key=lambda e: e.number)
    grown = True
    while grown:
        grown = False
        for envelope in list(left):
            if any(e.number < envelope.number and builds_on(envelope, e) for e in found.values()):
                found[envelope.id] = envelope
                hanging.append(envelope)
                left.remove(envelope)
                grown = True
    return hanging
