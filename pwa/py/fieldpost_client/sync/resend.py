"""Resending: a server was put back to an earlier state, and gets again what it has forgotten.

It is told first, with the receipts that it signed: what it gives the keys of forgotten rows to from
then on must never be taken for these. Until an envelope is confirmed once more, it keeps its former
receipt, so that what was cut off goes on with the next sync.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fieldpost.errors import Code
from fieldpost.odp.repair.remapped_keys import timeline_of
from fieldpost.text.canonical import canonical
from fieldpost.wire.protocol import MAX_REPORT_BYTES, MAX_REPORTED
from fieldpost.wire.receipts import NewKey, Outcome
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.outbox import PENDING, Entry, receipt_of
from fieldpost_client.platform.base import Operation, StoreError
from fieldpost_client.replica.device_state import KeyMap, LostByHistory, lost_keys_operation
from fieldpost_client.sync.contact import stopped_by

MOST_FORMER = 4
"""So many former receipts of an envelope are kept, one for each time that it was forgotten."""


async def take_back(home: DeviceHome, entries: Iterable[Entry]) -> None:
    """Put entries that were forgotten into the outbox again, durably; raises `Stopped`."""
    async with home.turn:
        waiting = [_to_send_again(home, entry) for entry in entries]
        lost = _lost_keys_with(home.state.lost_keys, waiting)
        operations: list[Operation] = [entry.put() for entry in waiting]
        operations += [("delete", "history", entry.envelope.id) for entry in waiting]
        try:
            await home.platform.store.write([*operations, lost_keys_operation(lost)])
        except StoreError as error:
            raise stopped_by(error) from error
        # fault point: recalled-stored — the envelopes are out of the history and in the outbox in
        # one transaction, each with its former receipt: the next sync tells the server and goes on.
        home.state.lost_keys = lost
        for entry in waiting:
            home.outbox.entries[entry.number] = entry
            home.outbox.history.pop(entry.envelope.id, None)


def loss_reports(entries: Iterable[Entry]) -> Iterator[tuple[str, list[str]]]:
    """Yield what the server is to be told, as it may be sent at once: base and receipts."""
    by_base: dict[str, list[str]] = {}
    for entry in entries:
        for former in entry.forgotten:
            by_base.setdefault(former["base"], []).append(former["signed"])
    for base, texts in by_base.items():
        some, left = list[str](), MAX_REPORT_BYTES
        for text in texts:
            length = len(text.encode())
            if length > MAX_REPORT_BYTES:
                # the server would refuse it; what its keys are named for will be asked about
                continue
            if length > left or len(some) == MAX_REPORTED:
                yield base, some
                some, left = [], MAX_REPORT_BYTES
            some.append(text)
            left -= length
        if some:
            yield base, some


def is_of_before(home: DeviceHome, entries: Iterable[Entry]) -> bool:
    """Say whether the replica still is one that the server has forgotten."""
    now = timeline_of(home.state.cursor)
    return any(e.forgotten and timeline_of(e.forgotten[-1]["base"]) == now for e in entries)


def keys_in_replica(home: DeviceHome, cursor: str) -> KeyMap:
    """Return the real keys that a replica has: not those of forgotten rows, after these."""
    gone = {
        (key.model, key.temporary)
        for entry in home.outbox.entries.values()
        if entry.is_open and entry.forgotten
        if timeline_of(entry.forgotten[-1]["base"]) != timeline_of(cursor)
        for key in _keys(entry.forgotten[-1])
    }
    return {name: real for name, real in home.state.keys.items() if name not in gone}


def _to_send_again(home: DeviceHome, entry: Entry) -> Entry:
    signed = _own_receipt(entry)
    base = home.state.cursor or entry.envelope.base
    former = ({"base": base, "signed": signed},) if signed else ()
    forgotten = (*entry.forgotten, *former)[-MOST_FORMER:]
    return replace(entry, state=PENDING, receipt=None, signed="", forgotten=forgotten)


def _own_receipt(entry: Entry) -> str:
    """Return the signed receipt of an entry; that of a void that came too late quotes it."""
    if not entry.signed:
        return ""
    receipt = receipt_of(json.loads(entry.signed))
    if receipt.outcome is not Outcome.MISMATCH:
        return entry.signed
    quoted = (p.detail for p in receipt.problems if p.code is Code.ALREADY_APPLIED)
    return next((canonical(detail["receipt"]) for detail in quoted), "")


def _keys(former: Mapping[str, str]) -> tuple[NewKey, ...]:
    return receipt_of(json.loads(former["signed"])).keys


def _lost_keys_with(lost: LostByHistory, entries: Iterable[Entry]) -> LostByHistory:
    found = {history: dict(keys) for history, keys in lost.items()}
    for entry in entries:
        for former in entry.forgotten:
            keys = found.setdefault(timeline_of(former["base"]), {})
            keys |= {(key.model, key.real): key.temporary for key in _keys(former)}
    return found
