"""Dependencies between the envelopes of an outbox: what replaces, and what builds on what."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fieldpost.errors import Code
from fieldpost.home import Submission
from fieldpost.odp.lineage.dependencies import footprint, hangs_on
from fieldpost.wire.protocol import MAX_AFTER
from fieldpost.wire.receipts import SUPERSEDED, Outcome, Settled
from fieldpost_client.outbox.outbox import ATTENTION, CONFIRMED, SETTLED, Entry, Outbox

Entries = Mapping[int, Entry]
"""By number."""

_NEVER_KEPT = frozenset({Code.WRONG_DEVICE, Code.WRONG_USER, Code.WRONG_APP})


def replacements(entries: Entries) -> dict[str, Entry]:
    """Return for each envelope that is being repaired the entry that takes its place, by id."""
    found: dict[str, Entry] = {}
    for _, entry in sorted(entries.items()):
        if entry.is_void or entry.state == SETTLED:
            continue
        for identity in entry.envelope.supersedes:
            found[identity] = entry
    return found


def effective(entries: Entries, without: Collection[int] = ()) -> list[Entry]:
    """Return what is to be replayed, in order.

    A repair stands where the first of those stood that it repairs: what was built on them is
    replayed on it, as the server does. What was discarded or settled has no effect.
    """
    instead, found, seen = replacements(entries), list[Entry](), set[int]()
    for number, entry in sorted(entries.items()):
        if number in without or entry.is_void or entry.state == SETTLED:
            continue
        last = _last(entry, instead)
        if last.number not in seen and last.number not in without:
            seen.add(last.number)
            found.append(last)
    return found


def _last(entry: Entry, instead: Mapping[str, Entry]) -> Entry:
    while entry.envelope.id in instead:
        entry = instead[entry.envelope.id]
    return entry


def open_entries(entries: Entries) -> list[Entry]:
    """Return the entries whose end nobody knows, and which no repair has taken the place of."""
    instead = replacements(entries)
    return [
        e
        for _, e in sorted(entries.items())
        if e.is_open and not e.is_void and e.envelope.id not in instead
    ]


def built_on(submission: Submission, record: tuple[Any, ...], entries: Entries) -> tuple[int, ...]:
    """Return the numbers of the unconfirmed envelopes that a submission builds on.

    What another of them builds on already is left out.
    """
    own = footprint(submission.operations)
    repaired = [e.envelope for e in entries.values() if e.envelope.id in submission.supersedes]
    # what waits for those that are repaired comes after the repair, whatever its number
    behind = hangs_on(repaired, (e.envelope for e in entries.values())) if repaired else []
    out = {e.id for e in behind} | set(submission.supersedes)
    after: list[int] = []
    covered: set[int] = set()
    for entry in reversed(open_entries(entries)):
        if entry.envelope.id in out or entry.number in covered:
            continue
        is_same = entry.envelope.page == submission.page and record and entry.record == record
        if is_same or own.builds_on(entry.footprint):
            after.append(entry.number)
            covered |= _reached(entry, entries)
    return tuple(sorted(after[:MAX_AFTER]))


def _reached(entry: Entry, entries: Entries) -> set[int]:
    """Return the numbers that an entry builds on, directly or through others."""
    found: set[int] = set()
    left = list(entry.envelope.after)
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left += entries[number].envelope.after if number in entries else ()
    return found


def leaving(entries: Entries) -> list[Entry]:
    """Return the entries that leave the outbox with a replica that is read from now on.

    They are those that the server has applied, those that were settled, and those that an applied
    one has repaired.
    """
    gone = {n: e for n, e in entries.items() if e.state in (CONFIRMED, SETTLED)}
    repaired = replacements({n: e for n, e in gone.items() if e.state == CONFIRMED})
    for number, entry in entries.items():
        by = repaired.get(entry.envelope.id)
        if by is not None and entry.is_open:
            gone[number] = _settled(entry, by)
    return [entry for _, entry in sorted(gone.items())]


def _settled(entry: Entry, by: Entry) -> Entry:
    at = by.receipt.received_at if by.receipt else by.envelope.saved_at
    how = Settled(SUPERSEDED, by.envelope.id, by.envelope.user, at)
    receipt = entry.receipt and replace(entry.receipt, settled=how)
    return replace(entry, state=SETTLED, receipt=receipt)


def missing_at_the_office(
    outbox: Outbox, device: str, arrived: Mapping[str, Any]
) -> tuple[list[Entry], list[list[int]]]:
    """Return what the server lacks of this device although it had kept it.

    Args:
        outbox: of the device.
        device: its id; what it sent under another one before is another sequence.
        arrived: what the server says: ``{"number": the highest, "missing": [[from, to], …]}``.

    Returns:
        The entries that are still here, to be sent again; and the ranges of numbers that are not.
    """
    known = numbers_kept(outbox, device)
    ranges = [(int(first), int(last)) for first, last in arrived.get("missing") or ()]
    newest = max(known, default=0)
    if arrived and int(arrived.get("number") or 0) < newest:
        ranges.append((int(arrived.get("number") or 0) + 1, newest))
    forgotten = [e for n, e in sorted(known.items()) if any(a <= n <= b for a, b in ranges)]
    here = sorted(known.keys() | outbox.entries.keys())
    return forgotten, [gap for each in ranges for gap in _gaps(each, here)]


def numbers_kept(outbox: Outbox, device: str) -> dict[int, Entry]:
    """Return the entries by number that the server is known to have kept of a device."""
    refused = (e for e in outbox.of_state(ATTENTION) if _was_kept(e))
    applied = outbox.of_state(CONFIRMED)
    every = (*outbox.history.values(), *applied, *refused)
    kept = (e for e in every if e.envelope.device == device)
    return {e.number: e for e in kept}


def _was_kept(entry: Entry) -> bool:
    """Say whether the server keeps an envelope that it has refused like this."""
    receipt = entry.receipt
    if receipt is None or receipt.outcome is Outcome.MISMATCH:
        return False
    return not any(p.code in _NEVER_KEPT for p in receipt.problems)


def _gaps(numbers: tuple[int, int], here: Sequence[int]) -> Iterator[list[int]]:
    """Yield the parts of a range in which none of these numbers is."""
    start, last = numbers
    for number in here:
        if start <= number <= last:
            if number > start:
                yield [start, number - 1]
            start = number + 1
    if start <= last:
        yield [start, last]


def in_order_again(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries to be sent, in an order that suits a server that has forgotten them.

    That of their numbers; but where all that a repair has repaired is sent again, the repair comes
    before it, so that nothing is applied in its place, and after what it builds on.
    """
    by_number = {e.number: e for e in sorted(entries, key=lambda e: e.number)}
    ids = {e.envelope.id for e in by_number.values()}
    whole = {n: e for n, e in by_number.items() if ids.issuperset(e.envelope.supersedes)}
    instead, seen, found = replacements(whole), set[int](), list[Entry]()

    def add(entry: Entry) -> None:
        if entry.number in seen:
            return
        seen.add(entry.number)
        if (by := instead.get(entry.envelope.id)) is not None:
            add(by)
        for number in entry.envelope.after:
            if number in by_number:
                add(by_number[number])
        found.append(entry)

    for entry in by_number.values():
        add(entry)
    return found
