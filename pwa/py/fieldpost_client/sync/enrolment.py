"""Enrolling anew: a device whose numbers the server has from elsewhere goes on under another id.

A browser's data that was put back to an earlier state (a restored backup, a copied profile) makes
numbers that were used before, so that nothing of it would ever be accepted. What is open is sealed
again under a new id. That is safe: a `mismatch` says that the very envelope was not applied, and
one that the server keeps unapplied is superseded by its new edition.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fieldpost.errors import Code
from fieldpost.odp.lineage.temporary_keys import is_temporary, resolved_part
from fieldpost.schema.models import Model
from fieldpost.wire.envelope import Envelope, Operation
from fieldpost.wire.protocol import FORMAT
from fieldpost.wire.receipts import Outcome
from fieldpost_client.device import DeviceHome
from fieldpost_client.outbox.chain import Counters
from fieldpost_client.outbox.outbox import PENDING, Entries, Entry
from fieldpost_client.platform.base import Operation as Write
from fieldpost_client.platform.base import StoreError
from fieldpost_client.sync.contact import stopped_by

_STRANDED = frozenset({Code.NUMBER_TAKEN, Code.BROKEN_CHAIN, Code.ID_TAKEN})
_KEPT = frozenset({Outcome.WAITING, Outcome.CONFLICT, Outcome.INVALID, Outcome.FORBIDDEN})


def is_stranded(home: DeviceHome) -> bool:
    """Say whether this device's numbers lead nowhere, and all that is open was answered."""
    entries = home.outbox.entries.values()
    if home.outbox.broken or not any(_is_stranded(entry) for entry in entries):
        return False
    return all(_is_stranded(e) or (e.is_open and not e.is_void and _is_kept(e)) for e in entries)


def _is_stranded(entry: Entry) -> bool:
    receipt = entry.receipt
    if receipt is None or receipt.outcome is not Outcome.MISMATCH or not entry.is_open:
        return False
    return any(found.code in _STRANDED for found in receipt.problems)


def _is_kept(entry: Entry) -> bool:
    return entry.receipt is not None and entry.receipt.outcome in _KEPT


async def enrol_anew(home: DeviceHome) -> None:
    """Seal all that is open under a new id of this device, durably; raises `Stopped`."""
    async with home.turn:
        device = f"d-{home.platform.new_id()}"
        entries, counters = _sealed_anew(home, device)
        writes: list[Write] = [("delete", "outbox", number) for number in home.outbox.entries]
        writes += [entry.put() for entry in entries]
        writes += [("put", "session", "device", device), ("put", "session", "sent_to", 0)]
        writes += [("put", "session", "is_new", True), *counters.operations()]
        try:
            await home.platform.store.write(writes)
        except StoreError as error:
            raise stopped_by(error) from error
        # fault point: enrolled-anew — the outbox is stored whole under the new id, which the server
        # does not know: 'is_new' is stored with it, so the next sync registers before it sends.
        home.state.device, home.state.sent_to, home.state.is_new = device, 0, True
        home.state.counters = counters
        home.outbox.entries = Entries({entry.number: entry for entry in entries})


def _sealed_anew(home: DeviceHome, device: str) -> tuple[list[Entry], Counters]:
    counters = Counters(next_temporary=home.state.counters.next_temporary)
    entries: list[Entry] = []
    numbers: dict[int, int] = {}
    for old, entry in sorted(home.remapped.entries(home.outbox.entries).items()):
        numbers[old] = counters.next_number
        made = _again(home, entry, device, counters, numbers)
        entries.append(
            replace(
                entry,
                envelope=made,
                text=made.to_text(),
                state=PENDING,
                receipt=None,
                signed="",
                forgotten=(),
                _footprints=[],
            )
        )
        counters = counters.after(made)
    return entries, counters


def _again(
    home: DeviceHome, entry: Entry, device: str, counters: Counters, numbers: Mapping[int, int]
) -> Envelope:
    old = entry.envelope
    supersedes = dict.fromkeys(old.supersedes)
    if _is_kept(entry):
        supersedes[old.id] = None
    return replace(
        old,
        id=home.new_id(),
        device=device,
        number=counters.next_number,
        previous=counters.last_digest,
        operations=tuple(_with_real_keys(home, operation) for operation in old.operations),
        after=tuple(sorted(numbers[n] for n in old.after if n in numbers)),
        supersedes=tuple(supersedes),
        format=FORMAT,
        source="",
    ).sealed()


def _with_real_keys(home: DeviceHome, operation: Operation) -> Operation:
    """Put known real keys in the place of temporary ones: under a new id nobody knows those."""
    model = home.app.models.get(operation.model)
    if model is None:
        return operation
    return replace(
        operation,
        key=tuple(
            _real(home, model, attribute, part)
            for attribute, part in zip(model.key, operation.key, strict=False)
        ),
        set={a: _real(home, model, a, value) for a, value in operation.set.items()},
        was={a: _real(home, model, a, value) for a, value in operation.was.items()},
        rows={n: [_key(home, model, n, key) for key in keys] for n, keys in operation.rows.items()},
    )


def _real(home: DeviceHome, model: Model, attribute: str, value: Any) -> Any:
    if is_temporary(value):
        return resolved_part(model, attribute, value, home.app.models, _book(home))
    link = model.links.get(attribute)
    if link is None or not isinstance(value, list):
        return value
    target = home.app.models[str(link.target)]
    return [_key_of(home, target, key) for key in value]


def _key(home: DeviceHome, model: Model, name: str, key: Any) -> Any:
    children = model.children.get(name)
    return key if children is None else _key_of(home, home.app.models[children.model], key)


def _key_of(home: DeviceHome, model: Model, key: Any) -> Any:
    if not isinstance(key, list):
        return key
    return [_real(home, model, a, part) for a, part in zip(model.key, key, strict=False)]


def _book(home: DeviceHome) -> Any:
    return lambda model, temporary: home.state.keys.get((model, temporary), temporary)
